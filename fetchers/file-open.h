/* SPDX-License-Identifier: MIT */
/*
 * From a locator to the descriptor of a regular file below the directory of a template, and what
 * such a file is known by.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "fetchers/fetcher.h"

/* What the text of an identity says, as numbers. */
struct file_stamp {
	struct timespec mtime;
	uint64_t size, inode;
};

struct file_stamp file_stamp_of(const struct stat *st);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);
struct fetch_identity file_identity_of(const struct file_stamp *stamp);

/*
 * The directory that a template is confined to: what stands before its first placeholder, up to
 * the last slash; absolute, ends with that slash. -EINVAL with error filled; -ENOMEM.
 */
int file_root_of(char **ret, const char *template, char *error);

/*
 * The decoded path below root that a locator names. -EACCES: it is not below root; -ENOENT: no
 * file can have that name; -ENOMEM.
 */
int file_path_below(char **ret, const char *root, const char *locator);

/*
 * Returns a descriptor (the caller's) of the file at locator and sets *ret_stamp, or an error of
 * the contract with error filled. No name and no symbolic link leads out of root.
 */
int file_open_below(const char *root, const char *locator, struct file_stamp *ret_stamp,
		    char *error);

/* The contract's error for an errno of the file system. */
int file_verdict(int error);
