/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/scrub.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "proto/cachename.h"

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define _cleanup_dir_ _cleanup_(closedirp)

/* The error that is reported is the first one; the work goes on. */
static void note(int *error, int r)
{
	if (r < 0 && *error == 0)
		*error = r;
}

/*
 * Opens a directory below `at`: not through a symbolic link, and not the root of another mount,
 * which is somebody else's (-EXDEV).
 */
static int open_dir(int at, const char *name, DIR **ret)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx stx;
	DIR *dir;

	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
		return -errno;
	if (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EXDEV;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	steal_fd(&fd);
	*ret = dir;
	return 0;
}

/* 1: an entry, 0: the end. */
static int next_entry(DIR *dir, const char **ret_name)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
	} while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
	*ret_name = entry->d_name;
	return 1;
}

/* Whether the kernel's attribute is there, whatever its value: a wrong one heals. */
static int has_attribute(int fd)
{
	if (fgetxattr(fd, CACHENAME_XATTR, NULL, 0) >= 0)
		return 1;
	return errno == ENODATA ? 0 : -errno;
}

/* ---- objects ----------------------------------------------------------------------------- */

/* 1: a file that the kernel could have made, without its attribute (or, bare_or_not, with it). */
static int is_object(int at, const char *name, bool bare_or_not)
{
	_cleanup_close_ int fd = -1;
	uint8_t key[CACHENAME_MAX];
	struct stat st;
	int r;

	if (cachename_decode(name, key) < 0)
		return 0;
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (bare_or_not)
		return 1;
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = has_attribute(fd);
	return r < 0 ? r : !r;
}

static int scrub_object(int at, const char *name, bool all, struct scrub_result *result)
{
	int r = is_object(at, name, all);

	if (r <= 0)
		return r;
	if (unlinkat(at, name, 0) < 0)
		return -errno;
	result->objects++;
	return 0;
}

/* Of the working directory: one system call, where a closer look takes four. There may be 100,000
 * objects, and nearly all of them are whole. */
static bool is_whole(const char *name)
{
	return lgetxattr(name, CACHENAME_XATTR, NULL, 0) >= 0;
}

static int scrub_fanout(int volume_fd, const char *fanout, bool all, struct scrub_result *result)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r, error = 0;
	bool here;

	r = open_dir(volume_fd, fanout, &dir);
	if (r < 0)
		return r;
	here = !all && fchdir(dirfd(dir)) == 0;
	while ((r = next_entry(dir, &name)) > 0)
		if (!here || !is_whole(name))
			note(&error, scrub_object(dirfd(dir), name, all, result));
	note(&error, r);
	if (all && unlinkat(volume_fd, fanout, AT_REMOVEDIR) < 0)
		note(&error, -errno);
	return error;
}

/* ---- volumes ----------------------------------------------------------------------------- */

/* "@00" to "@ff" */
static bool is_fanout(const char *name)
{
	return strlen(name) == 3 && name[0] == '@' && strspn(name + 1, "0123456789abcdef") == 2;
}

static int scrub_volume(int store_fd, const char *name, struct scrub_result *result)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *fanout;
	int r, error = 0;
	bool bare;

	r = open_dir(store_fd, name, &dir);
	if (r < 0)
		return r;
	r = has_attribute(dirfd(dir));
	if (r < 0)
		return r;
	bare = !r;

	while ((r = next_entry(dir, &fanout)) > 0)
		if (is_fanout(fanout))
			note(&error, scrub_fanout(dirfd(dir), fanout, bare, result));
	note(&error, r);
	if (bare) {
		/* Not empty where something lies in it that is none of the kernel's: stays. */
		if (unlinkat(store_fd, name, AT_REMOVEDIR) < 0)
			note(&error, -errno);
		else
			result->volumes++;
	}
	return error;
}

static int scrub_store(int root_fd, struct scrub_result *result)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	struct stat st;
	int r, error = 0;

	r = open_dir(root_fd, "cache", &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((r = next_entry(dir, &name)) > 0) {
		if (name[0] != 'I')
			continue;
		if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			note(&error, -errno);
		else if (S_ISDIR(st.st_mode))
			note(&error, scrub_volume(dirfd(dir), name, result));
	}
	note(&error, r);
	return error;
}

/* ---- graveyard --------------------------------------------------------------------------- */

/* Moves a directory up into the graveyard under a name that nothing has. */
static int lift_directory(int from, const char *name, int graveyard, unsigned int *number)
{
	char grave[32];

	for (;; ++*number) {
		snprintf(grave, sizeof(grave), "lifted-%u", *number);
		if (renameat2(from, name, graveyard, grave, RENAME_NOREPLACE) == 0) {
			++*number;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
}

/* Unlinks what is in one grave, and lifts the directories in it. */
static int empty_grave(int graveyard, const char *grave, struct scrub_result *result,
		       unsigned int *number)
{
	_cleanup_dir_ DIR *dir = NULL;
	const char *name;
	int r, error = 0;

	r = open_dir(graveyard, grave, &dir);
	if (r < 0)
		return r;
	while ((r = next_entry(dir, &name)) > 0) {
		if (unlinkat(dirfd(dir), name, 0) == 0)
			result->graves++;
		else if (errno == EISDIR)
			note(&error, lift_directory(dirfd(dir), name, graveyard, number));
		else
			note(&error, -errno);
	}
	note(&error, r);
	return error;
}

static int remove_grave(int graveyard, const char *name, struct scrub_result *result,
			unsigned int *number)
{
	int r;

	if (unlinkat(graveyard, name, 0) < 0) {
		if (errno != EISDIR)
			return -errno;
		r = empty_grave(graveyard, name, result, number);
		if (unlinkat(graveyard, name, AT_REMOVEDIR) < 0)
			return r < 0 ? r : -errno;
	}
	result->graves++;
	return 0;
}

/*
 * However deep a grave is, its directories are lifted one level per pass instead of descended
 * into: neither stack nor descriptors grow with what the disk holds. The last pass is the one that
 * neither removes nor lifts anything.
 */
static int empty_graveyard(int root_fd, struct scrub_result *result)
{
	_cleanup_dir_ DIR *dir = NULL;
	unsigned int number = 0, numbered, removed;
	const char *name;
	int r, error;

	r = open_dir(root_fd, "graveyard", &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	do {
		numbered = number;
		removed = result->graves;
		error = 0;
		rewinddir(dir);
		while ((r = next_entry(dir, &name)) > 0)
			note(&error, remove_grave(dirfd(dir), name, result, &number));
		note(&error, r);
	} while (number != numbered || result->graves != removed);
	return error;
}

int scrub_cache(int dir_fd, struct scrub_result *ret)
{
	_cleanup_close_ int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct scrub_result result = { 0 };
	int error = back < 0 ? -errno : 0;

	if (error == 0)
		note(&error, scrub_store(dir_fd, &result));
	if (back >= 0 && fchdir(back) < 0)
		note(&error, -errno);
	note(&error, empty_graveyard(dir_fd, &result));
	*ret = result;
	return error;
}

int scrub_graveyard(int dir_fd, struct scrub_result *ret)
{
	struct scrub_result result = { 0 };
	int error = empty_graveyard(dir_fd, &result);

	*ret = result;
	return error;
}
