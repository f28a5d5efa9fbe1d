/* SPDX-License-Identifier: MIT */
/*
 * Directories of the layers so far. An archive may have /tmp/x without /tmp, which then means the
 * /tmp below; but overlayfs shows the topmost directory that there is, so that one has to look the
 * same.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct build_dirs;

struct build_dir {
	mode_t mode; /* permissions */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
};

int build_dirs_new(struct build_dirs **ret); /* -ENOMEM */
struct build_dirs *build_dirs_free(struct build_dirs *dirs);

/* A new layer begins. */
void build_dirs_begin(struct build_dirs *dirs);

/* path: clean and relative, "" for the top. The last word counts. -ENOMEM. */
int build_dirs_put(struct build_dirs *dirs, const char *path, const struct build_dir *dir);

/* NULL: no layer so far has mentioned it. dirs may be NULL. */
const struct build_dir *build_dirs_find(const struct build_dirs *dirs, const char *path);

/* Sets modes and times of those of this layer, below the directory `top`. Negative errno. */
int build_dirs_apply(const struct build_dirs *dirs, int top);

/* Opens a directory below another without any link on the way; or a negative errno. */
int build_open_below(int top, const char *path);
