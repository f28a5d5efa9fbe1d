/* SPDX-License-Identifier: MIT */
/*
 * The store of images in a directory of its own, and images to put into it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/images/images.h"
#include "tests/unit/database-fixture.h"

extern char reason[IMAGES_ERROR_MAX]; /* what the last call that failed has said */

/* Fixture, whose end is database_teardown(). */
void images_setup(void);

struct images *open_images(enum images_access access);

/* ---- images to put in: borrowed text ------------------------------------------------------- */

struct images_object object_of(const char *cookie, uint64_t size);
struct images_layer layer_of(const char *cookie, uint64_t size);
struct images_image image_of(const char *name, struct images_layer *layers, size_t n);

/* One layer of one object. */
int put(struct images *images, const char *name, const char *cookie, uint64_t size);

/* ---- what is in ---------------------------------------------------------------------------- */

/* The size on record, or a negative errno. */
int64_t find(struct images *images, const char *cookie);

/* Which has to be there; owned by the caller. */
struct images_image *get(struct images *images, const char *name);
