/* SPDX-License-Identifier: MIT */
#include "daemon/tarindex/layer-output.h"

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

__attribute__((format(printf, 3, 4))) static int fail(struct layer_outputs *outputs, int err,
						      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(outputs->error, sizeof(outputs->error), fmt, ap);
	va_end(ap);
	return err;
}

void layer_outputs_init(struct layer_outputs *outputs)
{
	*outputs = (struct layer_outputs){ .dir_fd = -1 };
	for (int i = 0; i < LAYER_N_OUTPUTS; i++)
		outputs->all[i].fd = -1;
}

int layer_outputs_begin(struct layer_outputs *o, const char *dir)
{
	o->dir = strdup(dir);
	if (!o->dir)
		return fail(o, -ENOMEM, "out of memory");
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return fail(o, -errno, "%s: %s", dir, strerror(errno));
	o->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return o->dir_fd < 0 ? fail(o, -errno, "%s: %s", dir, strerror(errno)) : 0;
}

void layer_outputs_end(struct layer_outputs *o)
{
	for (int i = 0; i < LAYER_N_OUTPUTS; i++) {
		if (o->all[i].name[0])
			unlinkat(o->dir_fd, o->all[i].name, 0);
		close_fdp(&o->all[i].fd);
	}
	close_fdp(&o->dir_fd);
	free(o->dir);
}

/* *ret_path is the caller's, also after an error. */
static int make_temporary(struct layer_outputs *o, char **ret_path, int *ret_fd)
{
	if (asprintf(ret_path, "%s/" TEMPORARY "XXXXXX", o->dir) < 0) {
		*ret_path = NULL;
		return fail(o, -ENOMEM, "out of memory");
	}
	*ret_fd = mkostemp(*ret_path, O_CLOEXEC);
	return *ret_fd < 0 ? fail(o, -errno, "%s: %s", o->dir, strerror(errno)) : 0;
}

/* Read by a daemon that has given up its capabilities, but owns them. */
int layer_output_open(struct layer_outputs *o, enum layer_file which)
{
	_cleanup_free_ char *path = NULL;
	int r = make_temporary(o, &path, &o->all[which].fd);

	if (r < 0)
		return r;
	snprintf(o->all[which].name, sizeof(o->all[which].name), "%s", strrchr(path, '/') + 1);
	if (flock(o->all[which].fd, LOCK_EX | LOCK_NB) < 0)
		return fail(o, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

int layer_output_nameless(struct layer_outputs *o, int *ret_fd)
{
	_cleanup_free_ char *path = NULL;
	int r = 0;

	*ret_fd = open(o->dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (*ret_fd >= 0)
		return 0;
	/* Not every file system has these. */
	r = make_temporary(o, &path, ret_fd);
	if (r == 0)
		unlink(path);
	return r;
}

/* The file gets its name, if that is not there already: then it has the same bytes. */
static int publish(struct layer_outputs *o, enum layer_file which, const char *sha256,
		   char *ret_path)
{
	char name[SHA256_HEX + 16];
	int n;

	snprintf(name, sizeof(name), "%s%s", sha256, suffixes[which]);
	n = snprintf(ret_path, LAYER_PATH_MAX, "%s/%s", o->dir, name);
	if (n >= LAYER_PATH_MAX)
		return fail(o, -ENAMETOOLONG, "%s: its name is too long", o->dir);
	if (fsync(o->all[which].fd) < 0 ||
	    renameat(o->dir_fd, o->all[which].name, o->dir_fd, name) < 0)
		return fail(o, -errno, "%s: %s", ret_path, strerror(errno));
	o->all[which].name[0] = '\0';
	return 0;
}

int layer_outputs_publish(struct layer_outputs *o, struct layer_files *files)
{
	int r = 0;

	if (o->all[LAYER_GZINDEX].fd >= 0)
		r = publish(o, LAYER_GZINDEX, files->gzip.index_sha256, files->gzindex);
	if (r == 0)
		r = publish(o, LAYER_MAP, files->tar.map_sha256, files->map);
	if (r == 0)
		r = publish(o, LAYER_IMAGE, files->tar.image_sha256, files->image);
	if (r == 0 && fsync(o->dir_fd) < 0)
		r = fail(o, -errno, "%s: %s", o->dir, strerror(errno));
	return r;
}

/* ---- collecting ------------------------------------------------------------------------- */

static bool is_output(const char *name)
{
	size_t hex = strspn(name, "0123456789abcdef");

	for (int i = 0; i < LAYER_N_OUTPUTS && hex == SHA256_HEX - 1; i++)
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
