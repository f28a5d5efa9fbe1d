/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define TEMPORARY "new." /* then six characters; locked while somebody writes it */

static const char *const suffixes[] = { ".erofs", ".map", ".gzindex" };

enum { IMAGE, MAP, GZINDEX, N_OUTPUTS };

struct layer {
	char *dir; /* owned */
	int dir_fd;
	char digest[SHA256_HEX]; /* or "" */
	struct sha256 *sha;	 /* owned; of the blob */
	struct tarindex *index;	 /* owned */
	struct gzip *gzip;	 /* owned; NULL: not compressed */
	int windows_fd;
	int tar_err; /* of tarindex, not of gzip */
	struct {
		char name[16]; /* in dir; "": none */
		int fd;
	} outputs[N_OUTPUTS];
	char error[LAYER_ERROR_MAX];
};

const char *layer_error(const struct layer *layer)
{
	return layer->error;
}

__attribute__((format(printf, 3, 4))) static int fail(struct layer *layer, int err, const char *fmt,
						      ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(layer->error, sizeof(layer->error), fmt, ap);
	va_end(ap);
	return err;
}

static int sink(void *arg, const void *bytes, size_t len)
{
	struct layer *layer = arg;

	layer->tar_err = tarindex_write(layer->index, bytes, len);
	return layer->tar_err;
}

/* ---- files ------------------------------------------------------------------------------ */

