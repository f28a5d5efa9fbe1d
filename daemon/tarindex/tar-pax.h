/* SPDX-License-Identifier: MIT */
/*
 * The records of an extended header of pax, and what they say of the entry that follows. Pure.
 */
#pragma once

#include <stdbool.h>

#include "daemon/tarindex/tar.h"

struct tar_pax {
	const char *path, *link; /* NULL: not said. Borrowed from the text */
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size;
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	struct tar_xattr xattrs[TAR_XATTRS_MAX]; /* borrowed from the text */
	size_t n_xattrs;
};

/*
 * Adds the records of text to what is known. Changes text: values get their NUL, encoded ones are
 * decoded in place. -EINVAL with why (TAR_ERROR_MAX) filled.
 */
int tar_pax_parse(struct tar_pax *pax, char *text, size_t len, char *why);
