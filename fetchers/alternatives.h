/* SPDX-License-Identifier: MIT */
/*
 * One source at several origins, in order: the first that works is asked, and where it fails the
 * next one goes on, a read at the first byte that has not come yet. The first origin is the source
 * itself: what it says about an object (there is none, it is forbidden, it has changed) counts, and
 * nobody else is asked.
 *
 * Bytes of two origins are never mixed unless they are those of one version. An ETag of one server
 * says nothing about those of another. So an alternative is asked only for what is named by its
 * content (a SHA-256 in the locator), or where the configuration says that it can be trusted; it
 * has to have the same size, and where both tell a digest, the same one. An object that is found to
 * be different is not read there any more. What is read of an origin is pinned by its own
 * validator.
 *
 * An identity that was learnt at an alternative begins with "via:HASH;", a hash of its template's
 * fixed part: its validator means nothing to any other.
 */
#pragma once

#include "fetchers/fetcher.h"
#include "fetchers/health.h"

#define ALTERNATIVES_MAX 8 /* origins, with the source itself */

struct alternative {
	const char *prefix;	 /* what its locators begin with, instead of that of the first */
	struct fetcher *fetcher; /* taken */
};

/* The fetchers are taken, but not where it fails: -ENOMEM. trusted: also for what is not named by
 * its content. */
int alternatives_new(struct fetcher **ret, struct loop *loop, const struct alternative *origins,
		     size_t n, bool trusted);

/* How they do, in their order, and who they are; borrowed. */
size_t alternatives_count(const struct fetcher *fetcher);
const struct fetch_health *alternatives_health(const struct fetcher *fetcher, size_t i);
const struct fetcher *alternatives_fetcher(const struct fetcher *fetcher, size_t i);
