/* SPDX-License-Identifier: MIT */
/*
 * From the stream of a tar archive to what it takes to mount it without unpacking: an EROFS image
 * of its metadata, and the map from that image's virtual device to ranges of the archive,
 * cachefill-tarmap(5). Each file begins at a block of its own in the device, in the order of the
 * archive, so that what was packed together is fetched together.
 *
 * Memory is about 170 bytes and the name for each entry; no data of files is kept. Equal archives,
 * identities and versions of this code make equal files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/sha256.h"

enum { TARINDEX_ERROR_MAX = 256 };

struct tarindex;

struct tarindex_result {
	uint64_t image_size, map_size; /* bytes of the two files */
	uint64_t device_size;	       /* of the virtual device; at least a block */
	uint64_t archive_size;	       /* bytes that were written to the index */
	uint64_t n_inodes;
	uint64_t n_xattrs_left_out;
	char image_sha256[SHA256_HEX], map_sha256[SHA256_HEX];
};

int tarindex_new(struct tarindex **ret); /* -ENOMEM */
struct tarindex *tarindex_free(struct tarindex *index);
static inline void tarindex_freep(struct tarindex **index)
{
	tarindex_free(*index);
}

/*
 * The next bytes of the archive. -EINVAL: it is no tar, cannot be mounted as it is, or is hostile;
 * -E2BIG; -ENOMEM. After an error only tarindex_error() and tarindex_free() may follow.
 */
int tarindex_write(struct tarindex *index, const void *bytes, size_t len);

/*
 * The archive is complete: writes both files, to the beginning of empty ones. validator: that of
 * the fetcher the archive is read from later; shorter than TARMAP_VALIDATOR_MAX.
 */
int tarindex_finish(struct tarindex *index, const char *validator, int image_fd, int map_fd,
		    struct tarindex_result *ret);

/* One line, printable, after an error of the above. */
const char *tarindex_error(const struct tarindex *index);
