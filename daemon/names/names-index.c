/* SPDX-License-Identifier: MIT */
/* Chains of slots that have something in common. */
#include <xxhash.h>

#include "daemon/names/names-internal.h"

/* The same bytes have another hash in each index. */
static uint32_t value_hash(const struct names *names, enum names_index index, struct bytes value)
{
	return (uint32_t)XXH3_64bits_withSeed(value.data, value.len, names->seed + index);
}

uint32_t names_hash(const struct names *names, struct bytes volume, struct bytes cookie)
{
	XXH64_hash_t first = XXH3_64bits_withSeed(volume.data, volume.len, names->seed);

	return (uint32_t)XXH3_64bits_withSeed(cookie.data, cookie.len, first);
}

static uint32_t *head(const struct names *names, enum names_index index, uint32_t hash)
{
	return &names->heads[(size_t)index * (names->mask + (size_t)1) + (hash & names->mask)];
}

static uint32_t slot_hash(const struct names *names, enum names_index index, const struct slot *s)
{
	switch (index) {
	case BY_KEY:
		return s->hash;
	case BY_VOLUME:
		return value_hash(names, index, slot_volume(s));
	case BY_COOKIE:
		return value_hash(names, index, slot_cookie(s));
	case BY_VALIDATOR:
		return value_hash(names, index, bytes_of(slot_validator(s), s->validator_len));
	default:
		return value_hash(names, index, bytes_of(&s->id, sizeof(s->id)));
	}
}

uint32_t names_chain(const struct names *names, enum names_index index, struct bytes value)
{
	return *head(names, index, value_hash(names, index, value));
}

uint32_t names_slot(const struct names *names, struct bytes volume, struct bytes cookie,
		    uint32_t hash)
{
	uint32_t i = *head(names, BY_KEY, hash);

	for (; i; i = names->slots[i].links[BY_KEY].next) {
		const struct slot *s = &names->slots[i];

		if (s->hash == hash && bytes_equal(slot_volume(s), volume) &&
		    bytes_equal(slot_cookie(s), cookie))
			break;
	}
	return i;
}

void names_link(struct names *names, enum names_index index, uint32_t i)
{
	struct slot *s = &names->slots[i];
	uint32_t *first = head(names, index, slot_hash(names, index, s));

	s->links[index].prev = 0;
	s->links[index].next = *first;
	if (*first)
		names->slots[*first].links[index].prev = i;
	*first = i;
}

void names_unlink(struct names *names, enum names_index index, uint32_t i)
{
	struct slot *s = &names->slots[i];
	uint32_t prev = s->links[index].prev, next = s->links[index].next;

	if (prev)
		names->slots[prev].links[index].next = next;
	else
		*head(names, index, slot_hash(names, index, s)) = next;
	if (next)
		names->slots[next].links[index].prev = prev;
}
