/* SPDX-License-Identifier: MIT */
/*
 * Images for the engine. What is opened in the domain of images is looked for in the store, which
 * knows content and place, and in the origins, which know who fetches from there; an origin that
 * the configuration does not name becomes one more source of the engine.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/images/follow.h"
#include "daemon/origins.h"

struct image_catalog;

/* Spare sources that an engine with this catalog needs. */
#define IMAGE_CATALOG_SPARE ORIGINS_IMPLICIT_MAX

/*
 * For one engine, whose sources are those of the configuration of `origins`, in their order. The
 * store is that of state_dir. origins is borrowed, the rest is copied. -ENOMEM.
 */
int image_catalog_new(struct image_catalog **ret, const char *state_dir, const char *domain,
		      struct origins *origins);

/* After the engine. Takes NULL, returns NULL. */
struct image_catalog *image_catalog_free(struct image_catalog *catalog);

/* For struct engine_config; lives as long as the catalog. */
struct engine_catalog *image_catalog_of(struct image_catalog *catalog);

/* What fetchers may recall of the store: for loop_set_host(), as long as the catalog lives. */
struct fetch_notes *image_catalog_notes(struct image_catalog *catalog);

/* An origin as the engine wants it: its limits, and its rule where it has one. */
struct engine_source_config image_catalog_source(const struct origin *origin);

/* For who looks: as images_follow_list(). */
int image_catalog_list(struct image_catalog *catalog, int64_t after, size_t limit,
		       images_visit_summary *visit, void *to);
