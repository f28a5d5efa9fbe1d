/* SPDX-License-Identifier: MIT */
/*
 * So many lines of the log in so much time: whoever can make a daemon complain must not fill a disk
 * with that. What is left out is counted, and told with the next line that is not. For
 * daemon/util/log.c; of any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_LINES = 1000, LOG_LIMIT_SECONDS = 10 };

struct log_limit {
	uint64_t period; /* the one that we count in, from 1; 0: none so far */
	unsigned int lines, left_out;
};

/* now: seconds, of a clock that does not go back. false: the line is left out. *ret_left_out: how
 * many were, before this one, since somebody was told. */
static inline bool log_limit_take(struct log_limit *limit, uint64_t now, unsigned int *ret_left_out)
{
	uint64_t period = now / LOG_LIMIT_SECONDS + 1;

	*ret_left_out = 0;
	if (__atomic_exchange_n(&limit->period, period, __ATOMIC_RELAXED) != period) {
		__atomic_store_n(&limit->lines, 0, __ATOMIC_RELAXED);
		*ret_left_out = __atomic_exchange_n(&limit->left_out, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_add_fetch(&limit->lines, 1, __ATOMIC_RELAXED) <= LOG_LIMIT_LINES)
		return true;
	__atomic_add_fetch(&limit->left_out, 1, __ATOMIC_RELAXED);
	return false;
}
