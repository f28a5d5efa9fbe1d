/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/layer-received.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/tarindex/layer-output.h"
#include "daemon/util/cleanup.h"
#include "proto/gzindex.h"
#include "proto/tarmap.h"

struct layer_received {
	struct layer_outputs outputs;
	enum layer_file which;
	struct sha256 *sha; /* owned; of the file that comes */
	uint64_t sizes[LAYER_N_OUTPUTS];
	char sums[LAYER_N_OUTPUTS][SHA256_HEX];
};

const char *layer_received_error(const struct layer_received *received)
{
	return received->outputs.error;
}

__attribute__((format(printf, 3, 4))) static int fail(struct layer_received *l, int err,
						      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->outputs.error, sizeof(l->outputs.error), fmt, ap);
	va_end(ap);
	return err;
}

int layer_received_new(struct layer_received **ret, const char *dir, char *error)
{
	_cleanup_(layer_received_freep) struct layer_received *l = calloc(1, sizeof(*l));
	int r;

	snprintf(error, LAYER_ERROR_MAX, "out of memory");
	if (!l)
		return -ENOMEM;
	layer_outputs_init(&l->outputs);
	r = layer_outputs_begin(&l->outputs, dir);
	if (r < 0) {
		snprintf(error, LAYER_ERROR_MAX, "%s", l->outputs.error);
		return r;
	}
	*ret = steal(&l);
	return 0;
}

struct layer_received *layer_received_free(struct layer_received *l)
{
	if (!l)
		return NULL;
	layer_outputs_end(&l->outputs);
	sha256_free(l->sha);
	free(l);
	return NULL;
}

/* ---- bytes ------------------------------------------------------------------------------ */

int layer_received_begin(struct layer_received *l, enum layer_file which)
{
	l->which = which;
	if (sha256_new(&l->sha) < 0)
		return fail(l, -ENOMEM, "out of memory");
	return layer_output_open(&l->outputs, which);
}

int layer_received_write(struct layer_received *l, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	sha256_update(l->sha, bytes, len);
	l->sizes[l->which] += len;
	while (len > 0) {
		ssize_t n = write(l->outputs.all[l->which].fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(l, n < 0 ? -errno : -EIO, "%s: %s", l->outputs.dir,
				    strerror(n < 0 ? errno : EIO));
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int layer_received_end(struct layer_received *l, const char *digest)
{
	char *sum = l->sums[l->which];

	sha256_hex(l->sha, sum);
	l->sha = sha256_free(l->sha);
	if (strncmp(digest, "sha256:", 7) != 0 || strcmp(digest + 7, sum) != 0)
		return fail(l, -EPROTO, "its bytes are those of sha256:%s", sum);
	return 0;
}

/* ---- what they say ---------------------------------------------------------------------- */

/* The first n bytes of a file; owned by the caller. */
static int read_back(struct layer_received *l, enum layer_file which, uint64_t n, char **ret)
{
	char *bytes = malloc((size_t)n + 1);
	uint64_t at = 0;

	if (!bytes)
		return fail(l, -ENOMEM, "out of memory");
	while (at < n) {
		ssize_t len =
			pread(l->outputs.all[which].fd, bytes + at, (size_t)(n - at), (off_t)at);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0) {
			free(bytes);
			return fail(l, -EIO, "%s: it cannot be read back", l->outputs.dir);
		}
		at += (uint64_t)len;
	}
	*ret = bytes;
	return 0;
}

static bool windows_are_there(const struct gzindex *index, uint64_t size)
{
	for (uint64_t i = 0; i < index->n_points; i++) {
		struct gzindex_point point = gzindex_point(index, i);

		if (point.window_len > size || point.window_at > size - point.window_len)
			return false;
	}
	return true;
}

/* Sets what the map has to say of the uncompressed bytes. */
static int check_index(struct layer_received *l, uint64_t *inner_size, const char **validator,
		       struct layer_files *files)
{
	_cleanup_free_ char *header = NULL, *table = NULL;
	uint64_t size = l->sizes[LAYER_GZINDEX], n = 0;
	struct gzindex index;
	int r;

	if (size < GZINDEX_HEADER || size > GZINDEX_FILE_MAX)
		return fail(l, -EPROTO, "the index is none");
	r = read_back(l, LAYER_GZINDEX, GZINDEX_HEADER, &header);
	if (r == 0)
		n = gzindex_table_size(bytes_of(header, GZINDEX_HEADER));
	if (r == 0 && (n == 0 || n > size))
		r = fail(l, -EPROTO, "the index is none");
	if (r == 0)
		r = read_back(l, LAYER_GZINDEX, n, &table);
	if (r < 0)
		return r;
	if (gzindex_parse(&index, bytes_of(table, (size_t)n)) != GZINDEX_OK ||
	    !windows_are_there(&index, size))
		return fail(l, -EPROTO, "the index is none, or damaged");
	if (index.inner_size != *inner_size || strcmp(index.validator, *validator) != 0)
		return fail(l, -EPROTO, "the index is that of another layer");
	*inner_size = index.size;
	memcpy(files->gzip.index_sha256, l->sums[LAYER_GZINDEX], SHA256_HEX);
	snprintf(files->archive_validator, sizeof(files->archive_validator), "gunzip:%s",
		 files->gzip.index_sha256);
	*validator = files->archive_validator;
	return 0;
}

static int check_map(struct layer_received *l, uint64_t inner_size, const char *validator,
		     struct layer_files *files)
{
	_cleanup_free_ char *bytes = NULL;
	uint64_t size = l->sizes[LAYER_MAP];
	struct tarmap map;
	int r;

	if (size > TARMAP_FILE_MAX)
		return fail(l, -EPROTO, "the map is none");
	r = read_back(l, LAYER_MAP, size, &bytes);
	if (r < 0)
		return r;
	if (tarmap_parse(&map, bytes_of(bytes, (size_t)size)) != TARMAP_OK)
		return fail(l, -EPROTO, "the map is none, or damaged");
	if (map.inner_size != inner_size || strcmp(map.validator, validator) != 0)
		return fail(l, -EPROTO, "the map is that of another layer");
	files->tar.device_size = map.size;
	return 0;
}

int layer_received_finish(struct layer_received *l, uint64_t inner_size, const char *validator,
			  struct layer_files *ret)
{
	int r = 0;

	memset(ret, 0, sizeof(*ret));
	if (l->outputs.all[LAYER_GZINDEX].fd >= 0)
		r = check_index(l, &inner_size, &validator, ret);
	if (r == 0)
		r = check_map(l, inner_size, validator, ret);
	if (r < 0)
		return r;
	memcpy(ret->tar.image_sha256, l->sums[LAYER_IMAGE], SHA256_HEX);
	memcpy(ret->tar.map_sha256, l->sums[LAYER_MAP], SHA256_HEX);
	ret->tar.image_size = l->sizes[LAYER_IMAGE];
	ret->tar.map_size = l->sizes[LAYER_MAP];
	return layer_outputs_publish(&l->outputs, ret);
}
