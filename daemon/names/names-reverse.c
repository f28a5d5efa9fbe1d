/* SPDX-License-Identifier: MIT */
/* Back from things to names. */
#include "daemon/names/names-internal.h"

/* ---- open objects ------------------------------------------------------------------------- */

static uint32_t find_id(const struct names *n, uint32_t id)
{
	uint32_t i = names_chain(n, BY_ID, bytes_of(&id, sizeof(id)));

	while (i && n->slots[i].id != id)
		i = n->slots[i].links[BY_ID].next;
	return i;
}

bool names_bind(struct names *n, uint64_t now, struct bytes volume, struct bytes cookie,
		uint32_t id, uint64_t generation)
{
	uint32_t i = names_slot(n, volume, cookie, names_hash(n, volume, cookie));
	uint32_t other = find_id(n, id);

	/* Whoever had the id before has it no more, whether or not this name is remembered. */
	if (other)
		names_clear_id(n, other);
	if (!i || !slot_is_true(&n->slots[i], now))
		return false;
	names_clear_id(n, i);
	n->slots[i].id = id;
	n->slots[i].generation = generation;
	names_link(n, BY_ID, i);
	return true;
}

void names_unbind(struct names *n, uint32_t id, uint64_t generation)
{
	uint32_t i = find_id(n, id);

	if (i && n->slots[i].generation == generation)
		names_clear_id(n, i);
}

bool names_by_id(const struct names *n, uint64_t now, uint32_t id, uint64_t generation,
		 struct name *ret)
{
	uint32_t i = find_id(n, id);
	const struct slot *s = &n->slots[i];

	if (!i || !slot_is_true(s, now) || (generation && s->generation != generation))
		return false;
	slot_view(s, ret);
	return true;
}

/* ---- walks -------------------------------------------------------------------------------- */

static bool slot_has(const struct slot *s, enum names_index index, struct bytes value)
{
	if (index == BY_VOLUME)
		return bytes_equal(slot_volume(s), value);
	if (index == BY_COOKIE)
		return bytes_equal(slot_cookie(s), value);
	return bytes_equal(bytes_of(slot_validator(s), s->validator_len), value);
}

static size_t visit_slot(const struct slot *s, names_visit *visit, void *arg)
{
	struct name name;

	slot_view(s, &name);
	visit(arg, &name);
	return 1;
}

static size_t walk(const struct names *n, uint64_t now, enum names_index index, struct bytes value,
		   names_visit *visit, void *arg)
{
	uint32_t i = names_chain(n, index, value);
	size_t seen = 0;

	for (; i; i = n->slots[i].links[index].next)
		if (slot_is_true(&n->slots[i], now) && slot_has(&n->slots[i], index, value))
			seen += visit_slot(&n->slots[i], visit, arg);
	return seen;
}

size_t names_by_validator(const struct names *n, uint64_t now, const char *validator,
			  names_visit *visit, void *arg)
{
	return walk(n, now, BY_VALIDATOR, bytes_str(validator), visit, arg);
}

size_t names_by_volume(const struct names *n, uint64_t now, struct bytes volume, names_visit *visit,
		       void *arg)
{
	return walk(n, now, BY_VOLUME, volume, visit, arg);
}

size_t names_by_cookie(const struct names *n, uint64_t now, struct bytes cookie, names_visit *visit,
		       void *arg)
{
	return walk(n, now, BY_COOKIE, cookie, visit, arg);
}

size_t names_each(const struct names *n, uint64_t now, names_visit *visit, void *arg)
{
	size_t seen = 0;

	for (uint32_t i = n->slots[0].older; i; i = n->slots[i].older)
		if (slot_is_true(&n->slots[i], now))
			seen += visit_slot(&n->slots[i], visit, arg);
	return seen;
}
