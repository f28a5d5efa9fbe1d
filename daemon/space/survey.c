/* SPDX-License-Identifier: MIT */
#include "daemon/space/survey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/util/cleanup.h"
#include "proto/cachename.h"

#define BLOCK 512 /* of st_blocks */

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_dir_ _cleanup_(closedirp)

/* Not through a symbolic link. */
static int open_dir(int at, const char *name, DIR **ret)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (!*ret)
		return -errno;
	steal_fd(&fd);
	return 0;
}

/* ---- objects ------------------------------------------------------------------------------ */

static int add_object(struct survey *s, struct survey_object *o /* consumed */)
{
	struct survey_object **objects = s->objects;

	if ((s->n & (s->n + 1)) == 0) /* full at 0, 1, 3, 7, ... */
		objects = reallocarray(objects, 2 * s->n + 1, sizeof(*objects));
	if (objects) {
		s->objects = objects;
		HASH_ADD_KEYPTR(hh, s->by_path, o->path, strlen(o->path), o);
	}
	if (!objects || !table_has(o)) {
		free(o);
		return -ENOMEM;
	}
	s->objects[s->n++] = o;
	s->bytes += o->bytes;
	return 0;
}

static int see_object(struct survey *s, const char *volume, const char *fanout, const char *name,
		      const struct stat *st)
{
	struct survey_object *o;
	uint8_t key[CACHENAME_MAX];
	int n = cachename_decode(name, key);
	size_t len = strlen("cache/") + strlen(volume) + strlen(fanout) + strlen(name) + 3;

	if (n < 0)
		return 0;
	o = calloc(1, sizeof(*o) + len + (size_t)n);
	if (!o)
		return -ENOMEM;
	snprintf(o->path, len, "cache/%s/%s/%s", volume, fanout, name);
	memcpy(o->path + len, key, (size_t)n);
	o->value = SURVEY_CACHED;
	o->volume = bytes_of(o->path + strlen("cache/I"), strlen(volume) - 1);
	o->cookie = bytes_of(o->path + len, (size_t)n);
	o->size = (uint64_t)st->st_size;
	o->bytes = (uint64_t)st->st_blocks * BLOCK;
	o->used = st->st_atim.tv_sec * 1000000000 + st->st_atim.tv_nsec;
	return add_object(s, o);
}

/* ---- directories -------------------------------------------------------------------------- */

static int walk_fanout(struct survey *s, DIR *of, const char *volume, const char *fanout)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;
	int r = open_dir(dirfd(of), fanout, &dir);

	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone meanwhile */
		if (S_ISREG(st.st_mode))
			r = see_object(s, volume, fanout, entry->d_name, &st);
	}
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

static int add_empty(struct survey *s, const char *volume)
{
	char **empty = reallocarray(s->empty, s->n_empty + 1, sizeof(*empty));

	if (!empty)
		return -ENOMEM;
	s->empty = empty;
	s->empty[s->n_empty] = strdup(volume);
	return s->empty[s->n_empty] ? (s->n_empty++, 0) : -ENOMEM;
}

static int walk_volume(struct survey *s, DIR *of, const char *volume)
{
	_cleanup_dir_ DIR *dir = NULL;
	size_t before = s->n;
	struct dirent *entry;
	int r = open_dir(dirfd(of), volume, &dir);

	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP)
		return 0;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] == '@')
			r = walk_fanout(s, dir, volume, entry->d_name);
	return r == 0 && s->n == before ? add_empty(s, volume) : r;
}

static int walk(struct survey *s, int dir_fd)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int r = open_dir(dir_fd, "cache", &dir);

	if (r == -ENOENT)
		return 0; /* nothing has ever been mounted */
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] == 'I')
			r = walk_volume(s, dir, entry->d_name);
	return r;
}

/* ---- the whole ---------------------------------------------------------------------------- */

int survey_take(struct survey **ret, int dir_fd)
{
	struct survey *s = calloc(1, sizeof(*s));
	int err = s ? walk(s, dir_fd) : -ENOMEM;

	if (err < 0) {
		survey_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

struct survey *survey_free(struct survey *s)
{
	if (!s)
		return NULL;
	HASH_CLEAR(hh, s->by_path);
	for (size_t i = 0; i < s->n; i++)
		free(s->objects[i]);
	for (size_t i = 0; i < s->n_empty; i++)
		free(s->empty[i]);
	free(s->objects);
	free(s->empty);
	free(s);
	return NULL;
}

struct survey_object *survey_find(const struct survey *s, struct bytes volume, struct bytes cookie)
{
	char path[CACHENAME_PATH_MAX];
	struct survey_object *o = NULL;

	if (cachename_path(volume, cookie, path) == 0)
		HASH_FIND(hh, s->by_path, path, strlen(path), o);
	return o;
}

static int compare(const void *va, const void *vb)
{
	const struct survey_object *a = *(struct survey_object *const *)va;
	const struct survey_object *b = *(struct survey_object *const *)vb;

	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	if (a->used != b->used)
		return a->used < b->used ? -1 : 1;
	return strcmp(a->path, b->path);
}

void survey_sort(struct survey *s)
{
	if (s->n > 0)
		qsort(s->objects, s->n, sizeof(*s->objects), compare);
}

int survey_touch(int dir_fd, const char *path, int64_t used)
{
	struct timespec times[2] = {
		{ .tv_sec = used / 1000000000, .tv_nsec = used % 1000000000 },
		{ .tv_nsec = UTIME_OMIT },
	};

	return utimensat(dir_fd, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}
