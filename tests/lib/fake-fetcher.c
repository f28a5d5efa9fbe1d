/* SPDX-License-Identifier: MIT */
#include "tests/lib/fake-fetcher.h"

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "tests/lib/superblock.h"

#define ASKED_MAX ((uint64_t)1 << 40) /* bytes of an object whose blocks are counted */

struct fake {
	struct fetcher fetcher;
	struct loop *loop;
	TAILQ_HEAD(, fake_origin) origins;
	TAILQ_HEAD(, fake_read) reads;
	TAILQ_HEAD(, fake_look) looks;
	unsigned int running, running_max, attached;
	unsigned int users; /* who were given the fetcher, and have not freed it */
	uint64_t bytes, bytes_max;
};

struct fake_object {
	struct fetch_object object;
	struct fake *fake;
	struct fake_origin *origin;
	struct fetch_identity identity;
	unsigned int reads;
};

struct fake_look {
	struct fake *fake;
	struct fake_origin *origin; /* NULL: there is none */
	struct fetch_look *look;
	struct loop_timer timer;
	bool canceled;
	TAILQ_ENTRY(fake_look) link;
};

struct fake_read {
	struct fake *fake;
	struct fake_object *object;
	struct fetch_read *read;
	struct loop_timer timer;
	size_t filled;
	bool canceled;
	TAILQ_ENTRY(fake_read) link;
};

/* ---- bytes ------------------------------------------------------------------------------ */

static uint8_t fake_byte(const struct emu_origin *bytes, uint64_t off)
{
	const struct fake_origin *origin = container_of(bytes, struct fake_origin, bytes);
	uint64_t x = (off / 8 + 1) * 0x9e3779b97f4a7c15u + origin->seed * 0x2545f4914f6cdd1du;

	if ((origin->compressed || origin->image) && off < SUPERBLOCK_LEN)
		return off == SUPERBLOCK_COMPRESSION ? origin->compressed : superblock_byte(off);
	return (uint8_t)(x >> (off % 8 * 8)) ^ (uint8_t)off;
}

/* Eight bytes from a multiple of eight on. */
static uint64_t fake_word(uint64_t seed, uint64_t off)
{
	uint64_t word = (off / 8 + 1) * 0x9e3779b97f4a7c15u + seed;

	return htole64(word ^ (off % 256 * 0x0101010101010101u | 0x0706050403020100u));
}

/* Most of the time of a test goes by in here. */
static void fake_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t len)
{
	const struct fake_origin *origin = container_of(bytes, struct fake_origin, bytes);
	uint64_t seed = origin->seed * 0x2545f4914f6cdd1du, word;
	uint64_t plain = origin->compressed || origin->image ? SUPERBLOCK_LEN : 0;
	uint8_t *to = buf;
	size_t i = 0;

	for (; i < len && (off + i < plain || (off + i) % 8); i++)
		to[i] = fake_byte(bytes, off + i);
	for (; i + 8 <= len; i += 8) {
		word = fake_word(seed, off + i);
		memcpy(to + i, &word, 8);
	}
	for (; i < len; i++)
		to[i] = fake_byte(bytes, off + i);
}

/* A test may have bytes of its own. */
static void fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t len)
{
	bytes->fill(bytes, buf, off, len);
}

static void fake_arm(struct fake *fake, struct loop_timer *timer, uint64_t ns)
{
	ck_assert_int_eq(loop_timer_set(fake->loop, timer, loop_now(fake->loop) + ns), 0);
}

/* ---- look ------------------------------------------------------------------------------- */

/* What is served under it now, the newest; NULL: nothing. */
static struct fake_origin *fake_find(const struct fake *fake, const char *locator)
{
	struct fake_origin *origin;

	TAILQ_FOREACH(origin, &fake->origins, link)
		if (strcmp(origin->locator, locator) == 0)
			break;
	return origin;
}

static void fake_look_end(struct fake_look *l, int err)
{
	struct fetch_look *look = l->look;

	loop_timer_cancel(&l->timer);
	TAILQ_REMOVE(&l->fake->looks, l, link);
	free(l);
	look->done(look, err);
}

static void fake_look_fire(struct loop_timer *timer)
{
	struct fake_look *l = container_of(timer, struct fake_look, timer);
	struct fetch_look *look = l->look;
	struct fake_origin *origin = fake_find(l->fake, look->locator);
	int err = origin ? origin->look_error : -ENOENT;

	l->origin = origin; /* it may have been replaced since the look began */
	if (l->canceled)
		err = -ECANCELED;
	else if (origin && origin->look_stalls)
		return;
	if (err < 0) {
		snprintf(look->error, sizeof(look->error), "the script says so");
		look->retry_after = origin ? origin->retry_after : 0;
		fake_look_end(l, err);
		return;
	}
	look->identity.size = origin->bytes.size;
	snprintf(look->identity.validator, sizeof(look->identity.validator), "%s",
		 origin->validator);
	look->head_filled = (size_t)min_u64(look->head_len, origin->bytes.size);
	if (origin->look_cut && look->head_filled > origin->look_cut) {
		look->head_filled = origin->look_cut;
		err = -ECONNRESET;
	}
	if (look->head)
		fill(look->elsewhere && origin->elsewhere ? origin->elsewhere : &origin->bytes,
		     look->head, 0, look->head_filled);
	fake_look_end(l, err);
}

