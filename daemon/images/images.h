/* SPDX-License-Identifier: MIT */
/*
 * The images that this host knows: what each consists of, and where its objects lie. One SQLite
 * database in the state directory, images.db. cachefillctl writes it; the daemon reads it, to learn
 * from an object's cookie what to fetch.
 *
 * A cookie is the name of a content, never of a place. So one object may be of many images, it has
 * the same size in all of them, and each may have it from a place of its own.
 *
 * All calls are synchronous. Errors that a person should read are sentences in `error`, of
 * IMAGES_ERROR_MAX bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

struct images;

enum {
	IMAGES_ERROR_MAX = 256,
	IMAGES_COOKIE_MAX = 128,    /* with its NUL, as the next two */
	IMAGES_LOCATOR_MAX = 4096,  /* what state.db takes */
	IMAGES_VALIDATOR_MAX = 256, /* the same */
	IMAGES_HINT_NAME_MAX = 512,
	IMAGES_HINT_MAX = 2048,	   /* a text */
	IMAGES_HINTS_MAX = 256,	   /* that are kept */
	IMAGES_PLAN_MAX = 1 << 20, /* bytes of a plan */
};

enum images_access {
	IMAGES_READ,
	IMAGES_WRITE,
};

/* Text is never NULL; it may be "" but for cookie and locator. It belongs to whoever made it. */
struct images_object {
	char *cookie, *locator, *validator, *media_type;
	uint64_t size; /* bytes */
	bool whole;    /* compressed EROFS: must be cached as a whole */
};

/* One EROFS file system: the image with its superblock, and its devices in their order. */
struct images_layer {
	struct images_object primary;
	struct images_object *devices;
	size_t n_devices;
	char *origin_digest; /* of the layer's blob in the manifest, or "" */
	char *diff_id;	     /* of the OCI configuration, or "" */
};

struct images_image {
	char *name;
	char **refs; /* as they were given, bottom to top, "device=REF" included */
	size_t n_refs;
	char *manifest, *config;     /* JSON as received, or "" */
	char *manifest_digest;	     /* or "" */
	bool transient;		     /* made by a mount; goes with its last umount */
	bool pinned;		     /* as it is read: images_pin() */
	int64_t added;		     /* Unix time */
	struct images_layer *layers; /* bottom to top, at least one */
	size_t n_layers;
	char *plan; /* for images_put(): what its manifest says to fetch first; NULL: nothing */
};

/*
 * DIR/images.db. WRITE creates it (0600, and DIR), and sets a damaged one aside as images.db.bad-N
 * with a line in the log. READ: -ENOENT while there is none. Damaged, or of a later version:
 * -EUCLEAN; else a negative errno; each with a sentence in error.
 */
int images_open(struct images **ret, const char *dir, enum images_access access, char *error);
struct images *images_close(struct images *images);

/* ---- for the daemon ---------------------------------------------------------------------- */

/* One object by its cookie, where the image that was put last has it from: 0, and *ret is the
 * caller's, for images_object_end(); -ENOENT, -ENOMEM, -EIO (logged). */
int images_find(struct images *images, struct bytes cookie, struct images_object *ret);

/* The image that it would be fetched for, as images_find() says, by its name: a string of malloc(),
 * or NULL. For what people read. */
char *images_name_of(struct images *images, struct bytes cookie);

/*
 * Beside the images, hints of fetchers (struct fetch_notes): texts by name, of which none is
 * needed. 0, or -ENOENT, -EIO (logged).
 */
int images_recall(struct images *images, const char *name, char ret[IMAGES_HINT_MAX]);

/*
 * The cookie of each object that an image has, and then once more of each that a pinned image has.
 * visit() must not use the store. 0, -EIO (logged).
 */
int images_each_object(struct images *images,
		       void (*visit)(void *arg, struct bytes cookie, bool pinned), void *arg);
/* What an image is, in short. Text is borrowed for the call. */
struct images_summary {
	int64_t id;	  /* in the order of their adding; what is added anew gets another one */
	const char *name; /* of a transient one: the locator that it was mounted by */
	const char *manifest_digest;
	bool transient, pinned;
	int64_t added;	   /* Unix time */
	uint64_t size;	   /* bytes of all its objects */
	uint64_t n_layers; /* and of objects, each once: */
	uint64_t n_objects;
};
typedef void images_visit_summary(void *to, const struct images_summary *summary);

/* At most `limit` images with an id above `after`, by their ids. visit() must not use the store.
 * 0, -EIO (logged). */
int images_list(struct images *images, int64_t after, size_t limit, images_visit_summary *visit,
		void *to);

/* Objects that are pinned by their keys. */
int images_each_pinned_object(struct images *images,
			      void (*visit)(void *arg, struct bytes volume, struct bytes cookie),
			      void *arg);

/* ---- for the tool ------------------------------------------------------------------------ */

/*
 * Inserts an image, or replaces the one of its name, in one transaction: after an error nothing has
 * changed. An object that other images have gets the new media type and `whole` there as well.
 * -EEXIST: a cookie is on record with another size; -EINVAL: a field is out of bounds; -EIO; each
 * with a sentence in error.
 */
int images_put(struct images *images, const struct images_image *image, char *error);

/* The same where there is no image of its name; -EALREADY: there is one, and it stays. */
int images_put_new(struct images *images, const struct images_image *image, char *error);

/* -ENOENT, -ENOMEM, -EIO (logged). */
int images_get(struct images *images, const char *name, struct images_image **ret);

/*
 * All images of one moment, by name. visit() may use the store; a value other than 0 ends the walk
 * and is returned. Else 0, -ENOMEM, -EIO (logged).
 */
int images_each(struct images *images, int (*visit)(void *arg, const struct images_image *image),
		void *arg);

/* Replaces a hint, or forgets it: "". What is there already is not written again, and the oldest of
 * too many are forgotten. 0, -EINVAL: out of bounds; -EIO (logged). */
int images_remember(struct images *images, const char *name, const char *text);

/* -ENOENT, -EIO (logged). The records of objects that no image has any more go too. */
int images_remove(struct images *images, const char *name);

/*
 * Pins: the objects of an image, whichever these are at the time, or one object by its keys, are
 * never culled. An image that is removed is pinned no more. -ENOENT: there is no such image, or it
 * was not pinned; -EINVAL; -EIO (logged).
 */
int images_pin(struct images *images, const char *name);
int images_unpin(struct images *images, const char *name);
int images_pin_object(struct images *images, struct bytes volume, struct bytes cookie);
int images_unpin_object(struct images *images, struct bytes volume, struct bytes cookie);

/*
 * What to fetch of an image first. One that is given stays when the image is added anew, and hides
 * what the manifest says; "": there is to be none. *ret is a string of malloc(). -ENOENT: there is
 * no such image, or no plan; -EINVAL: it is too long; -ENOMEM, -EIO (logged).
 */
int images_set_plan(struct images *images, const char *name, const char *plan);
int images_plan(struct images *images, const char *name, char **ret, bool *ret_given);

/* Takes NULL, returns NULL. Every piece of it, and itself, is from malloc(). */
struct images_image *images_image_free(struct images_image *image);

/* Frees the text of an object, not the object. */
void images_object_end(struct images_object *object);
