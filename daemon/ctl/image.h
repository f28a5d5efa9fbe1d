/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl-image(1): the commands, and what they share. From names and references to what the
 * store holds:
 *
 *	REF... -> image-ref -> locators -> lists and looks (image-resolve) -> items
 *	item -> image-layer: a handler of its media type -> a layer
 *
 * Errors are sentences in `error`, of CONTEXT_ERROR_MAX bytes, without secrets.
 */
#pragma once

#include <stdbool.h>

#include "daemon/ctl/context.h"

#define IMAGE_NAME_MAX 200

/* ---- the commands of `cachefillctl image` ------------------------------------------------- */

int ctl_image(int argc, char *argv[]);
int ctl_image_add(int argc, char *argv[]);
int ctl_image_build(int argc, char *argv[]); /* these two: build.h, push.h */
int ctl_image_push(int argc, char *argv[]);
int ctl_image_push_index(int argc, char *argv[]);
int ctl_image_ls(int argc, char *argv[]);
int ctl_image_inspect(int argc, char *argv[]);
int ctl_image_rm(int argc, char *argv[]);
int ctl_image_refresh(int argc, char *argv[]);
int ctl_image_plan(int argc, char *argv[]);

/* ---- names and references ----------------------------------------------------------------- */

/* -EINVAL with a sentence: not a name. */
int image_name_check(const char *name, char *error);

/*
 * What a person may write for a locator: itself, without credentials; a path that begins with "/",
 * "./" or "../"; a reference of a registry, "registry.example.org/app:tag". What is to be verified
 * has "fs-verity:sha256:DIGEST;" in front, cachefill-verify(5). A device has "device=" in front of
 * all, which is taken off. Owned by the caller. -EINVAL, -ENOMEM.
 */
int image_ref_locator(const char *ref, char **ret_locator, bool *ret_device, char *error);

/* A reference or a locator for people: without secrets, with what an oci locator selects. */
char *image_ref_print(const char *ref, char *buf, size_t n);

/* The name of an image: a transient one has the locator that it was mounted by. */
char *image_name_print(const struct images_image *image, char *buf, size_t n);

/* ---- what an image consists of ------------------------------------------------------------ */

/*
 * Asks the origins. The name was checked. Everything that a mount needs to know is known then, and
 * nothing is in the store yet. list: what context_list() says of the only REF, for who has asked
 * already, which is taken over; or NULL. 0; -EINVAL, -EPROTO and so on; -EINTR.
 */
int image_resolve(struct context *context, struct images_image **ret, const char *name,
		  const char *const *refs, size_t n_refs, struct fetch_list *list, char *error);

/* Appends what to do about an error of an origin, in parentheses. */
void image_add_hint(char *error, int err, const char *locator);

/* A cookie is the name of a content: by its digest, or by all that is known of it. */
void image_cookie(char ret[IMAGES_COOKIE_MAX], const char *locator,
		  const struct fetch_identity *identity);

/* The same layers, and devices, in the same order. */
bool image_same_layer(const struct images_layer *a, const struct images_layer *b);
bool image_same(const struct images_image *a, const struct images_image *b);

/* Bytes of all objects, each once. */
uint64_t image_size(const struct images_image *image);

/* ---- the store ---------------------------------------------------------------------------- */

/* The image of that name; CTL_FAILED with the error printed. */
int image_find(struct context *context, const char *name, struct images_image **ret);

/*
 * Calls change() where no mount uses the image, and none can begin to. Where one does, prints that
 * `what` cannot be done, and returns CTL_FAILED.
 */
int image_unmounted(struct context *context, const char *name, const char *what,
		    int (*change)(void *arg), void *arg);

void image_freep(struct images_image **image);