static void fake_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct fake *fake = container_of(fetcher, struct fake, fetcher);
	struct fake_look *l = calloc(1, sizeof(*l));
	struct fake_origin *origin = fake_find(fake, look->locator);

	ck_assert_ptr_nonnull(l);
	l->fake = fake;
	l->look = look;
	l->origin = origin;
	l->timer.fire = fake_look_fire;
	if (origin)
		origin->looks++;
	look->fetcher_private = l;
	TAILQ_INSERT_TAIL(&fake->looks, l, link);
	fake_arm(fake, &l->timer, origin ? origin->look_delay : 0);
}

static void fake_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct fake_look *l = look->fetcher_private;

	l->canceled = true;
	fake_arm(l->fake, &l->timer, 0);
}

/* ---- read ------------------------------------------------------------------------------- */

static void fake_read_end(struct fake_read *r, int err)
{
	struct fetch_read *read = r->read;

	if (err < 0)
		snprintf(read->error, sizeof(read->error), "the script says so");
	read->retry_after = err < 0 ? r->object->origin->retry_after : 0;
	loop_timer_cancel(&r->timer);
	TAILQ_REMOVE(&r->fake->reads, r, link);
	r->fake->running--;
	r->fake->bytes -= read->len;
	r->object->reads--;
	free(r);
	read->done(read, err);
}

/* Where a read that has come to `at` will stall or fail, if it gets there. */
static uint64_t fake_stall(const struct fake_origin *origin, uint64_t at)
{
	if (origin->stall_always)
		return at;
	return origin->stall_at >= at ? origin->stall_at : FAKE_NOWHERE;
}

static uint64_t fake_failure(const struct fake_origin *origin, uint64_t at)
{
	if (!origin->read_error)
		return FAKE_NOWHERE;
	if (origin->fail_always)
		return at;
	return origin->fail_at >= at ? origin->fail_at : FAKE_NOWHERE;
}

static void fake_read_fire(struct loop_timer *timer)
{
	struct fake_read *r = container_of(timer, struct fake_read, timer);
	struct fake_origin *origin = r->object->origin;
	struct fetch_read *read = r->read;
	uint64_t at = read->off + r->filled, end = read->off + read->len;
	uint64_t stall = fake_stall(origin, at), failure = fake_failure(origin, at);
	uint64_t stop = min_u64(min_u64(stall, failure), end);

	if (r->canceled) {
		fake_read_end(r, -ECANCELED);
		return;
	}
	if (strcmp(r->object->identity.validator, origin->validator) != 0) {
		fake_read_end(r, -ESTALE);
		return;
	}
	if (origin->step)
		stop = min_u64(stop, at + origin->step);
	fill(read->elsewhere && origin->elsewhere ? origin->elsewhere : &origin->bytes,
	     (uint8_t *)read->buf + r->filled, at, (size_t)(stop - at));
	r->filled += (size_t)(stop - at);
	if (stop == end) {
		fake_read_end(r, 0);
		return;
	}
	if (stop > at && read->progress)
		read->progress(read, r->filled);
	if (r->canceled) /* by that very call */
		return;
	if (stop == failure)
		fake_read_end(r, origin->read_error);
	else if (stop != stall)
		fake_arm(r->fake, timer, origin->step_time);
}

static void fake_note(struct fake_origin *origin, uint64_t off, uint64_t len, bool elsewhere)
{
	uint64_t block = off / CACHE_BLOCK, end = (off + len + CACHE_BLOCK - 1) / CACHE_BLOCK;

	origin->reads++;
	origin->reads_elsewhere += elsewhere;
	origin->bytes_asked += len;
	for (; origin->asked && block < end; block++) {
		if (origin->asked[block / 8] & 1u << block % 8)
			origin->blocks_asked_twice++;
		origin->asked[block / 8] |= (uint8_t)(1u << block % 8);
	}
}

static void fake_read(struct fetch_object *object, struct fetch_read *read)
{
	struct fake_object *o = container_of(object, struct fake_object, object);
	struct fake_read *r = calloc(1, sizeof(*r));
	struct fake *fake = o->fake;

	ck_assert_ptr_nonnull(r);
	ck_assert_uint_ge(read->len, 1);
	ck_assert_uint_le(read->off, o->identity.size);
	ck_assert_uint_le(read->len, o->identity.size - read->off);
	if (o->identity.size == o->origin->bytes.size)
		fake_note(o->origin, read->off, read->len, read->elsewhere);
	r->fake = fake;
	r->object = o;
	r->read = read;
	r->timer.fire = fake_read_fire;
	o->reads++;
	if (++fake->running > fake->running_max)
		fake->running_max = fake->running;
	fake->bytes += read->len;
	fake->bytes_max = max_u64(fake->bytes_max, fake->bytes);
	read->fetcher_private = r;
	TAILQ_INSERT_TAIL(&fake->reads, r, link);
	fake_arm(fake, &r->timer, o->origin->delay);
}

