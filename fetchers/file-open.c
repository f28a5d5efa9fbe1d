/* SPDX-License-Identifier: MIT */
#include "fetchers/file-open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "fetchers/common.h"

/* The path in "file:/path", "file:///path" and "file://localhost/path"; NULL: it has none. */
static const char *path_in(const char *locator)
{
	const char *path = locator + strcspn(locator, ":");

	if (*path != ':')
		return NULL;
	path++;
	if (strncmp(path, "//localhost/", 12) == 0)
		path += 11;
	else if (strncmp(path, "///", 3) == 0)
		path += 2;
	return path[0] == '/' && path[1] != '/' ? path : NULL;
}

/* What stands in a template before its first placeholder, with {{ and }} as they are meant. */
static char *fixed_part(const char *template)
{
	char *fixed = malloc(strlen(template) + 1);
	size_t n = 0;

	if (!fixed)
		return NULL;
	for (const char *t = template; *t; t++) {
		if (*t == '{' && t[1] != '{')
			break;
		if (*t == '{' || (*t == '}' && t[1] == '}'))
			t++;
		fixed[n++] = *t;
	}
	fixed[n] = '\0';
	return fixed;
}

int file_root_of(char **ret, const char *template, char *error)
{
	_cleanup_free_ char *fixed = fixed_part(template);
	_cleanup_free_ char *root = NULL;
	const char *path;

	if (!fixed)
		return -ENOMEM;
	path = path_in(fixed);
	if (!path) {
		fetch_error(error, template, "the directory must be an absolute path");
		return -EINVAL;
	}
	root = strndup(path, (size_t)(strrchr(path, '/') + 1 - path));
	if (!root)
		return -ENOMEM;
	if (fetch_unescape(root) < 0) {
		fetch_error(error, template, "a %% must be followed by two hex digits");
		return -EINVAL;
	}
	*ret = steal(&root);
	return 0;
}

int file_path_below(char **ret, const char *root, const char *locator)
{
	const char *path = path_in(locator);
	_cleanup_free_ char *whole = path ? strdup(path) : NULL;
	size_t root_len = strlen(root);

	if (!path)
		return -EACCES;
	if (!whole)
		return -ENOMEM;
	if (fetch_unescape(whole) < 0)
		return -ENOENT;
	if (strncmp(whole, root, root_len) != 0)
		return -EACCES;
	memmove(whole, whole + root_len, strlen(whole + root_len) + 1);
	*ret = steal(&whole);
	return 0;
}

struct file_stamp file_stamp_of(const struct stat *st)
{
	return (struct file_stamp){
		.mtime = st->st_mtim,
		.size = (uint64_t)st->st_size,
		.inode = st->st_ino,
	};
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->size == b->size && a->inode == b->inode && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

struct fetch_identity file_identity_of(const struct file_stamp *stamp)
{
	struct fetch_identity id = { .size = stamp->size };

	snprintf(id.validator, sizeof(id.validator), "mtime:%" PRId64 ".%09ld ino:%" PRIu64,
		 (int64_t)stamp->mtime.tv_sec, stamp->mtime.tv_nsec, stamp->inode);
	return id;
}

int file_verdict(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return -ENOENT;
	case EACCES:
	case EPERM:
	case ELOOP:
	case EXDEV: /* a way out of the directory */
		return -EACCES;
	case EMFILE:
	case ENFILE:
		return -EMFILE;
	case ENOMEM:
	case ESTALE:
	case ECANCELED:
	case ETIMEDOUT:
		return -error;
	default:
		return -EIO;
	}
}

/*
 * Opens `below`, which the kernel resolves without leaving dir (openat2(2)). O_NONBLOCK: a FIFO
 * must not make us wait for its writer.
 */
static int open_below(int dir, const char *below)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	/* EAGAIN: something was renamed during a step upwards. */
	for (int tries = 0; tries < 16; tries++) {
		fd = (int)syscall(SYS_openat2, dir, below, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

int file_open_below(const char *root, const char *locator, struct file_stamp *ret_stamp,
		    char *error)
{
	_cleanup_free_ char *below = NULL;
	_cleanup_close_ int dir = -1, fd = -1;
	struct stat st;
	int r = file_path_below(&below, root, locator);

	if (r < 0) {
		fetch_error(error, locator,
			    r == -EACCES   ? "not below the directory of its source"
			    : r == -ENOENT ? "no file can have this name"
					   : "no memory");
		return r;
	}
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		/* No object is missing just because a file system is not mounted. */
		r = file_verdict(errno) == -ENOENT ? -EIO : file_verdict(errno);
		fetch_error(error, locator, "directory of the source: %s", strerror(errno));
		return r;
	}
	fd = open_below(dir, below);
	if (fd < 0 && errno != ENXIO) {
		r = file_verdict(errno);
		fetch_error(error, locator, "%s",
			    errno == EXDEV ? "leads out of the directory of its source"
					   : strerror(errno));
		return r;
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fetch_error(error, locator, "not a regular file");
		return -EIO;
	}
	/* io_uring takes O_NONBLOCK at its word where a file system cannot read without waiting. */
	fcntl(fd, F_SETFL, 0);
	*ret_stamp = file_stamp_of(&st);
	return steal_fd(&fd);
}
