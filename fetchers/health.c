/* SPDX-License-Identifier: MIT */
#include "fetchers/health.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/util/checked.h"

#define SMOOTHING    8			  /* a new sample counts for an eighth: RFC 6298, 2.3 */
#define MEASURED_MIN ((uint64_t)32 << 10) /* fewer bytes say nothing about a bandwidth */

bool health_usable(const struct fetch_health *h, uint64_t now)
{
	return h->state == HEALTH_WORKS ||
	       (h->state == HEALTH_AVOIDED_NOW && h->avoided_until <= now);
}

void health_begin(struct fetch_health *h, uint64_t now)
{
	if (h->state == HEALTH_AVOIDED_NOW && h->avoided_until <= now)
		h->state = HEALTH_PROBED;
}

bool health_is_ours(int err)
{
	return err == -ECANCELED || err == -ENOMEM || err == -EMFILE;
}

bool health_is_failure(int err)
{
	return !health_is_ours(err) && (fetch_may_pass(err) || err == -EIO || err == -EPROTO);
}

static void avoid(struct fetch_health *h, uint64_t now, uint64_t retry_after)
{
	h->avoided_for = h->state == HEALTH_WORKS ? HEALTH_AVOIDED
						  : min_u64(2 * h->avoided_for, HEALTH_AVOIDED_MAX);
	h->avoided_until = now + max_u64(h->avoided_for, retry_after);
	h->state = HEALTH_AVOIDED_NOW;
}

static void note(struct fetch_health *h, uint64_t now, int err, const char *error)
{
	h->last_err = err;
	h->failed_at = now;
	snprintf(h->last_error, sizeof(h->last_error), "%s", error);
}

void health_end(struct fetch_health *h, uint64_t now, int err, uint64_t retry_after,
		const char *error)
{
	/* The probe was of no use: the next request is one. */
	if (health_is_ours(err)) {
		if (h->state == HEALTH_PROBED)
			h->state = HEALTH_AVOIDED_NOW;
		return;
	}
	h->requests++;
	if (!health_is_failure(err)) {
		h->state = HEALTH_WORKS;
		h->failures = 0;
		return;
	}
	note(h, now, err, error);
	h->failed++;
	h->failures++;
	/* Others that were on their way say nothing new. */
	if (h->state == HEALTH_PROBED ||
	    (h->state == HEALTH_WORKS && (h->failures >= HEALTH_FAILURES || retry_after > 0)))
		avoid(h, now, retry_after);
}

static uint64_t smooth(uint64_t old, uint64_t sample)
{
	return old == 0 ? sample : old - old / SMOOTHING + sample / SMOOTHING;
}

void health_answered(struct fetch_health *h, uint64_t ns)
{
	h->rtt = smooth(h->rtt, ns);
}

void health_received(struct fetch_health *h, uint64_t bytes, uint64_t ns)
{
	if (bytes >= MEASURED_MIN && ns > 0)
		h->bandwidth = smooth(h->bandwidth, (uint64_t)((double)bytes * 1e9 / (double)ns));
}
