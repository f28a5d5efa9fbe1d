/* SPDX-License-Identifier: MIT */
/*
 * The directory that podman is told of as an additional layer store:
 *
 *	DIR/BASE64(NAME)/DIGEST/diff	the files of a layer: something is mounted there
 *				blob	must be there: a link to where the layer is mounted, which
 *					leads nowhere as soon as the layer is unmounted
 *				info	als-info.h; written last and removed first, since without
 *					it podman fetches the layer
 *				use	podman makes and removes it
 *
 * Errors are sentences in `error`, of ALS_ERROR_MAX bytes.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "daemon/ctl/als-info.h"
#include "daemon/ctl/als-name.h"

enum { ALS_ERROR_MAX = 1024 };

/* The directory itself, with its parents. Root alone sees what is in it, as in podman's own store.
 */
int als_tree_make(const char *dir, char *error);
/* Where the files of a layer are, PATH_MAX bytes; -ENAMETOOLONG. */
int als_tree_diff(const char *dir, const char *name, const char *digest, char *ret);

/* Makes the directories; `ret_diff` of PATH_MAX is where to mount the layer. */
int als_tree_prepare(const char *dir, const char *name, const char *digest, char *ret_diff,
		     char *error);
/* From here on podman finds it, as long as there is a `layer` (a path). */
int als_tree_publish(const char *dir, const char *name, const struct als_info *info,
		     const char *layer, char *error);

/* From here on podman does not find it. 0 as well when there is none. */
int als_tree_withdraw(const char *dir, const char *name, const char *digest, char *error);
/* What is mounted at diff is unmounted already. The directory of the name goes with its last layer.
 */
int als_tree_remove(const char *dir, const char *name, const char *digest, char *error);

/* Of a layer in the tree. */
struct als_entry {
	const char *name, *digest;
	const char *diff;     /* its path, canonical as far as `dir` is */
	struct als_info info; /* all 0 when it was not published, or cannot be read */
};

/*
 * All layers of one name, or of all (NULL), in no order. The visitor may remove its entry. A value
 * other than 0 ends the walk and is returned; else 0 (also when there is no such directory) or a
 * negative errno.
 */
int als_tree_each(const char *dir, const char *name,
		  int (*visit)(void *arg, const struct als_entry *entry), void *arg);
