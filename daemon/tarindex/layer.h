/* SPDX-License-Identifier: MIT */
/*
 * Indexes a layer of a container image as its bytes come by, and puts what was made into a
 * directory: files that are named by what is in them, so that they are never replaced, and that
 * appear when all of them are complete and the layer was the one that was meant.
 *
 *	<SHA-256>.erofs		the image of its metadata
 *	<SHA-256>.map		where in the archive its files are
 *	<SHA-256>.gzindex	where in the compressed archive reading can begin
 */
#pragma once

#include <stdbool.h>

#include "daemon/tarindex/gzip.h"
#include "daemon/tarindex/tarindex.h"

enum { LAYER_ERROR_MAX = 400, LAYER_PATH_MAX = 4096 };

enum layer_file { LAYER_IMAGE, LAYER_MAP, LAYER_GZINDEX };

struct layer;

struct layer_params {
	const char *dir;    /* absolute; made if need be */
	const char *digest; /* "sha256:..." that its bytes must have; or "" */
	bool gzip;
};

struct layer_files {
	struct tarindex_result tar;
	struct gzip_result gzip;    /* of a compressed layer */
	char image[LAYER_PATH_MAX]; /* paths */
	char map[LAYER_PATH_MAX];
	char gzindex[LAYER_PATH_MAX]; /* "": it is not compressed */
	char archive_validator[80];   /* "gunzip:..." of a compressed layer, or "" */
};

/*
 * Each returns 0 or a negative errno; layer_error() says why, in half a sentence. After an error
 * only that and layer_free() may follow, and nothing is left behind.
 */
int layer_new(struct layer **ret, const struct layer_params *params, char *error);
struct layer *layer_free(struct layer *layer);
static inline void layer_freep(struct layer **layer)
{
	layer_free(*layer);
}

int layer_write(struct layer *layer, const void *bytes, size_t len);

/* validator: what the fetcher says of the blob, see tarindex_finish(). */
int layer_finish(struct layer *layer, const char *validator, struct layer_files *ret);

const char *layer_error(const struct layer *layer);

/*
 * Removes files of the directory that used() does not know, and what killed processes left. The
 * caller sees to it that nobody adds files meanwhile. The number of files removed, or a negative
 * errno; 0 where there is no directory.
 */
int layer_collect(const char *dir, bool (*used)(void *arg, const char *name), void *arg);
