/* SPDX-License-Identifier: MIT */
/*
 * An image's own plan: what to fetch of it first. Its ranges are of the image's objects, which
 * their cookies name; the volume of a line says nothing, since each host may have another one. In a
 * manifest, the annotation IMAGE_PLAN_NOTE has it as
 *
 *	LAYER:OFFSET+LENGTH ...
 *
 * with blanks between them and the layers counted from 0. Whatever is wrong with either is told in
 * `error`, of CONTEXT_ERROR_MAX bytes. Pure, but for image_plan_read().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/images/images.h"
#include "proto/plan.h"

#define IMAGE_PLAN_NOTE	    "io.cachefilld.plan"
#define IMAGE_PLAN_NOTE_MAX (256u << 10)

struct image_plan_object {
	const char *cookie;
	uint64_t size;
};

struct image_plan {
	char *text; /* owned: its lines alone, without a volume */
	size_t n;
	uint64_t bytes; /* of all ranges */
	size_t foreign; /* ranges that were of other objects */
};

void image_plan_end(struct image_plan *plan);

/* All objects of an image, of which each has one: to be freed; NULL: no memory. */
struct image_plan_object *image_plan_objects(const struct images_image *image, size_t *ret_n);

/* -EINVAL: there is something wrong with it, or no range of these objects; -ENOMEM. */
int image_plan_check(struct image_plan *ret, const char *text, size_t len,
		     const struct image_plan_object *objects, size_t n, char *error);

/* The same of an annotation; objects: those of the layers, in their order. */
int image_plan_of_note(struct image_plan *ret, const char *note,
		       const struct image_plan_object *objects, size_t n, char *error);

/* And the other way round: to be freed. -EINVAL: it is too long; -ENOMEM. */
int image_plan_make_note(char **ret, const struct image_plan *plan,
			 const struct image_plan_object *objects, size_t n, char *error);

/* The next range of a text that was checked, from *text on, which goes on behind it; false: there
 * are no more. */
bool image_plan_next(const char **text, struct plan_range *ret);

/* A file as a whole, to be freed; "-": standard input. -EFBIG: it is none, by its size. */
int image_plan_read(const char *path, char **ret, size_t *ret_len, char *error);
