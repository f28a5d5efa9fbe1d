/* SPDX-License-Identifier: MIT */
/*
 * How podman and its kin name an image, and the directory of its layers in an additional layer
 * store. Pure.
 */
#pragma once

#include <stddef.h>

enum {
	ALS_REFERENCE_MAX = 512,			       /* with its NUL */
	ALS_ENCODED_MAX = (ALS_REFERENCE_MAX + 1) / 3 * 4 + 5, /* the same */
};

/*
 * What 'podman pull' calls the image of an oci: locator: "host:port/repository:tag" or
 * "...@digest". -EINVAL, with half a sentence: it names no image; or is too long.
 */
int als_name_of(const char *locator, char ret[ALS_REFERENCE_MAX], const char **ret_why);

/* 0, or -EINVAL with half a sentence: 'podman pull' would take it for another name. */
int als_name_check(const char *name, const char **ret_why);

/* Base64 of a name that als_name_check() has taken; it has no slash then. */
void als_name_encode(const char *name, char ret[ALS_ENCODED_MAX]);
/* -EINVAL: not one of ours. */
int als_name_decode(const char *encoded, char ret[ALS_REFERENCE_MAX]);
