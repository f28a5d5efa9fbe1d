/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/cachedir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/kernel/refuse.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "proto/cachename.h"

#define XFS_MAGIC  0x58465342 /* <linux/magic.h> lacks it, and the next */
#define ZFS_MAGIC  0x2fc12fc1

#define PROBE_NAME ".cachefilld-probe"

/* ---- the directory ----------------------------------------------------------------------- */

/* Without following a last symbolic link: neither does bind (kern_path() without LOOKUP_FOLLOW). */
static enum startup_status open_root(int *ret, const char *path, char *error)
{
	struct stat st;
	int fd;

	if (path[0] != '/')
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The cache directory '%s' is not an absolute path; write it "
				      "from the root.",
				      path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		*ret = fd;
		return STARTUP_OK;
	}
	if (errno == ENOENT)
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The cache directory %s does not exist; make it: mkdir -p -m "
				      "0700 %s",
				      path, path);
	if (errno == ENOTDIR && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The cache directory %s is a symbolic link, which the kernel "
				      "does not follow; name the directory behind it.",
				      path);
	if (errno == ENOTDIR)
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The cache directory %s is not a directory; name another.",
				      path);
	return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
			      "The cache directory %s cannot be opened (%m); make it readable for "
			      "this user.",
			      path);
}

static enum startup_status check_writable(int fd, const char *path, char *error)
{
	struct statvfs st;

	if (fstatvfs(fd, &st) == 0 && (st.f_flag & ST_RDONLY))
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The cache directory %s is on a file system that is mounted "
				      "read-only; mount it writable or name another directory.",
				      path);
	if (faccessat(fd, ".", R_OK | W_OK | X_OK, AT_EACCESS) < 0)
		return startup_refuse(
			error, STARTUP_BAD_CACHE_DIR,
			"The cache directory %s is not writable (%m); start as root or "
			"change its owner and mode.",
			path);
	return STARTUP_OK;
}

/* ---- the kind of file system ------------------------------------------------------------- */

enum suitability {
	FS_TRIED, /* works, by experiment */
	FS_OTHER, /* nobody tried, or works on some kernels only: the probes decide */
	FS_NEVER, /* bind answers EOPNOTSUPP */
};

static const struct {
	unsigned long magic;
	const char *name;
	enum suitability suits;
} file_systems[] = {
	{ EXT4_SUPER_MAGIC, "ext4", FS_TRIED },	  { XFS_MAGIC, "xfs", FS_TRIED },
	{ BTRFS_SUPER_MAGIC, "btrfs", FS_TRIED }, { TMPFS_MAGIC, "tmpfs", FS_NEVER },
	{ RAMFS_MAGIC, "ramfs", FS_NEVER },	  { OVERLAYFS_SUPER_MAGIC, "overlayfs", FS_OTHER },
	{ F2FS_SUPER_MAGIC, "f2fs", FS_OTHER },	  { ZFS_MAGIC, "zfs", FS_OTHER },
	{ NFS_SUPER_MAGIC, "nfs", FS_OTHER },	  { FUSE_SUPER_MAGIC, "fuse", FS_OTHER },
	{ V9FS_MAGIC, "9p", FS_OTHER },		  { MSDOS_SUPER_MAGIC, "vfat", FS_OTHER },
};

static enum startup_status check_kind(struct cachedir *dir, const struct statfs *fs,
				      const char *path, char *error)
{
	enum suitability suits = FS_OTHER;
	long page = sysconf(_SC_PAGESIZE);

	snprintf(dir->fs, sizeof(dir->fs), "type 0x%lx", (unsigned long)fs->f_type);
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++)
		if (file_systems[i].magic == (unsigned long)fs->f_type) {
			snprintf(dir->fs, sizeof(dir->fs), "%s", file_systems[i].name);
			suits = file_systems[i].suits;
		}
	dir->fs_tried = suits == FS_TRIED;
	dir->block = (unsigned int)fs->f_bsize;
	if (suits == FS_NEVER)
		return startup_refuse(error, STARTUP_BAD_FILESYSTEM,
				      "The cache directory %s is on %s, which the kernel does not "
				      "take for a cache; use ext4, xfs or btrfs.",
				      path, dir->fs);
	/* A partly written page would be served with zeros in it, or fail its reader. */
	if (fs->f_bsize != page)
		return startup_refuse(error, STARTUP_BAD_FILESYSTEM,
				      "The file system of %s has blocks of %ld bytes while pages "
				      "have %ld; make one with equal sizes (mkfs -t ext4 -b %ld).",
				      path, (long)fs->f_bsize, page, page);
	return STARTUP_OK;
}

/* ---- what it can do ---------------------------------------------------------------------- */

static enum startup_status lacks(char *error, const char *path, const char *fs, const char *what)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return startup_refuse(error, STARTUP_NO_SPACE,
				      "The file system of %s is full (%m); free some space.", path);
	return startup_refuse(error, STARTUP_BAD_FILESYSTEM,
			      "The file system of %s (%s) has no %s (%m); use ext4, xfs or btrfs.",
			      path, fs, what);
}

