/* SPDX-License-Identifier: MIT */
/*
 * The entries of names.h and their indexes, between names.c and names-reverse.c. Entries are slots
 * of one array, which is as large as the bound allows and costs memory only as far as it was used;
 * links between them are their numbers, half as large as pointers. Slot 0 stands for "none", and is
 * the ends of the list of uses.
 */
#pragma once

#include "daemon/names/names.h"

enum names_index { BY_KEY, BY_VOLUME, BY_COOKIE, BY_VALIDATOR, BY_ID, N_INDEXES };

struct slot {
	struct {
		uint32_t prev, next;
	} links[N_INDEXES];    /* in the chain of each index that it is in */
	uint32_t newer, older; /* by use; older: the next free one */
	uint32_t hash;	       /* of both keys */
	uint32_t id;	       /* with generation 0: none */
	uint64_t generation;
	uint64_t expires;
	uint64_t size;
	char *text; /* owned: volume, cookie, locator and validator with their NULs */
	uint16_t volume_len, cookie_len, locator_len, validator_len;
	uint32_t hits;
	uint32_t source : 30, absent : 1, whole : 1;
};

struct names {
	struct slot *slots; /* owned, n_slots + 1 */
	uint32_t *heads;    /* owned, N_INDEXES times mask + 1: first slot of each chain */
	uint32_t mask;
	uint32_t n_slots, used; /* slots that were ever used: the others were never touched */
	uint32_t free;		/* first of those that are free again */
	uint64_t seed, bound;
	struct names_stats stats;
};

static inline struct bytes slot_volume(const struct slot *s)
{
	return bytes_of(s->text, s->volume_len);
}

static inline struct bytes slot_cookie(const struct slot *s)
{
	return bytes_of(s->text + s->volume_len, s->cookie_len);
}

static inline const char *slot_locator(const struct slot *s)
{
	return s->text + s->volume_len + s->cookie_len;
}

static inline const char *slot_validator(const struct slot *s)
{
	return slot_locator(s) + s->locator_len + 1;
}

/* Its time is not over. */
static inline bool slot_is_true(const struct slot *s, uint64_t now)
{
	return now < s->expires;
}

void slot_view(const struct slot *slot, struct name *ret);

/* The slot of a name, also of one whose time is over; 0: none. */
uint32_t names_slot(const struct names *names, struct bytes volume, struct bytes cookie,
		    uint32_t hash);
uint32_t names_hash(const struct names *names, struct bytes volume, struct bytes cookie);

/* Into and out of the chain of one index, as the slot's content says. */
void names_link(struct names *names, enum names_index index, uint32_t i);
void names_unlink(struct names *names, enum names_index index, uint32_t i);

/* The first slot of the chain in which what has this value is: key of volume or cookie, validator
 * without its NUL, or the bytes of an id. */
uint32_t names_chain(const struct names *names, enum names_index index, struct bytes value);

/* Takes the number of its open object away from a slot that may have one. */
void names_clear_id(struct names *names, uint32_t i);