static void fake_cancel_read(struct fetch_object *object, struct fetch_read *read)
{
	struct fake_read *r = read->fetcher_private;

	r->canceled = true;
	fake_arm(r->fake, &r->timer, 0);
}

/* ---- objects ---------------------------------------------------------------------------- */

static int fake_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		       const struct fetch_identity *identity)
{
	struct fake *fake = container_of(fetcher, struct fake, fetcher);
	struct fake_object *o = calloc(1, sizeof(*o));
	struct fake_origin *origin = fake_find(fake, locator);

	ck_assert_ptr_nonnull(o);
	ck_assert_ptr_nonnull(origin);
	o->object.fetcher = fetcher;
	o->fake = fake;
	o->origin = origin;
	o->identity = *identity;
	origin->attached++;
	fake->attached++;
	*ret = &o->object;
	return 0;
}

static void fake_detach(struct fetch_object *object)
{
	struct fake_object *o = container_of(object, struct fake_object, object);

	ck_assert_uint_eq(o->reads, 0);
	o->origin->attached--;
	o->fake->attached--;
	free(o);
}

static void fake_fetcher_free(struct fetcher *fetcher)
{
	struct fake *fake = container_of(fetcher, struct fake, fetcher);

	if (--fake->users > 0)
		return;
	ck_assert_uint_eq(fake->attached, 0);
	ck_assert(TAILQ_EMPTY(&fake->looks));
	ck_assert(TAILQ_EMPTY(&fake->reads));
}

static const struct fetcher_ops fake_ops = {
	.look = fake_look,
	.cancel_look = fake_cancel_look,
	.attach = fake_attach,
	.detach = fake_detach,
	.read = fake_read,
	.cancel_read = fake_cancel_read,
	.free = fake_fetcher_free,
};

/* ---- script ----------------------------------------------------------------------------- */

struct fake *fake_new(struct loop *loop)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	ck_assert_ptr_nonnull(fake);
	fake->fetcher.ops = &fake_ops;
	fake->loop = loop;
	TAILQ_INIT(&fake->origins);
	TAILQ_INIT(&fake->reads);
	TAILQ_INIT(&fake->looks);
	return fake;
}

void fake_free(struct fake *fake)
{
	struct fake_origin *origin;

	ck_assert_uint_eq(fake->attached, 0);
	while ((origin = TAILQ_FIRST(&fake->origins))) {
		TAILQ_REMOVE(&fake->origins, origin, link);
		free(origin->asked);
		free(origin->locator);
		free(origin);
	}
	free(fake);
}

struct fetcher *fake_fetcher(struct fake *fake)
{
	fake->users++;
	return &fake->fetcher;
}

struct fake_origin *fake_serve(struct fake *fake, const char *locator, uint64_t size)
{
	struct fake_origin *origin = calloc(1, sizeof(*origin));

	ck_assert_ptr_nonnull(origin);
	origin->bytes.byte = fake_byte;
	origin->bytes.fill = fake_fill;
	origin->bytes.size = size;
	origin->locator = strdup(locator);
	if (size <= ASKED_MAX)
		origin->asked = calloc(1, (size_t)(size / CACHE_BLOCK / 8 + 1));
	ck_assert(origin->locator && (origin->asked || size > ASKED_MAX));
	origin->stall_at = FAKE_NOWHERE;
	origin->validator = "v1";
	TAILQ_INSERT_HEAD(&fake->origins, origin, link); /* found before an older one */
	return origin;
}

struct fake_origin *fake_replace(struct fake *fake, struct fake_origin *old, uint64_t size,
				 const char *validator)
{
	struct fake_origin *origin = fake_serve(fake, old->locator, size);

	origin->seed = old->seed + 1;
	origin->validator = validator;
	old->validator = validator;
	return origin;
}

void fake_unstall(struct fake *fake, struct fake_origin *origin)
{
	struct fake_read *r;
	struct fake_look *l;

	origin->stall_at = FAKE_NOWHERE;
	origin->stall_always = false;
	origin->look_stalls = false;
	TAILQ_FOREACH(r, &fake->reads, link)
		if (r->object->origin == origin && !loop_timer_armed(&r->timer))
			fake_arm(fake, &r->timer, 0);
	TAILQ_FOREACH(l, &fake->looks, link)
		if (l->origin == origin && !loop_timer_armed(&l->timer))
			fake_arm(fake, &l->timer, 0);
}

unsigned int fake_running(const struct fake *fake)
{
	return fake->running;
}

unsigned int fake_running_max(const struct fake *fake)
{
	return fake->running_max;
}

uint64_t fake_bytes_max(const struct fake *fake)
{
	return fake->bytes_max;
}
