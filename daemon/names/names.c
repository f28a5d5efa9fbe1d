/* SPDX-License-Identifier: MIT */
#include "daemon/names/names.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/names/names-internal.h"

#define SLOTS_MAX (1u << 30)

/* Chains are one to two slots long when all are used; a heap adds a word, and rounds up. */
static_assert(sizeof(struct slot) + N_INDEXES * sizeof(uint32_t) + 16 <= NAMES_OVERHEAD,
	      "an entry counts what it costs");

/* ---- life --------------------------------------------------------------------------------- */

int names_new(struct names **ret, uint64_t bytes, uint64_t seed)
{
	struct names *n = calloc(1, sizeof(*n));
	uint64_t slots = bytes / (NAMES_OVERHEAD + 2); /* the two NULs of the shortest text */
	uint32_t heads = 1;

	if (!n)
		return -ENOMEM;
	n->n_slots = slots < SLOTS_MAX ? (uint32_t)slots : SLOTS_MAX;
	while (heads <= n->n_slots / 2)
		heads *= 2;
	n->mask = heads - 1;
	n->bound = bytes;
	n->seed = seed;
	n->slots = calloc((size_t)n->n_slots + 1, sizeof(*n->slots));
	n->heads = calloc((size_t)heads * N_INDEXES, sizeof(*n->heads));
	if (!n->slots || !n->heads) {
		names_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

struct names *names_free(struct names *n)
{
	if (!n)
		return NULL;
	for (uint32_t i = 1; n->slots && i <= n->used; i++)
		free(n->slots[i].text);
	free(n->slots);
	free(n->heads);
	free(n);
	return NULL;
}

/* ---- slots -------------------------------------------------------------------------------- */

static uint64_t slot_charge(const struct slot *s)
{
	return NAMES_OVERHEAD + (uint64_t)s->volume_len + s->cookie_len + s->locator_len + 1 +
	       s->validator_len + 1;
}

static void use_begin(struct names *n, uint32_t i)
{
	uint32_t last = n->slots[0].older;

	n->slots[i].newer = 0;
	n->slots[i].older = last;
	n->slots[last].newer = i;
	n->slots[0].older = i;
}

static void use_end(struct names *n, uint32_t i)
{
	uint32_t newer = n->slots[i].newer, older = n->slots[i].older;

	n->slots[newer].older = older;
	n->slots[older].newer = newer;
}

static uint32_t slot_take(struct names *n)
{
	uint32_t i = n->free;

	if (!i)
		return ++n->used;
	n->free = n->slots[i].older;
	return i;
}

void names_clear_id(struct names *n, uint32_t i)
{
	if (n->slots[i].generation == 0)
		return;
	names_unlink(n, BY_ID, i);
	n->slots[i].generation = 0;
}

/* What depends on more than the keys. */
static void slot_clear(struct names *n, uint32_t i)
{
	struct slot *s = &n->slots[i];

	if (s->validator_len > 0)
		names_unlink(n, BY_VALIDATOR, i);
	n->stats.bytes -= slot_charge(s);
}

static void slot_drop(struct names *n, uint32_t i)
{
	struct slot *s = &n->slots[i];

	slot_clear(n, i);
	names_clear_id(n, i);
	names_unlink(n, BY_COOKIE, i);
	names_unlink(n, BY_VOLUME, i);
	names_unlink(n, BY_KEY, i);
	use_end(n, i);
	free(s->text);
	s->text = NULL;
	s->older = n->free;
	n->free = i;
	n->stats.entries--;
}

void slot_view(const struct slot *s, struct name *ret)
{
	*ret = (struct name){
		.volume = slot_volume(s),
		.cookie = slot_cookie(s),
		.absent = s->absent,
		.whole = s->whole,
		.source = s->source,
		.size = s->size,
		.locator = slot_locator(s),
		.validator = slot_validator(s),
		.hits = s->hits,
		.id = s->generation ? s->id : 0,
		.generation = s->generation,
	};
}

/* ---- asking ------------------------------------------------------------------------------- */

bool names_find(struct names *n, uint64_t now, struct bytes volume, struct bytes cookie,
		struct name *ret)
{
	uint32_t i = names_slot(n, volume, cookie, names_hash(n, volume, cookie));
	struct slot *s = &n->slots[i];

	if (!i)
		return false;
	if (!slot_is_true(s, now)) {
		slot_drop(n, i);
		return false;
	}
	use_end(n, i);
	use_begin(n, i);
	if (s->hits < UINT32_MAX)
		s->hits++;
	slot_view(s, ret);
	return true;
}

bool names_peek(const struct names *n, uint64_t now, struct bytes volume, struct bytes cookie,
		struct name *ret)
{
	uint32_t i = names_slot(n, volume, cookie, names_hash(n, volume, cookie));

	if (!i || !slot_is_true(&n->slots[i], now))
		return false;
	slot_view(&n->slots[i], ret);
	return true;
}

struct names_stats names_stats(const struct names *n)
{
	return n->stats;
}

/* ---- remembering -------------------------------------------------------------------------- */

static char *append(char *to, const void *from, size_t len)
{
	if (len > 0)
		memcpy(to, from, len);
	return to + len;
}

/* The content of a slot, not its places; -E2BIG, -ENOMEM. s->text is the caller's to free. */
static int slot_fill(struct slot *s, const struct name *name)
{
	const char *locator = name->absent ? "" : name->locator;
	const char *validator = name->absent ? "" : name->validator;
	size_t locator_len = strlen(locator), validator_len = strlen(validator);
	char *at;

	if (name->volume.len + name->cookie.len > NAMES_KEY_MAX || locator_len > UINT16_MAX ||
	    validator_len > UINT16_MAX || name->source >= 1u << 30)
		return -E2BIG;
	s->volume_len = (uint16_t)name->volume.len;
	s->cookie_len = (uint16_t)name->cookie.len;
	s->locator_len = (uint16_t)locator_len;
	s->validator_len = (uint16_t)validator_len;
	s->absent = name->absent;
	s->whole = !name->absent && name->whole;
	s->source = name->absent ? 0 : name->source;
	s->size = name->absent ? 0 : name->size;
	s->hits = 0;
	at = s->text = malloc(slot_charge(s) - NAMES_OVERHEAD);
	if (!at)
		return -ENOMEM;
	at = append(at, name->volume.data, name->volume.len);
	at = append(at, name->cookie.data, name->cookie.len);
	at = append(at, locator, locator_len + 1);
	append(at, validator, validator_len + 1);
	return 0;
}

static void make_room(struct names *n, uint64_t charge)
{
	while (n->stats.bytes + charge > n->bound) {
		slot_drop(n, n->slots[0].newer);
		n->stats.evicted++;
	}
}

/* The new content goes where the old one was: it is the same name, and may be that of an open
 * object. */
static void slot_replace(struct names *n, uint32_t i, const struct slot *fresh)
{
	struct slot *s = &n->slots[i];

	slot_clear(n, i);
	free(s->text);
	s->text = fresh->text;
	s->locator_len = fresh->locator_len;
	s->validator_len = fresh->validator_len;
	s->absent = fresh->absent;
	s->whole = fresh->whole;
	s->source = fresh->source;
	s->size = fresh->size;
	s->hits = 0;
	use_end(n, i);
	n->stats.entries--;
}

static uint32_t slot_insert(struct names *n, const struct slot *fresh, uint32_t hash)
{
	uint32_t i = slot_take(n);

	n->slots[i] = *fresh;
	n->slots[i].hash = hash;
	n->slots[i].generation = 0;
	names_link(n, BY_KEY, i);
	names_link(n, BY_VOLUME, i);
	names_link(n, BY_COOKIE, i);
	return i;
}

int names_put(struct names *n, uint64_t now, uint64_t ttl, const struct name *name)
{
	uint32_t hash = names_hash(n, name->volume, name->cookie);
	uint32_t i = names_slot(n, name->volume, name->cookie, hash);
	struct slot fresh = { .text = NULL };
	int err = ttl > 0 ? slot_fill(&fresh, name) : 0;

	if (err == 0 && ttl > 0 && slot_charge(&fresh) > n->bound)
		err = -E2BIG;
	if (err < 0 || ttl == 0) {
		if (i)
			slot_drop(n, i);
		free(fresh.text);
		return err;
	}
	/* Not in the list of uses while room is made. */
	if (i)
		slot_replace(n, i, &fresh);
	make_room(n, slot_charge(&fresh));
	if (!i)
		i = slot_insert(n, &fresh, hash);
	if (fresh.validator_len > 0)
		names_link(n, BY_VALIDATOR, i);
	use_begin(n, i);
	n->slots[i].expires = ttl < UINT64_MAX - now ? now + ttl : UINT64_MAX;
	n->stats.bytes += slot_charge(&fresh);
	n->stats.entries++;
	return 0;
}

/* ---- forgetting --------------------------------------------------------------------------- */

size_t names_forget(struct names *n, struct bytes volume, struct bytes cookie)
{
	uint32_t i = names_slot(n, volume, cookie, names_hash(n, volume, cookie));

	if (i)
		slot_drop(n, i);
	return i != 0;
}

size_t names_forget_volume(struct names *n, struct bytes volume)
{
	uint32_t next, i = names_chain(n, BY_VOLUME, volume);
	size_t forgotten = 0;

	for (; i; i = next) {
		next = n->slots[i].links[BY_VOLUME].next;
		if (!bytes_equal(slot_volume(&n->slots[i]), volume))
			continue;
		slot_drop(n, i);
		forgotten++;
	}
	return forgotten;
}
