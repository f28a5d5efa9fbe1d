/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/als-tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "fetchers/oci-reference.h"

#define INFO_MAX 4096 /* bytes; ours are 300 */

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int fail(char *error, const char *path, int err)
{
	snprintf(error, ALS_ERROR_MAX, "%.900s: %s", path, strerror(-err));
	return err;
}

/* DIR/BASE64[/DIGEST[/LEAF]]; -ENAMETOOLONG. */
static int path_of(char *ret, const char *dir, const char *name, const char *digest,
		   const char *leaf)
{
	char encoded[ALS_ENCODED_MAX];
	int n;

	als_name_encode(name, encoded);
	n = snprintf(ret, PATH_MAX, "%s/%s%s%s%s%s", dir, encoded, *digest ? "/" : "", digest,
		     *leaf ? "/" : "", leaf);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int als_tree_diff(const char *dir, const char *name, const char *digest, char *ret)
{
	return path_of(ret, dir, name, digest, "diff");
}

/* ---- making ------------------------------------------------------------------------------- */

static int make_dir(const char *path, mode_t mode, char *error)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return 0;
	return fail(error, path, -errno);
}

int als_tree_make(const char *path, char *error)
{
	char part[PATH_MAX];
	int r = 0;

	if (snprintf(part, sizeof(part), "%s", path) >= PATH_MAX)
		return fail(error, path, -ENAMETOOLONG);
	for (char *p = part + 1; r == 0 && (p = strchr(p, '/')); p++) {
		*p = '\0';
		r = make_dir(part, 0755, error);
		*p = '/';
	}
	return r == 0 ? make_dir(path, 0700, error) : r;
}

static int write_file(const char *path, const char *text, char *error)
{
	char temporary[PATH_MAX];
	_cleanup_close_ int fd = -1;
	size_t len = strlen(text);
	int r = 0;

	if (snprintf(temporary, sizeof(temporary), "%s~", path) >= PATH_MAX)
		return fail(error, path, -ENAMETOOLONG);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return fail(error, temporary, -errno);
	/* It is in memory: short writes are those of a full file system. */
	if (write(fd, text, len) != (ssize_t)len)
		r = errno ? -errno : -ENOSPC;
	else if (rename(temporary, path) != 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return fail(error, path, r);
	}
	return 0;
}

static int make_link(const char *path, const char *target, char *error)
{
	char temporary[PATH_MAX];

	if (snprintf(temporary, sizeof(temporary), "%s~", path) >= PATH_MAX)
		return fail(error, path, -ENAMETOOLONG);
	(void)unlink(temporary);
	if (symlink(target, temporary) == 0 && rename(temporary, path) == 0)
		return 0;
	return fail(error, path, -errno);
}

int als_tree_prepare(const char *dir, const char *name, const char *digest, char *ret_diff,
		     char *error)
{
	char path[PATH_MAX];
	int r = path_of(path, dir, name, digest, "");

	if (r == 0)
		r = path_of(ret_diff, dir, name, digest, "diff");
	if (r < 0)
		return fail(error, dir, r);
	r = als_tree_make(dir, error);
	if (r == 0)
		r = als_tree_make(path, error);
	return r == 0 ? make_dir(ret_diff, 0700, error) : r;
}

int als_tree_publish(const char *dir, const char *name, const struct als_info *info,
		     const char *layer, char *error)
{
	_cleanup_free_ char *text = als_info_format(info);
	char blob[PATH_MAX], path[PATH_MAX];
	int r = text ? path_of(path, dir, name, info->digest, "info") : -ENOMEM;

	if (r == 0)
		r = path_of(blob, dir, name, info->digest, "blob");
	if (r < 0)
		return fail(error, dir, r);
	r = make_link(blob, layer, error);
	return r == 0 ? write_file(path, text, error) : r;
}

/* ---- removing ----------------------------------------------------------------------------- */

static int remove_leaf(const char *dir, const char *name, const char *digest, const char *leaf,
		       char *error)
{
	char path[PATH_MAX];
	int r = path_of(path, dir, name, digest, leaf);

	if (r == 0 && remove(path) != 0 && errno != ENOENT)
		r = -errno;
	return r < 0 ? fail(error, path, r) : 0;
}

int als_tree_withdraw(const char *dir, const char *name, const char *digest, char *error)
{
	return remove_leaf(dir, name, digest, "info", error);
}

int als_tree_remove(const char *dir, const char *name, const char *digest, char *error)
{
	static const char *const leaves[] = { "info", "info~", "diff", "blob", "blob~", "use", "" };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(leaves) / sizeof(leaves[0]); i++)
		r = remove_leaf(dir, name, digest, leaves[i], error);
	if (r == 0 && path_of(path, dir, name, "", "") == 0)
		(void)rmdir(path); /* other layers may still be there */
	return r;
}

/* ---- walking ------------------------------------------------------------------------------ */

static void read_info(const char *path, struct als_info *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[INFO_MAX];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : 0;

	if (n > 0)
		(void)als_info_parse(ret, text, (size_t)n);
}

static int visit_layer(const char *dir, const char *name, const char *digest,
		       int (*visit)(void *arg, const struct als_entry *entry), void *arg)
{
	char diff[PATH_MAX], info[PATH_MAX];
	struct als_entry entry = { .name = name, .digest = digest, .diff = diff };
	int r = path_of(diff, dir, name, digest, "diff");

	if (r == 0)
		r = path_of(info, dir, name, digest, "info");
	if (r < 0)
		return r;
	read_info(info, &entry.info);
	r = visit(arg, &entry);
	als_info_end(&entry.info);
	return r;
}

static int each_layer(const char *dir, const char *name,
		      int (*visit)(void *arg, const struct als_entry *entry), void *arg)
{
	_cleanup_(close_dirp) DIR *layers = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	int r = path_of(path, dir, name, "", "");

	if (r < 0)
		return r;
	layers = opendir(path);
	if (!layers)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(layers)))
		if (oci_digest_valid(entry->d_name))
			r = visit_layer(dir, name, entry->d_name, visit, arg);
	return r;
}

int als_tree_each(const char *dir, const char *name,
		  int (*visit)(void *arg, const struct als_entry *entry), void *arg)
{
	_cleanup_(close_dirp) DIR *names = NULL;
	char decoded[ALS_REFERENCE_MAX];
	struct dirent *entry;
	int r = 0;

	if (name)
		return each_layer(dir, name, visit, arg);
	names = opendir(dir);
	if (!names)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(names)))
		if (als_name_decode(entry->d_name, decoded) == 0)
			r = each_layer(dir, decoded, visit, arg);
	return r;
}
