/* SPDX-License-Identifier: MIT */
/*
 * Locator -> who fetches it. For what was found by a key the rules of the configuration say that;
 * the objects of images have locators of their own.
 *
 *   1. "tarmap:PATH;LOCATOR" is the device of a tar layer: who fetches LOCATOR, and a tarmap
 *      fetcher in front of that; so is "gunzip:", and "fs-verity:" for what is verified. Such
 *      decorators may stand in front of each other
 *   2. the source of the configuration whose fixed part, which is its template up to the first key,
 *      is the longest beginning of the locator
 *   3. an implicit source for scheme and host (or bucket, or all files), with the defaults of the
 *      configuration and no parameters of its fetcher
 *
 * Scheme and host are compared as URLs are; user names are not, nor file:///PATH with file:/PATH.
 * Of an oci template only whole directories of the repository count, since a reference may go on
 * with a tag or with a digest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/loop/loop.h"
#include "fetchers/fetcher.h"
#include "fetchers/health.h"

struct origins;

enum {
	ORIGINS_ERROR_MAX = 512,   /* bytes of a sentence without secrets */
	ORIGINS_IMPLICIT_MAX = 64, /* at the same time */
};

/* All borrowed, for the life of the origins. */
struct origin {
	uint32_t number;		    /* first those of the configuration, in their order */
	const struct config_source *source; /* name, template, limits */
	struct fetcher *fetcher; /* for this locator; of origins_get(): for what keys become */
};

/* The configuration is finished, and borrowed. No fetcher is made yet. -ENOMEM. */
int origins_new(struct origins **ret, struct loop *loop, const struct config *config);

/* Everything was detached. Takes NULL, returns NULL. */
struct origins *origins_free(struct origins *origins);

/*
 * The origin of a locator; its fetcher is made now, if need be. -EINVAL: it is no locator;
 * -EPROTONOSUPPORT: nobody fetches its scheme; -EMFILE: too many implicit sources; or what
 * making the fetcher says; each with a sentence in error.
 */
int origins_find(struct origins *origins, const char *locator, struct origin *ret, char *error);

/* The same, where there is no room for one more implicit source: one of them, from which nothing is
 * attached or asked for any more, is given up for it if it is needed. */
int origins_find_instead(struct origins *origins, uint32_t number, const char *locator,
			 struct origin *ret, char *error);

/* Whether a source of the configuration names the origin of a locator. Makes no fetcher. */
bool origins_is_named(struct origins *origins, const char *locator);

/*
 * How the origins do whose fetchers were made, by the number of their source: itself first, then
 * its alternatives; behind each the hosts among which it chooses (hosts.toml). Borrowed for the
 * call.
 */
typedef void origins_visit_health(void *arg, uint32_t source, const struct fetch_health *health);
void origins_each_health(const struct origins *origins, origins_visit_health *visit, void *arg);

/* One of those that exist: sources of the configuration, and implicit ones so far. Makes its
 * fetcher. What making it says, with a sentence in error. */
size_t origins_count(const struct origins *origins);
size_t origins_configured(const struct origins *origins);
int origins_get(struct origins *origins, size_t number, struct origin *ret, char *error);
