/* SPDX-License-Identifier: MIT */
/*
 * What the commands about space in the cache share, see cachefillctl-cache(1).
 */
#pragma once

#include "daemon/ctl/context.h"
#include "daemon/space/survey.h"
#include "daemon/util/verified.h"

struct state_records;

/* Objects that an argument names. */
struct cache_objects {
	struct cache_key {
		struct bytes volume, cookie; /* owned, in one piece: volume.data */
		uint64_t size;		     /* bytes; 0: not known, of no image */
	} * keys;			     /* owned */
	size_t n;
	bool image;  /* all of this image; otherwise one object */
	bool pinned; /* the image is */
};

/*
 * The image of that name, else VOLUME/COOKIE as everything prints it, with \xNN for what is not
 * printable. CTL_FAILED with the error printed.
 */
int cache_objects(struct context *context, const char *argument, struct cache_objects *ret);
void cache_objects_end(struct cache_objects *objects);

/* Those of an image. -ENOMEM; to be ended in any case. */
int cache_image(struct context *context, const struct images_image *image,
		struct cache_objects *ret);

/* What is in the cache directory of the configuration, marked by the store (which may be missing),
 * those first that go first. CTL_FAILED with the error printed. */
int cache_survey(struct context *context, struct survey **ret);

/* What the daemon has on record of what is cached, to be closed; NULL: nothing, or no memory. */
struct state_records *cache_records(struct context *context);

/* How far what is cached of an object is verified, by its record (records may be NULL); or else, as
 * far as the store knows it, what its image promises. */
enum verified cache_verified(struct context *context, struct state_records *records,
			     struct bytes volume, struct bytes cookie);

/* "VOLUME/COOKIE"; returns buf, of CACHE_NAME_MAX bytes for all of any. */
#define CACHE_NAME_MAX 2100
char *cache_name(struct bytes volume, struct bytes cookie, char *buf, size_t n);

int ctl_du(int argc, char *argv[]);
int ctl_pin(int argc, char *argv[]);
int ctl_unpin(int argc, char *argv[]);
