/* SPDX-License-Identifier: MIT */
/*
 * Inflates a gzip file as it comes by, and makes the index that it can be read with at any place,
 * proto/gzindex.h. Members one after the other are one stream; sums and lengths of all are checked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/sha256.h"

struct gzip;

struct gzip_result {
	uint64_t in, out; /* bytes */
	uint64_t index_size, n_points;
	char index_sha256[SHA256_HEX];
};

/*
 * sink: where the uncompressed bytes go; what it returns below 0 ends the work. windows_fd: an
 * empty file for windows meanwhile, borrowed. -ENOMEM.
 */
int gzip_new(struct gzip **ret, int (*sink)(void *arg, const void *bytes, size_t len), void *arg,
	     int windows_fd);
struct gzip *gzip_free(struct gzip *gzip);
static inline void gzip_freep(struct gzip **gzip)
{
	gzip_free(*gzip);
}

/* The next compressed bytes. -EBADMSG: they are no gzip, or damaged; the sink's; -ENOMEM. */
int gzip_write(struct gzip *gzip, const void *bytes, size_t len);

/*
 * All were there: writes the index to the empty file index_fd. validator as in tarindex_finish().
 * -EBADMSG when the file was cut off.
 */
int gzip_finish(struct gzip *gzip, const char *validator, int index_fd, struct gzip_result *ret);
