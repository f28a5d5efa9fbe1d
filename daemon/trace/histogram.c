/* SPDX-License-Identifier: MIT */
#include "daemon/trace/histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"

#define STEP_BITS 5
_Static_assert(1 << STEP_BITS == HISTOGRAM_STEPS, "bits of a step");

void histogram_deinit(struct histogram *histogram)
{
	free(histogram->at);
	*histogram = (struct histogram){ .n = 0 };
}

/* ---- buckets ----------------------------------------------------------------------------- */

/* The six highest bits of a value, and how far they are from the lowest. */
uint32_t histogram_bucket(uint64_t value)
{
	unsigned int shift;

	if (value < 2 * HISTOGRAM_STEPS)
		return (uint32_t)value;
	shift = 63 - (unsigned int)__builtin_clzll(value) - STEP_BITS;
	return shift * HISTOGRAM_STEPS + (uint32_t)(value >> shift);
}

static unsigned int shift_of(uint32_t number)
{
	return number < 2 * HISTOGRAM_STEPS ? 0 : number / HISTOGRAM_STEPS - 1;
}

uint64_t histogram_low(uint32_t number)
{
	unsigned int shift = shift_of(number);

	return (uint64_t)(number - shift * HISTOGRAM_STEPS) << shift;
}

uint64_t histogram_high(uint32_t number)
{
	return histogram_low(number) + (((uint64_t)1 << shift_of(number)) - 1);
}

/* ---- counting ---------------------------------------------------------------------------- */

static size_t find(const struct histogram *histogram, uint32_t number)
{
	size_t low = 0, high = histogram->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (histogram->at[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int insert(struct histogram *histogram, size_t at, uint32_t number)
{
	if (histogram->n == histogram->allocated) {
		size_t n = histogram->allocated ? 2 * histogram->allocated : 2;
		struct histogram_bucket *grown =
			reallocarray(histogram->at, n, sizeof(struct histogram_bucket));

		if (!grown)
			return -ENOMEM;
		histogram->at = grown;
		histogram->allocated = n;
	}
	memmove(histogram->at + at + 1, histogram->at + at,
		(histogram->n - at) * sizeof(*histogram->at));
	histogram->at[at] = (struct histogram_bucket){ .number = number };
	histogram->n++;
	return 0;
}

int histogram_add(struct histogram *histogram, uint64_t value)
{
	uint32_t number = histogram_bucket(value);
	size_t at = find(histogram, number);
	int r = 0;

	if (at == histogram->n || histogram->at[at].number != number)
		r = insert(histogram, at, number);
	if (r < 0)
		return r;
	histogram->at[at].count++;
	histogram->min = histogram->count == 0 ? value : min_u64(histogram->min, value);
	histogram->max = max_u64(histogram->max, value);
	histogram->count++;
	if (!add_u64(histogram->sum, value, &histogram->sum))
		histogram->sum = UINT64_MAX;
	return 0;
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned int part)
{
	uint64_t rank = (uint64_t)(((__uint128_t)histogram->count * part + 9999) / 10000);
	uint64_t seen = 0;

	for (size_t i = 0; i < histogram->n; i++) {
		seen += histogram->at[i].count;
		if (seen >= rank)
			return min_u64(histogram_high(histogram->at[i].number), histogram->max);
	}
	return histogram->max;
}
