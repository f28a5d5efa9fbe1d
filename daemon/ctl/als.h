/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl als: what its commands share.
 */
#pragma once

#include <limits.h>

#include "daemon/ctl/als-tree.h"
#include "daemon/ctl/context.h"
#include "daemon/ctl/mount-run.h"

struct als {
	struct context context;
	const char *dir_option; /* borrowed; or NULL */
	const char *name; /* borrowed: what podman calls the image; or NULL: from what is given */
	struct mount_run run;
	char dir[PATH_MAX]; /* canonical as far as it exists */
};

enum { ALS_OPT_DIR = 256, ALS_OPT_NAME, ALS_OPT_ALL };

#define ALS_OPTION_DIR                                      \
	{                                                   \
		"dir", required_argument, NULL, ALS_OPT_DIR \
	}
#define ALS_HELP_DIR "      --dir DIR          the layer store (RUN_DIR/als)\n"

void als_begin(struct als *als);
/* Takes opt and optarg, of the common options and of --dir and --name; false: it is none. */
bool als_option(struct als *als, int opt);
/* context_open(), and the records of what is mounted. CTL_OK, or CTL_FAILED with the error told. */
int als_open(struct als *als, unsigned int needs);
void als_end(struct als *als);

/*
 * Podman's name of an image, or of what a reference leads to where image is NULL. CTL_OK, or
 * CTL_FAILED with the error told.
 */
int als_name(struct als *als, const char *argument, const struct images_image *image,
	     char ret[ALS_REFERENCE_MAX]);

/*
 * Unmounts and removes a layer of the tree, after podman was told. 0 or a negative errno, with a
 * sentence of ALS_ERROR_MAX.
 */
int als_remove_layer(struct als *als, const char *name, const char *digest, bool lazy, char *error);
