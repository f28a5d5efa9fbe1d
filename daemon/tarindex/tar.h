/* SPDX-License-Identifier: MIT */
/*
 * A tar archive as a stream: bytes are pushed in as they come, entries come out. Understood are
 * v7, ustar, GNU's and star's headers, GNU's long names and base-256 numbers, and the extended
 * headers of pax. Header-only types have no data, whatever size they claim, as GNU tar and Go's
 * archive/tar have it.
 *
 * Nothing here judges names; the tree does. Memory is one header and its extensions, at most
 * TAR_EXTRA_MAX bytes each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

enum {
	TAR_BLOCK = 512,
	TAR_EXTRA_MAX = 1 << 20, /* an extended header, or a long name */
	TAR_XATTRS_MAX = 256,	 /* of one entry */
	TAR_ERROR_MAX = 256,
};

enum tar_type {
	TAR_FILE,
	TAR_DIR,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_CHAR,
	TAR_BLOCK_DEVICE,
	TAR_FIFO,
};

struct tar_xattr {
	struct bytes name, value; /* "user.x" */
};

struct tar_entry {
	enum tar_type type;
	const char *path, *link; /* as written; link: of both kinds of links, else "" */
	uint32_t mode;		 /* permissions, at most 07777 */
	uint32_t uid, gid;
	uint64_t size;	  /* of a file */
	uint64_t data_at; /* where in the stream its bytes lie */
	int64_t mtime;
	uint32_t mtime_nsec;
	uint32_t major, minor;
	const struct tar_xattr *xattrs; /* names differ */
	size_t n_xattrs;
};

struct tar;

/*
 * entry() may refuse what it is shown: it returns a negative errno and writes why into the error
 * text (TAR_ERROR_MAX) it is given; the entry's name is put in front. Its arguments are the tar's.
 */
int tar_new(struct tar **ret, int (*entry)(void *arg, const struct tar_entry *entry, char *error),
	    void *arg);
struct tar *tar_free(struct tar *tar);
static inline void tar_freep(struct tar **tar)
{
	tar_free(*tar);
}

/*
 * The next bytes of the archive. Returns 0, -EINVAL for what is no tar (or none that we can read),
 * -ENOMEM, or the error of entry(); after an error only tar_error() and tar_free() may follow.
 */
int tar_write(struct tar *tar, const void *bytes, size_t len);

/* There are no more. -EINVAL when the archive was cut off. */
int tar_end(struct tar *tar);

/* One line, printable; "" before an error. */
const char *tar_error(const struct tar *tar);
