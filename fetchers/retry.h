/* SPDX-License-Identifier: MIT */
/*
 * Tries again what may succeed a little later, in front of any fetcher: exponential backoff with
 * full jitter, never before the origin wants to be asked again, never after the request's deadline.
 * A read goes on at the first byte that has not come yet; a look whose bytes were cut off asks for
 * fewer of them.
 *
 * All requests of an instance share a budget of tries, so that an origin that fails is asked less
 * often, and not more: so many at once, then so many in a second, and one more for each request
 * that succeeds.
 */
#pragma once

#include "fetchers/fetcher.h"

struct retry_config {
	unsigned int retries; /* after the first try; those that brought enough do not count */
	uint64_t backoff; /* ns: the first wait is up to so long, each further one up to twice */
	uint64_t backoff_max; /* ns */
	uint64_t seed;	      /* of the jitter; 0: by chance */
};

/* What a request without a deadline gets. */
#define RETRY_PATIENCE (60 * NSEC_PER_SEC)

#define RETRY_BURST    16		  /* tries at once */
#define RETRY_INTERVAL (NSEC_PER_SEC / 4) /* between those that follow */
#define RETRY_ENOUGH   ((size_t)64 << 10) /* bytes, of a read that was cut off */

/* Takes next, but not where it fails: -ENOMEM. */
int retry_new(struct fetcher **ret, struct loop *loop, struct fetcher *next,
	      const struct retry_config *config);
