/* SPDX-License-Identifier: MIT */
/*
 * What a job is to fetch: ranges of objects, in this order, and how far that is. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

enum {
	RANGES_MAX = 8192,
	RANGES_OBJECTS_MAX = 1024,
};

struct ranges_object {
	struct bytes volume, cookie; /* owned, in one piece: volume.data */
	uint64_t size;		     /* UINT64_MAX: nobody has told */
};

struct range {
	uint32_t object;
	uint64_t off, len; /* bytes; the size of its object cuts them once it is known */
	uint64_t before;   /* bytes of all ranges before it */
};

/* Of all ranges, those of one object by offset, and none touch. */
struct ranges_span {
	uint32_t object;
	uint64_t from, to;
};

struct ranges {
	struct ranges_object *objects; /* owned */
	size_t n_objects;
	struct range *list; /* owned */
	size_t n;
	struct ranges_span *spans; /* owned; of the list, unless it is `stale` */
	size_t n_spans;
	bool stale;
	uint64_t bytes; /* of all ranges; meaningless while a size is unknown that one needs */
};

void ranges_clear(struct ranges *ranges);

/* One more, of bytes [off, off + len), which may lie behind the end. -E2BIG: there are too many;
 * -EINVAL: no such key; -ENOMEM. */
int ranges_add(struct ranges *ranges, struct bytes volume, struct bytes cookie, uint64_t off,
	       uint64_t len);

/* The object of a range has this size. */
void ranges_set_size(struct ranges *ranges, uint32_t object, uint64_t size);

/* All sizes are known that `bytes` needs. */
bool ranges_known(const struct ranges *ranges);

/* The number of an object; -ENOENT: no range is of it. */
int64_t ranges_find(const struct ranges *ranges, struct bytes volume, struct bytes cookie);

/* Some range of the object has a byte of [from, to), or touches it. Without memory for that: yes.
 */
bool ranges_meet(struct ranges *ranges, uint32_t object, uint64_t from, uint64_t to);
