/* SPDX-License-Identifier: MIT */
#include "daemon/trace/intervals.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"

static void set_n(struct intervals *set, size_t n)
{
	if (set->budget)
		set->budget->used = set->budget->used - set->n + n;
	set->n = n;
}

void intervals_deinit(struct intervals *set)
{
	set_n(set, 0);
	free(set->at);
	set->at = NULL;
	set->allocated = 0;
	set->total = set->joined = 0;
}

/* Index of the first interval that ends at or behind `value`; n when there is none. */
static size_t find(const struct intervals *set, uint64_t value)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (set->at[mid].end < value)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- bounded memory ---------------------------------------------------------------------- */

/* Joins neighbours that are at most `gap` apart, from the front, until `keep` are left. */
static void join_near(struct intervals *set, uint64_t gap, size_t keep)
{
	size_t left = set->n, to = 0;

	for (size_t i = 1; i < set->n; i++) {
		uint64_t between = set->at[i].begin - set->at[to].end;

		if (left > keep && between <= gap) {
			set->at[to].end = set->at[i].end;
			set->total += between;
			set->joined += between;
			left--;
		} else {
			set->at[++to] = set->at[i];
		}
	}
	set_n(set, to + 1);
}

/* To three quarters, so that the next of these is far away. */
static void coarsen(struct intervals *set)
{
	size_t keep = set->n / 4 * 3;

	for (uint64_t gap = 1; set->n > keep && gap; gap *= 2)
		join_near(set, gap, keep);
	if (set->n > keep)
		join_near(set, UINT64_MAX, keep);
}

/* Whether one more interval is one too many. */
static bool is_full(const struct intervals *set)
{
	if (set->n >= INTERVALS_MAX)
		return true;
	return set->n >= INTERVALS_FEW && set->budget && set->budget->used >= set->budget->max;
}

static int reserve(struct intervals *set)
{
	size_t n = set->allocated ? 2 * set->allocated : 2;
	struct interval *at;

	if (set->n < set->allocated)
		return 0;
	at = reallocarray(set->at, n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	set->at = at;
	set->allocated = n;
	return 0;
}

/* ---- adding and removing ----------------------------------------------------------------- */

/* Puts `with` in the place of the n intervals from `at` on. There is room. */
static void replace(struct intervals *set, size_t at, size_t n, const struct interval *with,
		    size_t n_with)
{
	memmove(set->at + at + n_with, set->at + at + n, (set->n - at - n) * sizeof(*set->at));
	if (n_with > 0)
		memcpy(set->at + at, with, n_with * sizeof(*with));
	set_n(set, set->n - n + n_with);
}

int intervals_add(struct intervals *set, uint64_t begin, uint64_t end, uint64_t *ret)
{
	struct interval with = { begin, end };
	uint64_t added;
	size_t first, last;
	int r;

	if (ret)
		*ret = 0;
	if (begin >= end)
		return 0;
	added = end - begin;
	first = find(set, begin);
	for (last = first; last < set->n && set->at[last].begin <= end; last++) {
		added -= min_u64(end, set->at[last].end) - max_u64(begin, set->at[last].begin);
		with.begin = min_u64(with.begin, set->at[last].begin);
		with.end = max_u64(with.end, set->at[last].end);
	}
	if (first == last) {
		r = reserve(set);
		if (r < 0)
			return r;
	}
	replace(set, first, last - first, &with, 1);
	set->total += added;
	if (ret)
		*ret = added;
	if (is_full(set))
		coarsen(set);
	return 0;
}

int intervals_remove(struct intervals *set, uint64_t begin, uint64_t end, uint64_t *ret)
{
	struct interval rest[2];
	size_t first = find(set, begin), last, n = 0;
	uint64_t removed = 0;
	int r = reserve(set); /* for the one that may be cut in two */

	if (ret)
		*ret = 0;
	if (r < 0 || begin >= end)
		return r;
	for (last = first; last < set->n && set->at[last].begin < end; last++) {
		const struct interval *i = &set->at[last];

		removed += min_u64(end, i->end) - min_u64(i->end, max_u64(begin, i->begin));
		if (i->begin < begin)
			rest[n++] = (struct interval){ i->begin, min_u64(begin, i->end) };
		if (i->end > end)
			rest[n++] = (struct interval){ end, i->end };
	}
	assert(n <= 2);
	replace(set, first, last - first, rest, n);
	set->total -= removed;
	if (ret)
		*ret = removed;
	if (is_full(set))
		coarsen(set);
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------ */

uint64_t intervals_covered(const struct intervals *set, uint64_t begin, uint64_t end)
{
	uint64_t covered = 0;

	if (begin >= end)
		return 0;
	for (size_t i = find(set, begin); i < set->n && set->at[i].begin < end; i++)
		covered += min_u64(end, set->at[i].end) -
			   min_u64(set->at[i].end, max_u64(begin, set->at[i].begin));
	return covered;
}

struct interval intervals_gap(const struct intervals *set, uint64_t *begin, uint64_t end)
{
	struct interval gap = { *begin, end };
	size_t i = find(set, *begin);

	for (; i < set->n && set->at[i].begin <= gap.begin; i++)
		gap.begin = max_u64(gap.begin, set->at[i].end);
	if (gap.begin >= end) {
		*begin = end;
		return (struct interval){ end, end };
	}
	if (i < set->n)
		gap.end = min_u64(end, set->at[i].begin);
	*begin = gap.end;
	return gap;
}
