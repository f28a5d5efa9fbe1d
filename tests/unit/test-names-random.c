/* SPDX-License-Identifier: MIT */
/*
 * Random lives of the name cache beside a plain model: a list in the order of use, searched from
 * its front. After each step both have the same entries in the same order, and each way back gives
 * the same names.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/names/names.h"
#include "tests/lib/run-suite.h"

#define VOLUMES	   4
#define COOKIES	   12
#define VALIDATORS 5
#define IDS	   6
#define STEPS	   3000
#define MODEL_MAX  (VOLUMES * COOKIES)
#define TEXT_MAX   300

struct entry {
	unsigned int volume, cookie, validator;
	bool absent, whole;
	uint32_t source, id, hits;
	uint64_t size, expires, generation, charge;
	char locator[TEXT_MAX + 1];
};

static struct {
	struct entry list[MODEL_MAX]; /* most recently used first */
	size_t n;
	uint64_t bound, bytes, evicted, now, generations;
} model;

static struct names *names;

/* ---- randomness and keys ------------------------------------------------------------------ */

static uint64_t state;

static uint64_t chance(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

/* Keys that are prefixes of each other, hold NULs, or nothing at all. */
static struct bytes volume_of(unsigned int i)
{
	static const struct {
		const char *data;
		size_t len;
	} volumes[VOLUMES] = { { "", 0 }, { "erofs,d", 7 }, { "erofs,d\0", 8 }, { "\xff/..", 4 } };

	return bytes_of(volumes[i].data, volumes[i].len);
}

static struct bytes cookie_of(unsigned int i)
{
	static char cookies[COOKIES][COOKIES];

	memset(cookies[i], i % 2 ? 'c' : '\0', i);
	return bytes_of(cookies[i], i);
}

static const char *validator_of(unsigned int i)
{
	static const char *const validators[VALIDATORS] = { "", "a", "etag:\"b\"", "aa",
							    "mtime:7" };

	return validators[i];
}

/* ---- the model ---------------------------------------------------------------------------- */

static void model_remove(size_t at)
{
	model.bytes -= model.list[at].charge;
	model.n--;
	memmove(&model.list[at], &model.list[at + 1], (model.n - at) * sizeof(model.list[0]));
}

static void model_to_front(size_t at)
{
	struct entry e = model.list[at];

	memmove(&model.list[1], &model.list[0], at * sizeof(e));
	model.list[0] = e;
}

static struct entry *model_find(unsigned int volume, unsigned int cookie)
{
	for (size_t i = 0; i < model.n; i++)
		if (model.list[i].volume == volume && model.list[i].cookie == cookie)
			return &model.list[i];
	return NULL;
}

static size_t place_of(const struct entry *e)
{
	return (size_t)(e - model.list);
}

static bool model_true(const struct entry *e)
{
	return model.now < e->expires;
}

static int model_put(struct entry e, uint64_t ttl)
{
	struct entry *old = model_find(e.volume, e.cookie);

	if (old) {
		e.id = old->id;
		e.generation = old->generation;
		model_remove(place_of(old));
	}
	if (ttl == 0)
		return 0;
	e.charge = NAMES_OVERHEAD + volume_of(e.volume).len + e.cookie + strlen(e.locator) +
		   strlen(validator_of(e.validator)) + 2;
	if (e.charge > model.bound)
		return -E2BIG;
	while (model.bytes + e.charge > model.bound) {
		model_remove(model.n - 1);
		model.evicted++;
	}
	e.expires = model.now + ttl;
	model.bytes += e.charge;
	model.list[model.n++] = e;
	model_to_front(model.n - 1);
	return 0;
}

/* ---- the same ----------------------------------------------------------------------------- */

/* One assertion for all: each costs a system call. */
static bool same(const struct name *name, const struct entry *e)
{
	return bytes_equal(name->volume, volume_of(e->volume)) &&
	       bytes_equal(name->cookie, cookie_of(e->cookie)) && name->absent == e->absent &&
	       name->whole == e->whole && name->source == e->source && name->size == e->size &&
	       strcmp(name->locator, e->locator) == 0 &&
	       strcmp(name->validator, validator_of(e->validator)) == 0 && name->hits == e->hits &&
	       name->generation == e->generation && (!e->generation || name->id == e->id);
}

static void check_same(const struct name *name, const struct entry *e)
{
	if (!same(name, e))
		ck_abort_msg("%u/%u is not as it was put", e->volume, e->cookie);
}

static void check_next(void *arg, const struct name *name)
{
	size_t *at = arg;

	while (*at < model.n && !model_true(&model.list[*at]))
		++*at;
	if (*at == model.n)
		ck_abort_msg("a name that is not there");
	check_same(name, &model.list[(*at)++]);
}

static void check_all(void)
{
	struct names_stats stats = names_stats(names);
	size_t at = 0, n = 0;

	for (size_t i = 0; i < model.n; i++)
		n += model_true(&model.list[i]);
	ck_assert_uint_eq(names_each(names, model.now, check_next, &at), n);
	ck_assert_uint_eq(stats.entries, model.n);
	ck_assert_uint_eq(stats.bytes, model.bytes);
	ck_assert_uint_le(stats.bytes, model.bound);
	ck_assert_uint_eq(stats.evicted, model.evicted);
}

/* Each one that is visited is one of the model's, and none comes twice. */
static bool visited[MODEL_MAX];

static void check_member(void *arg, const struct name *name)
{
	for (size_t i = 0; i < model.n; i++) {
		struct entry *e = &model.list[i];

		if (!bytes_equal(name->volume, volume_of(e->volume)) ||
		    !bytes_equal(name->cookie, cookie_of(e->cookie)))
			continue;
		if (visited[i] || !model_true(e))
			ck_abort_msg("a name that comes twice, or is not true any more");
		visited[i] = true;
		check_same(name, e);
		return;
	}
	ck_abort_msg("a name that is not there");
}

enum way { WAY_VOLUME, WAY_COOKIE, WAY_VALIDATOR, WAYS };

static bool on_way(const struct entry *e, enum way way, unsigned int i)
{
	if (way == WAY_VOLUME)
		return e->volume == i;
	if (way == WAY_COOKIE)
		return e->cookie == i;
	return e->validator == i && i != 0 && !e->absent;
}

static size_t go(enum way way, unsigned int i)
{
	if (way == WAY_VOLUME)
		return names_by_volume(names, model.now, volume_of(i), check_member, NULL);
	if (way == WAY_COOKIE)
		return names_by_cookie(names, model.now, cookie_of(i), check_member, NULL);
	return names_by_validator(names, model.now, validator_of(i), check_member, NULL);
}

static void check_way(enum way way, unsigned int value)
{
	size_t n = 0;

	memset(visited, 0, sizeof(visited));
	for (size_t i = 0; i < model.n; i++)
		n += model_true(&model.list[i]) && on_way(&model.list[i], way, value);
	ck_assert_uint_eq(go(way, value), n);
	for (size_t i = 0; i < model.n; i++)
		if (visited[i] && !on_way(&model.list[i], way, value))
			ck_abort_msg("a name that has something else in common");
}

static void check_id(uint32_t id)
{
	struct entry *owner = NULL;
	struct name name;

	for (size_t i = 0; i < model.n; i++)
		if (model.list[i].generation && model.list[i].id == id &&
		    model_true(&model.list[i]))
			owner = &model.list[i];
	ck_assert_int_eq(names_by_id(names, model.now, id, 0, &name), owner != NULL);
	if (!owner)
		return;
	check_same(&name, owner);
	ck_assert(names_by_id(names, model.now, id, owner->generation, &name));
	ck_assert(!names_by_id(names, model.now, id, owner->generation - 1, &name) ||
		  owner->generation == 1);
}

/* ---- steps -------------------------------------------------------------------------------- */

static void step_put(void)
{
	static const uint64_t times[] = { 0, 1, 50, 1000, 1000, 100000 };
	struct entry e = {
		.volume = (unsigned int)chance(VOLUMES),
		.cookie = (unsigned int)chance(COOKIES),
		.absent = chance(3) == 0,
	};
	uint64_t ttl = times[chance(6)];
	struct name name = { .volume = volume_of(e.volume), .cookie = cookie_of(e.cookie) };

	if (!e.absent) {
		e.validator = (unsigned int)chance(VALIDATORS);
		e.whole = chance(2);
		e.source = (uint32_t)chance(1u << 30);
		e.size = chance(UINT64_MAX);
		memset(e.locator, 'l', chance(4) ? chance(30) : chance(TEXT_MAX));
	}
	name.absent = e.absent;
	name.whole = e.whole;
	name.source = e.source;
	name.size = e.size;
	name.locator = e.locator;
	name.validator = validator_of(e.validator);
	ck_assert_int_eq(names_put(names, model.now, ttl, &name), model_put(e, ttl));
}

static void step_find(void)
{
	unsigned int v = (unsigned int)chance(VOLUMES), c = (unsigned int)chance(COOKIES);
	struct entry *e = model_find(v, c);
	struct name name;

	if (chance(3) == 0) {
		ck_assert_int_eq(names_peek(names, model.now, volume_of(v), cookie_of(c), &name),
				 e && model_true(e));
		return;
	}
	ck_assert_int_eq(names_find(names, model.now, volume_of(v), cookie_of(c), &name),
			 e && model_true(e));
	if (e && !model_true(e)) {
		model_remove(place_of(e));
	} else if (e) {
		e->hits++;
		check_same(&name, e);
		model_to_front(place_of(e));
	}
}

static void step_purge(void)
{
	unsigned int v = (unsigned int)chance(VOLUMES), c = (unsigned int)chance(COOKIES);
	bool whole = chance(4) == 0;
	size_t n = 0;

	for (size_t i = model.n; i-- > 0;) {
		if (model.list[i].volume != v || (!whole && model.list[i].cookie != c))
			continue;
		model_remove(i);
		n++;
	}
	if (whole)
		ck_assert_uint_eq(names_forget_volume(names, volume_of(v)), n);
	else
		ck_assert_uint_eq(names_forget(names, volume_of(v), cookie_of(c)), n);
}

static void step_bind(void)
{
	unsigned int v = (unsigned int)chance(VOLUMES), c = (unsigned int)chance(COOKIES);
	uint32_t id = (uint32_t)chance(IDS);
	struct entry *e = model_find(v, c);
	uint64_t generation = ++model.generations;

	for (size_t i = 0; i < model.n; i++)
		if (model.list[i].id == id)
			model.list[i].generation = 0;
	if (e && model_true(e)) {
		e->id = id;
		e->generation = generation;
	}
	ck_assert_int_eq(names_bind(names, model.now, volume_of(v), cookie_of(c), id, generation),
			 e && model_true(e));
}

static void step_unbind(void)
{
	uint32_t id = (uint32_t)chance(IDS);
	uint64_t generation = model.generations - chance(4);

	for (size_t i = 0; i < model.n; i++)
		if (model.list[i].id == id && model.list[i].generation == generation)
			model.list[i].generation = 0;
	names_unbind(names, id, generation);
}

static void step(void)
{
	uint64_t x = chance(100);

	if (x < 40)
		step_put();
	else if (x < 75)
		step_find();
	else if (x < 80)
		step_purge();
	else if (x < 88)
		step_bind();
	else if (x < 92)
		step_unbind();
	else
		model.now += chance(x == 99 ? 2000 : 20);
}

static void live(uint64_t seed, uint64_t bound)
{
	state = seed * 0x9e3779b97f4a7c15 + 1;
	memset(&model, 0, sizeof(model));
	model.bound = bound;
	model.generations = 10; /* late closes have smaller ones */
	ck_assert_int_eq(names_new(&names, bound, seed), 0);
	for (unsigned int i = 0; i < STEPS; i++) {
		step();
		check_all();
		check_way((enum way)chance(WAYS), (unsigned int)chance(VOLUMES));
		check_id((uint32_t)chance(IDS));
	}
	names = names_free(names);
}

/* From no room at all, over a few entries in one chain, to room for all. */
START_TEST(test_random_lives)
{
	static const uint64_t bounds[] = { 0,	 150,	 NAMES_OVERHEAD + 20, 600, 1500, 4000,
					   9000, 1 << 16 };

	live((uint64_t)_i + 1, bounds[_i % 8]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("names, random");
	TCase *t = tcase_create("names");

	tcase_add_loop_test(t, test_random_lives, 0, 40);
	suite_add_tcase(s, t);
	return run_suite(s);
}
