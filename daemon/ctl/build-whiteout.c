/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build-whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/ctl/build-dirs.h"
#include "daemon/util/cleanup.h"

#define PREFIX ".wh."
#define META   ".wh..wh." /* in front of AUFS's own names */
#define OPAQUE ".wh..wh..opq"

static int add(struct build_whiteouts *w, char *path)
{
	if (path && w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		char **paths = reallocarray(w->paths, room, sizeof(*paths));

		if (paths) {
			w->paths = paths;
			w->room = room;
		}
	}
	if (!path || w->n == w->room) {
		free(path);
		return -ENOMEM;
	}
	w->paths[w->n++] = path;
	return 0;
}

enum build_whiteout build_whiteouts_take(struct build_whiteouts *w, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int parent = (int)(name - path), r;
	char *taken = NULL;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return BUILD_NO_WHITEOUT;
	if (strcmp(name, OPAQUE) == 0) {
		r = asprintf(&taken, "%.*s", parent > 0 ? parent : 2, parent > 0 ? path : "./");
	} else if (strncmp(name, META, strlen(META)) == 0) {
		return BUILD_FORGOTTEN;
	} else {
		name += strlen(PREFIX);
		if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			return BUILD_BAD_WHITEOUT;
		r = asprintf(&taken, "%.*s%s", parent, path, name);
	}
	if (r < 0 || add(w, taken) < 0)
		return BUILD_NO_MEMORY;
	return BUILD_WHITEOUT;
}

static int make_opaque(int dir, const char *path)
{
	_cleanup_close_ int fd = build_open_below(dir, path);

	if (fd < 0)
		return fd;
	return fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}

/* Where the layer has something of that name itself, that is what counts. */
static int make_whiteout(int dir, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!parent)
		return -ENOMEM;
	fd = build_open_below(dir, parent);
	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? make_opaque(fd, name) : 0;
	if (mknodat(fd, name, S_IFCHR, makedev(0, 0)) < 0)
		return -errno;
	/* Nobody sees it, but it is in the image. */
	return utimensat(fd, name, (struct timespec[]){ { 0 }, { 0 } }, AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

int build_whiteouts_apply(const struct build_whiteouts *w, int dir, const char **ret_path)
{
	for (size_t i = 0; i < w->n; i++) {
		const char *path = w->paths[i];
		int r = path[strlen(path) - 1] == '/' ? make_opaque(dir, path)
						      : make_whiteout(dir, path);

		if (r < 0) {
			*ret_path = path;
			return r;
		}
	}
	return 0;
}

void build_whiteouts_end(struct build_whiteouts *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->paths[i]);
	free(w->paths);
	*w = (struct build_whiteouts){ 0 };
}
