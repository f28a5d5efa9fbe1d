/* SPDX-License-Identifier: MIT */
/*
 * What a replay reads from: the engine's sources, and a way to know what their bytes should be.
 */
#pragma once

#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/engine/engine.h"
#include "daemon/replay/catalog.h"

struct replay_origin {
	struct loop *loop;		      /* borrowed */
	struct catalog *catalog;	      /* borrowed */
	struct engine_source_config *sources; /* owned, and their fetchers */
	size_t n_sources;
	/* A second instance of each fetcher, to read again what was stored; owned. NULL: the bytes
	 * are those of origin_computed(). */
	struct fetcher **again;
	bool local;	       /* no network: may be used in virtual time */
	struct config *config; /* owned, or NULL */
	char *template;	       /* owned */
};

/*
 * Each resolves the catalog by its rules. error: CATALOG_ERROR_MAX bytes. Sources have the
 * defaults of the configuration, which the caller may change.
 */

/* Computed bytes, sizes and failures of opens as in the trace. */
int origin_synthetic_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
			 char *error);
/* The locators that the trace has, without secrets, hence without credentials. */
int origin_recorded_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
			char *error);
/* A locator template, or a directory, which stands for DIR/{cookie}. */
int origin_template_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
			const char *template, char *error);
/* The sources of a cachefilld.conf(5). */
int origin_config_new(struct replay_origin **ret, struct loop *loop, struct catalog *catalog,
		      const char *file, char *error);
struct replay_origin *origin_free(struct replay_origin *origin);

/* The bytes [off, off + len) of an object of the synthetic origin. */
void origin_computed(const struct catalog_object *object, const struct catalog_version *version,
		     void *buf, size_t len, uint64_t off);

/* ---- between the origins ------------------------------------------------------------------ */

/* With n sources, all zero but for their defaults, of the two kinds of fetcher. */
int origin_make(struct replay_origin **ret, struct loop *loop, struct catalog *catalog, size_t n,
		bool again, char *error);
/* After the rules are known. */
int origin_resolve(struct replay_origin *origin, char *error);

int synthetic_fetcher_new(struct fetcher **ret, struct loop *loop, struct catalog *catalog);
int recorded_fetcher_new(struct fetcher **ret, struct loop *loop, struct catalog *catalog);
/* All locators of the trace name files. */
bool recorded_is_local(const struct catalog *catalog);
