/* SPDX-License-Identifier: MIT */
#include "daemon/prefetch/ranges.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/util/checked.h"
#include "proto/plan.h"

void ranges_clear(struct ranges *r)
{
	for (size_t i = 0; i < r->n_objects; i++)
		free((void *)r->objects[i].volume.data);
	free(r->objects);
	free(r->list);
	free(r->spans);
	*r = (struct ranges){ 0 };
}

/* ---- objects ------------------------------------------------------------------------------ */

int64_t ranges_find(const struct ranges *r, struct bytes volume, struct bytes cookie)
{
	/* Plans go on with the object of the range before, mostly. */
	for (size_t i = r->n_objects; i-- > 0;)
		if (bytes_equal(r->objects[i].cookie, cookie) &&
		    bytes_equal(r->objects[i].volume, volume))
			return (int64_t)i;
	return -ENOENT;
}

/* Room for one more of n elements, which doubles. */
static int grow(void **array, size_t n, size_t element)
{
	void *more;

	if (n > 0 && (n & (n - 1)) != 0)
		return 0;
	more = reallocarray(*array, n ? 2 * n : 1, element);
	if (!more)
		return -ENOMEM;
	*array = more;
	return 0;
}

static int64_t add_object(struct ranges *r, struct bytes volume, struct bytes cookie)
{
	uint8_t *own;

	if (r->n_objects == RANGES_OBJECTS_MAX)
		return -E2BIG;
	if (grow((void **)&r->objects, r->n_objects, sizeof(*r->objects)) < 0)
		return -ENOMEM;
	own = malloc(volume.len + cookie.len + 1);
	if (!own)
		return -ENOMEM;
	memcpy(own, volume.data, volume.len);
	memcpy(own + volume.len, cookie.data, cookie.len);
	r->objects[r->n_objects] = (struct ranges_object){
		.volume = bytes_of(own, volume.len),
		.cookie = bytes_of(own + volume.len, cookie.len),
		.size = UINT64_MAX,
	};
	return (int64_t)r->n_objects++;
}

/* ---- ranges ------------------------------------------------------------------------------- */

static void cut(const struct ranges *r, struct range *range)
{
	uint64_t size = r->objects[range->object].size;

	if (range->off >= size)
		range->len = 0;
	else
		range->len = min_u64(range->len, size - range->off);
}

static void sum_up(struct ranges *r)
{
	r->bytes = 0;
	for (size_t i = 0; i < r->n; i++) {
		r->list[i].before = r->bytes;
		if (!add_u64(r->bytes, r->list[i].len, &r->bytes))
			r->bytes = UINT64_MAX;
	}
}

int ranges_add(struct ranges *r, struct bytes volume, struct bytes cookie, uint64_t off,
	       uint64_t len)
{
	int64_t object = ranges_find(r, volume, cookie);
	struct range *range;

	if (volume.len > PLAN_KEY_MAX || cookie.len > PLAN_KEY_MAX || cookie.len == 0)
		return -EINVAL;
	if (r->n == RANGES_MAX)
		return -E2BIG;
	if (object < 0)
		object = add_object(r, volume, cookie);
	if (object < 0)
		return (int)object;
	if (grow((void **)&r->list, r->n, sizeof(*r->list)) < 0)
		return -ENOMEM;
	range = &r->list[r->n++];
	*range = (struct range){ .object = (uint32_t)object, .off = off, .len = len };
	cut(r, range);
	range->before = r->bytes;
	if (!add_u64(r->bytes, range->len, &r->bytes))
		r->bytes = UINT64_MAX;
	r->stale = true;
	return 0;
}

void ranges_set_size(struct ranges *r, uint32_t object, uint64_t size)
{
	if (r->objects[object].size == size)
		return;
	r->objects[object].size = size;
	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].object == object)
			cut(r, &r->list[i]);
	sum_up(r);
	r->stale = true;
}

/* A range of a size that was given ends where it says, as far as anybody knows. */
bool ranges_known(const struct ranges *r)
{
	return r->bytes < OBJECT_SIZE_MAX;
}

/* ---- spans -------------------------------------------------------------------------------- */

static int by_place(const void *va, const void *vb)
{
	const struct ranges_span *a = va, *b = vb;

	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	return a->from < b->from ? -1 : a->from > b->from;
}

static uint64_t end_of(const struct range *range)
{
	uint64_t end;

	return add_u64(range->off, range->len, &end) ? end : UINT64_MAX;
}

static int make_spans(struct ranges *r)
{
	struct ranges_span *spans = calloc(r->n ? r->n : 1, sizeof(*spans));
	size_t n = 0;

	if (!spans)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		spans[i] = (struct ranges_span){ r->list[i].object, r->list[i].off,
						 end_of(&r->list[i]) };
	if (r->n > 0)
		qsort(spans, r->n, sizeof(*spans), by_place);
	for (size_t i = 0; i < r->n; i++) {
		struct ranges_span *last = n > 0 ? &spans[n - 1] : NULL;

		if (last && last->object == spans[i].object && spans[i].from <= last->to)
			last->to = max_u64(last->to, spans[i].to);
		else
			spans[n++] = spans[i];
	}
	free(r->spans);
	r->spans = spans;
	r->n_spans = n;
	r->stale = false;
	return 0;
}

bool ranges_meet(struct ranges *r, uint32_t object, uint64_t from, uint64_t to)
{
	size_t low = 0, high;

	if (r->stale && make_spans(r) < 0)
		return true;
	/* The first span that does not end before `from`. */
	for (high = r->n_spans; low < high;) {
		size_t mid = low + (high - low) / 2;
		const struct ranges_span *span = &r->spans[mid];

		if (span->object < object || (span->object == object && span->to < from))
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->n_spans && r->spans[low].object == object && r->spans[low].from <= to;
}
