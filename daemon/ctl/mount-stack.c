/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-stack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define LOWER_MAX 4096 /* of the options: a page, with their NUL */

const char *mount_stack_source(const struct mount_record *record)
{
	return mount_record_stacked(record) ? record->image : "cachefilld";
}

bool mount_stack_is(const struct mount_record *record, const struct mount_entry *entry)
{
	if (!mount_record_stacked(record))
		return mount_entry_is_layer(entry, record->layers[0]);
	return entry && strcmp(entry->type, "overlay") == 0 &&
	       strcmp(entry->source, record->image) == 0;
}

/* ---- one layer ---------------------------------------------------------------------------- */

static uint64_t attributes(unsigned long flags)
{
	static const struct {
		unsigned long flag;
		uint64_t attribute;
	} map[] = {
		{ MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },
		{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	};
	uint64_t set = MOUNT_ATTR_RDONLY; /* times of access are of no interest then */

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (flags & map[i].flag)
			set |= map[i].attribute;
	return set;
}

/* Only a mount that has its flags gets its place. */
static int bind_layer(const struct mount_stack *stack, char *error)
{
	const struct mount_record *record = stack->record;
	struct mount_attr attr = { .attr_set = attributes(stack->flags) };
	_cleanup_close_ int tree = -1;
	char layer[PATH_MAX];
	int r = mount_run_layer(stack->run, record->layers[0], layer);

	if (r < 0)
		return mount_fail_errno(error, r, "%s", record->layers[0]);
	tree = open_tree(AT_FDCWD, layer, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0 ||
	    move_mount(tree, "", AT_FDCWD, record->dir, MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return mount_fail_errno(error, -errno, "%s cannot be mounted on %s", record->image,
					record->dir);
	return 0;
}

/* ---- an overlay --------------------------------------------------------------------------- */

/* What was there before is of a mount that was not finished. */
static int link_to(const char *target, const char *path)
{
	unlink(path);
	return symlink(target, path) == 0 ? 0 : -errno;
}

/* RUN_DIR/mounts/ID.d/NAME -> target */
static int make_link(const struct mount_stack *stack, const char *name, const char *target)
{
	char path[PATH_MAX];
	int r = mount_run_private(stack->run, stack->record->dir, name, path);

	return r < 0 ? r : link_to(target, path);
}

static int make_private(const struct mount_stack *stack)
{
	char path[PATH_MAX];
	int r = mount_run_private(stack->run, stack->record->dir, "", path);

	if (r == 0 && mkdir(path, 0700) != 0 && errno != EEXIST)
		r = -errno;
	return r;
}

/* Links 0, 1, ... for the layers, and "lowerdir=" with the top one first. */
static int make_lower(const struct mount_stack *stack, char *options)
{
	size_t n = (size_t)snprintf(options, LOWER_MAX, "lowerdir=");
	char layer[PATH_MAX], name[24];
	int r = 0;

	for (size_t i = stack->record->n_layers; r == 0 && i-- > 0;) {
		snprintf(name, sizeof(name), "%zu", i);
		r = mount_run_layer(stack->run, stack->record->layers[i], layer);
		if (r == 0)
			r = make_link(stack, name, layer);
		n += (size_t)snprintf(options + n, LOWER_MAX - n, "%s%s", name, i ? ":" : "");
	}
	/* One layer under an upper directory is enough for the kernel, 500 fit. */
	return r;
}

/* A new upper directory is what one sees as the root of the image: it gets owner and mode of it,
 * and only then its name. */
static int make_upper(const struct mount_stack *stack, const char *upper)
{
	const struct mount_record *record = stack->record;
	char top[PATH_MAX], temporary[PATH_MAX];
	struct stat st;
	int r = mount_run_layer(stack->run, record->layers[record->n_layers - 1], top);

	if (r < 0 || access(upper, F_OK) == 0)
		return r;
	if (snprintf(temporary, sizeof(temporary), "%s.new", upper) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	if (mkdir(temporary, 0700) != 0 && errno != EEXIST)
		return -errno;
	if (stat(top, &st) != 0 || chown(temporary, st.st_uid, st.st_gid) != 0 ||
	    chmod(temporary, st.st_mode & 07777) != 0 || rename(temporary, upper) != 0)
		return -errno;
	return 0;
}

/* PARENT/upper and PARENT/work, and links to them. */
static int make_pair(const struct mount_stack *stack, const char *parent)
{
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/upper", parent) < (int)sizeof(path)
			? 0
			: -ENAMETOOLONG;

	if (r == 0)
		r = make_upper(stack, path);
	if (r == 0)
		r = make_link(stack, "u", path);
	if (r < 0)
		return r;
	memcpy(strrchr(path, '/'), "/work", sizeof("/work")); /* as long as "/upper" at most */
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	return make_link(stack, "w", path);
}

static int make_memory(const struct mount_stack *stack, char *ret)
{
	int r = mount_run_private(stack->run, stack->record->dir, "memory", ret);

	if (r < 0)
		return r;
	if (mkdir(ret, 0700) != 0 && errno != EEXIST)
		return -errno;
	return mount("cachefilld", ret, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0700") == 0 ? 0
											 : -errno;
}

static int make_writable(const struct mount_stack *stack, char *options)
{
	size_t n = strlen(options);
	char memory[PATH_MAX];
	int r = 0;

	if (stack->record->writable == MOUNT_IN_MEMORY)
		r = make_memory(stack, memory);
	if (r == 0)
		r = make_pair(stack, stack->record->writable == MOUNT_IN_MEMORY
					     ? memory
					     : stack->record->upper);
	if (r == 0 &&
	    snprintf(options + n, LOWER_MAX - n, ",upperdir=u,workdir=w") >= (int)(LOWER_MAX - n))
		r = -E2BIG;
	return r;
}

/* Seen from the directory with the links. */
static int call_mount(const struct mount_stack *stack, const char *options)
{
	_cleanup_close_ int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct mount_record *record = stack->record;
	unsigned long flags = stack->flags;
	char path[PATH_MAX];
	int r = mount_run_private(stack->run, record->dir, "", path);

	if (record->writable == MOUNT_READ_ONLY)
		flags |= MS_RDONLY;
	if (r == 0 && chdir(path) != 0)
		r = -errno;
	if (r < 0)
		return r;
	if (mount(mount_stack_source(record), record->dir, "overlay", flags, options) != 0)
		r = -errno;
	/* Nobody needs it afterwards; just not to be in the way. */
	if (here < 0 || fchdir(here) != 0)
		r = chdir("/") == 0 ? r : -errno;
	return r;
}

/* Where the upper directory cannot be one, the kernel mounts read-only and says it to its log. */
static int check_writable(const struct mount_record *record, char *error)
{
	struct statvfs st;

	if (record->writable == MOUNT_READ_ONLY || statvfs(record->dir, &st) != 0 ||
	    !(st.f_flag & ST_RDONLY))
		return 0;
	umount2(record->dir, UMOUNT_NOFOLLOW);
	return mount_fail(
		error, -EINVAL,
		"%s: its file system cannot hold the upper directory of an overlay: it is "
		"read-only, or has no trusted extended attributes (dmesg says more)",
		record->upper);
}

static int mount_overlay(const struct mount_stack *stack, char *error)
{
	const struct mount_record *record = stack->record;
	char options[LOWER_MAX];
	int r = make_private(stack);

	if (r == 0)
		r = make_lower(stack, options);
	if (r < 0)
		return mount_fail_errno(error, r, "%s", stack->run->dir);
	if (record->writable != MOUNT_READ_ONLY)
		r = make_writable(stack, options);
	if (r < 0)
		return mount_fail_errno(error, r, "%s cannot be made writable%s%s", record->image,
					*record->upper ? " in " : "", record->upper);
	r = call_mount(stack, options);
	if (r == -EINVAL)
		return mount_fail_errno(
			error, r, "overlayfs does not take the layers of %s%s%s (dmesg says why)",
			record->image, *record->upper ? " with " : "", record->upper);
	if (r < 0)
		return mount_fail_errno(error, r, "an overlay of %s cannot be mounted on %s",
					record->image, record->dir);
	return check_writable(record, error);
}

int mount_stack_make(const struct mount_stack *stack, char *error)
{
	return mount_record_stacked(stack->record) ? mount_overlay(stack, error)
						   : bind_layer(stack, error);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int remove_links(const char *path)
{
	_cleanup_(close_dirp) DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(dirfd(dir), entry->d_name, 0) != 0 &&
		    unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) != 0)
			return -errno;
	return rmdir(path) == 0 ? 0 : -errno;
}

int mount_stack_clean(const struct mount_run *run, const struct mount_record *record,
		      const struct mount_table *table, bool lazy)
{
	char path[PATH_MAX];
	const struct mount_entry *top;
	int r = mount_run_private(run, record->dir, "memory", path);

	if (r < 0)
		return r;
	top = mount_table_top(table, path);
	if (top && umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) != 0 && errno != EINVAL)
		return -errno;
	r = mount_run_private(run, record->dir, "", path);
	return r < 0 ? r : remove_links(path);
}