static int open_dir(struct layer *layer)
{
	if (mkdir(layer->dir, 0700) < 0 && errno != EEXIST)
		return fail(layer, -errno, "%s: %s", layer->dir, strerror(errno));
	layer->dir_fd = open(layer->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return layer->dir_fd < 0 ? fail(layer, -errno, "%s: %s", layer->dir, strerror(errno)) : 0;
}

/* Read by a daemon that has given up its capabilities, but owns them. */
static int open_output(struct layer *layer, int which)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/" TEMPORARY "XXXXXX", layer->dir) < 0) {
		path = NULL;
		return fail(layer, -ENOMEM, "out of memory");
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return fail(layer, -errno, "%s: %s", layer->dir, strerror(errno));
	layer->outputs[which].fd = fd;
	snprintf(layer->outputs[which].name, sizeof(layer->outputs[which].name), "%s",
		 strrchr(path, '/') + 1);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail(layer, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* The file gets its name, if that is not there already: then it has the same bytes. */
static int publish(struct layer *layer, int which, const char *sha256, char *ret_path)
{
	char name[SHA256_HEX + 16];
	int n;

	snprintf(name, sizeof(name), "%s%s", sha256, suffixes[which]);
	n = snprintf(ret_path, LAYER_PATH_MAX, "%s/%s", layer->dir, name);
	if (n >= LAYER_PATH_MAX)
		return fail(layer, -ENAMETOOLONG, "%s: its name is too long", layer->dir);
	if (fsync(layer->outputs[which].fd) < 0 ||
	    renameat(layer->dir_fd, layer->outputs[which].name, layer->dir_fd, name) < 0)
		return fail(layer, -errno, "%s: %s", ret_path, strerror(errno));
	layer->outputs[which].name[0] = '\0';
	return 0;
}

/* ---- life ------------------------------------------------------------------------------- */

static int begin_gzip(struct layer *layer)
{
	layer->windows_fd = open(layer->dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (layer->windows_fd < 0) {
		_cleanup_free_ char *path = NULL;

		/* Not every file system has these. */
		if (asprintf(&path, "%s/" TEMPORARY "XXXXXX", layer->dir) < 0) {
			path = NULL;
			return fail(layer, -ENOMEM, "out of memory");
		}
		layer->windows_fd = mkostemp(path, O_CLOEXEC);
		if (layer->windows_fd < 0)
			return fail(layer, -errno, "%s: %s", layer->dir, strerror(errno));
		unlink(path);
	}
	if (gzip_new(&layer->gzip, sink, layer, layer->windows_fd) < 0)
		return fail(layer, -ENOMEM, "out of memory");
	return open_output(layer, GZINDEX);
}

static int begin(struct layer *layer, const struct layer_params *params)
{
	int r;

	if (*params->digest && (strncmp(params->digest, "sha256:", 7) != 0 ||
				strlen(params->digest) != 7 + SHA256_HEX - 1))
		return fail(layer, -EOPNOTSUPP, "a digest that is not one of sha256");
	if (*params->digest)
		memcpy(layer->digest, params->digest + 7, SHA256_HEX);
	if (!layer->dir || sha256_new(&layer->sha) < 0 || tarindex_new(&layer->index) < 0)
		return fail(layer, -ENOMEM, "out of memory");
	r = open_dir(layer);
	if (r == 0)
		r = open_output(layer, IMAGE);
	if (r == 0)
		r = open_output(layer, MAP);
	return r == 0 && params->gzip ? begin_gzip(layer) : r;
}

int layer_new(struct layer **ret, const struct layer_params *params, char *error)
{
	_cleanup_(layer_freep) struct layer *layer = calloc(1, sizeof(*layer));
	int r;

	snprintf(error, LAYER_ERROR_MAX, "out of memory");
	if (!layer)
		return -ENOMEM;
	layer->dir_fd = layer->windows_fd = -1;
	for (int i = 0; i < N_OUTPUTS; i++)
		layer->outputs[i].fd = -1;
	layer->dir = strdup(params->dir);
	r = begin(layer, params);
	if (r < 0) {
		snprintf(error, LAYER_ERROR_MAX, "%s", layer->error);
		return r;
	}
	*ret = steal(&layer);
	return 0;
}

struct layer *layer_free(struct layer *layer)
{
	if (!layer)
		return NULL;
	for (int i = 0; i < N_OUTPUTS; i++) {
		if (layer->outputs[i].name[0])
			unlinkat(layer->dir_fd, layer->outputs[i].name, 0);
		close_fdp(&layer->outputs[i].fd);
	}
	close_fdp(&layer->windows_fd);
	close_fdp(&layer->dir_fd);
	gzip_free(layer->gzip);
	tarindex_free(layer->index);
	sha256_free(layer->sha);
	free(layer->dir);
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
	return fail(layer, err, "%s: %s", layer->dir, strerror(-err));
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
		r = gzip_finish(layer->gzip, validator, layer->outputs[GZINDEX].fd, &ret->gzip);
		if (r < 0)
			return explain(layer, r);
		snprintf(ret->archive_validator, sizeof(ret->archive_validator), "gunzip:%s",
			 ret->gzip.index_sha256);
		validator = ret->archive_validator;
	}
	r = tarindex_finish(layer->index, validator, layer->outputs[IMAGE].fd,
			    layer->outputs[MAP].fd, &ret->tar);
	return r < 0 ? fail(layer, r, "%s", tarindex_error(layer->index)) : 0;
}

int layer_finish(struct layer *layer, const char *validator, struct layer_files *ret)
{
	int r = check_digest(layer);

	ret->gzindex[0] = ret->archive_validator[0] = '\0';
	if (r == 0)
		r = write_all(layer, validator, ret);
	if (r == 0 && layer->gzip)
		r = publish(layer, GZINDEX, ret->gzip.index_sha256, ret->gzindex);
	if (r == 0)
		r = publish(layer, MAP, ret->tar.map_sha256, ret->map);
	if (r == 0)
		r = publish(layer, IMAGE, ret->tar.image_sha256, ret->image);
	if (r == 0 && fsync(layer->dir_fd) < 0)
		r = fail(layer, -errno, "%s: %s", layer->dir, strerror(errno));
	return r;
}

/* ---- collecting ------------------------------------------------------------------------- */

static bool is_output(const char *name)
{
	size_t hex = strspn(name, "0123456789abcdef");

	for (int i = 0; i < N_OUTPUTS && hex == SHA256_HEX - 1; i++)
		if (strcmp(name + hex, suffixes[i]) == 0)
			return true;
	return false;
}

/* Nobody writes it any more. */
static bool is_left_over(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -1;

	if (strncmp(name, TEMPORARY, strlen(TEMPORARY)) != 0)
		return false;
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

int layer_collect(const char *dir, bool (*used)(void *arg, const char *name), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int n = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;

		if ((is_output(name) && !used(arg, name)) || is_left_over(dirfd(d), name))
			n += unlinkat(dirfd(d), name, 0) == 0;
	}
	closedir(d);
	return n;
}
