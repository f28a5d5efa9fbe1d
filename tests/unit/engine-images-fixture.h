/* SPDX-License-Identifier: MIT */
/*
 * The rig with a catalog of images: a store on disk, whose images one scripted fetcher serves, and
 * mounts of them.
 */
#pragma once

#include <check.h>

#include "daemon/image-catalog.h"
#include "daemon/images/images.h"
#include "tests/lib/rig.h"

#define IMAGES "erofs,img" /* the volume that is the catalog's */

/* The daemon's of now. */
extern struct origins *origins;
extern struct image_catalog *catalog;

/* A case, which is the suite's: each test begins with an empty directory and with a rig that is
 * set up, and ends both. */
TCase *images_case(Suite *s);

/* More text of the configuration; before rig_begin(). */
void configure(const char *more);

/* The next daemon, after an orderly end and after a sudden one. */
void restart(void);
void kill_and_restart(void);

/* ---- the store --------------------------------------------------------------------------- */

/* For writing, as a tool does; images_close() is the test's. */
struct images *open_store(void);

/* An image of the cookie's name, of one object. */
void add_image(const char *cookie, const struct fake_origin *origin);
void add_image_as(const char *cookie, const struct fake_origin *origin, const char *validator,
		  bool whole);
void drop_image(const char *cookie);

/* Its file is no more, and is full of junk. */
void unlink_store(void);
void spoil_store(void);

/* ---- mounts ------------------------------------------------------------------------------ */

/* An object at the origin; its bytes are those of the seed. */
struct fake_origin *serve(const char *locator, uint64_t size, uint64_t seed);

/* A mount, when the open has been answered. */
struct emu_mount *mount_in(const char *volume, const char *cookie,
			   const struct fake_origin *origin);
/* In the catalog's volume: one that succeeds, and the error of one that fails. */
struct emu_mount *mount_image(const char *cookie, const struct fake_origin *origin);
int mount_error(const char *cookie, const struct fake_origin *origin);

/* Mounts it, reads all of it, which the kernel compares with the origin's bytes, and lets go. */
void read_all(const char *cookie, const struct fake_origin *origin);

/* Bytes of it that are in the cache. */
uint64_t present(const char *cookie);
