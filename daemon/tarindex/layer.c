/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/layer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/tarindex/layer-output.h"
#include "daemon/util/cleanup.h"

struct layer {
	struct layer_outputs outputs;
	char digest[SHA256_HEX]; /* or "" */
	struct sha256 *sha;	 /* owned; of the blob */
	struct tarindex *index;	 /* owned */
	struct gzip *gzip;	 /* owned; NULL: not compressed */
	int windows_fd;
	int tar_err; /* of tarindex, not of gzip */
};

const char *layer_error(const struct layer *layer)
{
	return layer->outputs.error;
}

__attribute__((format(printf, 3, 4))) static int fail(struct layer *layer, int err, const char *fmt,
						      ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(layer->outputs.error, LAYER_ERROR_MAX, fmt, ap);
	va_end(ap);
	return err;
}

static int sink(void *arg, const void *bytes, size_t len)
{
	struct layer *layer = arg;

	layer->tar_err = tarindex_write(layer->index, bytes, len);
	return layer->tar_err;
}

/* ---- life ------------------------------------------------------------------------------- */

static int begin_gzip(struct layer *layer)
{
	int r = layer_output_nameless(&layer->outputs, &layer->windows_fd);

	if (r < 0)
		return r;
	if (gzip_new(&layer->gzip, sink, layer, layer->windows_fd) < 0)
		return fail(layer, -ENOMEM, "out of memory");
	return layer_output_open(&layer->outputs, LAYER_GZINDEX);
}

static int begin(struct layer *layer, const struct layer_params *params)
{
	int r;

	if (*params->digest && (strncmp(params->digest, "sha256:", 7) != 0 ||
				strlen(params->digest) != 7 + SHA256_HEX - 1))
		return fail(layer, -EOPNOTSUPP, "a digest that is not one of sha256");
	if (*params->digest)
		memcpy(layer->digest, params->digest + 7, SHA256_HEX);
	if (sha256_new(&layer->sha) < 0 || tarindex_new(&layer->index) < 0)
		return fail(layer, -ENOMEM, "out of memory");
	r = layer_outputs_begin(&layer->outputs, params->dir);
	if (r == 0)
		r = layer_output_open(&layer->outputs, LAYER_IMAGE);
	if (r == 0)
		r = layer_output_open(&layer->outputs, LAYER_MAP);
	return r == 0 && params->gzip ? begin_gzip(layer) : r;
}

int layer_new(struct layer **ret, const struct layer_params *params, char *error)
{
	_cleanup_(layer_freep) struct layer *layer = calloc(1, sizeof(*layer));
	int r;

	snprintf(error, LAYER_ERROR_MAX, "out of memory");
	if (!layer)
		return -ENOMEM;
	layer_outputs_init(&layer->outputs);
	layer->windows_fd = -1;
	r = begin(layer, params);
	if (r < 0) {
		snprintf(error, LAYER_ERROR_MAX, "%s", layer->outputs.error);
		return r;
	}
	*ret = steal(&layer);
	return 0;
}

struct layer *layer_free(struct layer *layer)
{
	if (!layer)
		return NULL;
	layer_outputs_end(&layer->outputs);
	close_fdp(&layer->windows_fd);
	gzip_free(layer->gzip);
	tarindex_free(layer->index);
	sha256_free(layer->sha);
	free(layer);
	return NULL;
}

/* ---- bytes ------------------------------------------------------------------------------ */

static int explain(struct layer *layer, int err)
{
	if (layer->tar_err < 0)
		return fail(layer, err, "%s", tarindex_error(layer->index));
	if (err == -EBADMSG)
		return fail(layer, err, "it is no gzip file, or it is damaged");
	return fail(layer, err, "%s: %s", layer->outputs.dir, strerror(-err));
}

int layer_write(struct layer *layer, const void *bytes, size_t len)
{
	int r;

	sha256_update(layer->sha, bytes, len);
	r = layer->gzip ? gzip_write(layer->gzip, bytes, len) : sink(layer, bytes, len);
	return r < 0 ? explain(layer, r) : 0;
}

static int check_digest(struct layer *layer)
{
	char digest[SHA256_HEX];

	sha256_hex(layer->sha, digest);
	if (*layer->digest && strcmp(digest, layer->digest) != 0)
		return fail(layer, -EPROTO, "its bytes are those of sha256:%s", digest);
	return 0;
}

static int write_all(struct layer *layer, const char *validator, struct layer_files *ret)
{
	int r = 0;

	if (layer->gzip) {
		r = gzip_finish(layer->gzip, validator, layer->outputs.all[LAYER_GZINDEX].fd,
				&ret->gzip);
		if (r < 0)
			return explain(layer, r);
		snprintf(ret->archive_validator, sizeof(ret->archive_validator), "gunzip:%s",
			 ret->gzip.index_sha256);
		validator = ret->archive_validator;
	}
	r = tarindex_finish(layer->index, validator, layer->outputs.all[LAYER_IMAGE].fd,
			    layer->outputs.all[LAYER_MAP].fd, &ret->tar);
	return r < 0 ? fail(layer, r, "%s", tarindex_error(layer->index)) : 0;
}

int layer_finish(struct layer *layer, const char *validator, struct layer_files *ret)
{
	int r = check_digest(layer);

	ret->gzindex[0] = ret->archive_validator[0] = '\0';
	if (r == 0)
		r = write_all(layer, validator, ret);
	return r == 0 ? layer_outputs_publish(&layer->outputs, ret) : r;
}