/* One block in the middle of a hole has to be seen as exactly that. */
static bool finds_holes(int fd, off_t at, off_t size)
{
	errno = 0;
	return lseek(fd, 0, SEEK_DATA) == at &&
	       lseek(fd, at, SEEK_HOLE) == at + (off_t)CACHE_BLOCK &&
	       lseek(fd, at + (off_t)CACHE_BLOCK, SEEK_HOLE) == at + (off_t)CACHE_BLOCK &&
	       lseek(fd, at + (off_t)CACHE_BLOCK, SEEK_DATA) < 0 && errno == ENXIO &&
	       lseek(fd, size - 1, SEEK_HOLE) == size - 1;
}

/* By way of /proc, since AT_EMPTY_PATH wants another capability. */
static int link_once(int dir, int fd)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	unlinkat(dir, PROBE_NAME, 0);
	if (linkat(AT_FDCWD, self, dir, PROBE_NAME, AT_SYMLINK_FOLLOW) < 0)
		return -1;
	return unlinkat(dir, PROBE_NAME, 0);
}

static enum startup_status check_abilities(const struct cachedir *dir, int root, const char *path,
					   bool may_link, char *error)
{
	static _Alignas(4096) const char block[CACHE_BLOCK] = "probe";
	const off_t at = 1 << 20, size = 2 << 20;
	_cleanup_close_ int fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return lacks(error, path, dir->fs, "O_TMPFILE");
	if (fsetxattr(fd, CACHENAME_XATTR, "probe", 5, 0) < 0)
		return lacks(error, path, dir->fs, "user.* extended attributes");
	if (ftruncate(fd, size) < 0)
		return lacks(error, path, dir->fs, "sparse files");
	if (fcntl(fd, F_SETFL, O_DIRECT) < 0 ||
	    pwrite(fd, block, sizeof(block), at) != (ssize_t)sizeof(block))
		return lacks(error, path, dir->fs, "O_DIRECT writes of 4 KiB");
	if (!finds_holes(fd, at, size)) {
		errno = EOPNOTSUPP;
		return lacks(error, path, dir->fs, "exact SEEK_DATA and SEEK_HOLE");
	}
	if (may_link && link_once(root, fd) < 0)
		return lacks(error, path, dir->fs, "way to give a name to an O_TMPFILE");
	return STARTUP_OK;
}

/* ---- room -------------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

/* The kernel's own arithmetic: cachefiles_add_cache(), cachefiles_has_space(). */
static bool is_below(uint64_t part, uint64_t whole, unsigned int limit)
{
	return part < whole / 100 * limit;
}

/* fd: the cache root. Below stop only what is cached already can be served, and culled to make
 * room: where there is nothing, nothing can be done. */
static enum startup_status check_room(struct cachedir *dir, int fd, const struct statfs *fs,
				      const char *path, const struct cf_limits *limits, char *error)
{
	bool used = faccessat(fd, "cache", F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	dir->blocks = percent(fs->f_bavail, fs->f_blocks);
	dir->files = percent(fs->f_ffree, fs->f_files);
	dir->low = is_below(fs->f_bavail, fs->f_blocks, limits->bcull) ||
		   is_below(fs->f_ffree, fs->f_files, limits->fcull);
	if (!used && is_below(fs->f_bavail, fs->f_blocks, limits->bstop))
		return startup_refuse(error, STARTUP_NO_SPACE,
				      "The file system of %s has %.1f %% of its blocks free, below "
				      "bstop = %u %%, so that the kernel would store nothing; free "
				      "some space or lower bstop.",
				      path, dir->blocks, limits->bstop);
	if (!used && is_below(fs->f_ffree, fs->f_files, limits->fstop))
		return startup_refuse(
			error, STARTUP_NO_SPACE,
			"The file system of %s has %.1f %% of its inodes free, below "
			"fstop = %u %%, so that the kernel would make no file; remove "
			"some files or lower fstop.",
			path, dir->files, limits->fstop);
	return STARTUP_OK;
}

enum startup_status cachedir_check(struct cachedir *ret, const char *path,
				   const struct cf_limits *limits, bool may_link, char *error)
{
	_cleanup_close_ int fd = -1;
	enum startup_status status;
	struct statfs fs;

	*ret = (struct cachedir){ .fd = -1 };
	status = open_root(&fd, path, error);
	if (status != STARTUP_OK)
		return status;
	if (fstatfs(fd, &fs) < 0)
		return startup_refuse(error, STARTUP_BAD_CACHE_DIR,
				      "The file system of %s cannot be asked (%m); check it.",
				      path);
	ret->noatime = fs.f_flags & ST_NOATIME;
	status = check_kind(ret, &fs, path, error);
	if (status == STARTUP_OK)
		status = check_writable(fd, path, error);
	if (status == STARTUP_OK)
		status = check_room(ret, fd, &fs, path, limits, error);
	if (status == STARTUP_OK)
		status = check_abilities(ret, fd, path, may_link, error);
	if (status == STARTUP_OK)
		ret->fd = steal_fd(&fd);
	return status;
}
