/* SPDX-License-Identifier: MIT */
/*
 * How often which values came, in buckets that grow with the value: below 64 each value has its
 * own, above that a bucket is 1/32 of its power of two wide. So a quantile is never too small, and
 * too large by at most 1/32, whatever comes; memory grows with the number of buckets that are in
 * use, to 30 KiB at most. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_STEPS 32 /* buckets per power of two */

struct histogram_bucket {
	uint32_t number;
	uint64_t count; /* > 0 */
};

/* Zero is empty. */
struct histogram {
	struct histogram_bucket *at; /* owned, sorted */
	size_t n, allocated;
	uint64_t count;
	uint64_t sum; /* of the values; stops at UINT64_MAX */
	uint64_t min, max;
};

void histogram_deinit(struct histogram *histogram);

/* 0 or -ENOMEM. */
int histogram_add(struct histogram *histogram, uint64_t value);

/*
 * The smallest value (as a bucket knows it) that `part` of 10000 values do not exceed: 5000 is the
 * median, 10000 the maximum. 0 when it is empty.
 */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned int part);

/* The bucket of a value, and the smallest and the largest value of a bucket. */
uint32_t histogram_bucket(uint64_t value);
uint64_t histogram_low(uint32_t number);
uint64_t histogram_high(uint32_t number);
