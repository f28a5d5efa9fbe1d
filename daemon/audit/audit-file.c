/* SPDX-License-Identifier: MIT */
#include "daemon/audit/audit-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "proto/cachename.h"

#define PIECE ((size_t)1 << 20)

/*
 * Not by its name a second time, which may be another file's by then. 6.1 makes cache files with
 * mode 0, which keeps even their owner out where it has no capabilities. Reading must not count as
 * a use (O_NOATIME).
 */
static int open_file(int dir_fd, const char *path, int *ret)
{
	_cleanup_close_ int there = openat(dir_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	const int flags = O_RDONLY | O_DIRECT | O_NOATIME | O_CLOEXEC;
	char name[32];
	struct stat st;
	int fd;

	if (there < 0 || fstat(there, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", there);
	fd = open(name, flags);
	if (fd < 0 && errno == EACCES && chmod(name, 0600) == 0)
		fd = open(name, flags);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

/* What was discarded keeps its name until there is a file in its place. */
static bool is_current(int fd)
{
	uint8_t value[CACHENAME_OBJECT_XATTR_LEN + 1];
	ssize_t n = fgetxattr(fd, CACHENAME_XATTR, value, sizeof(value));
	uint64_t size;

	return n > 0 && cachename_parse_xattr(value, (size_t)n, &size);
}

/* A hole in a block of it means that the block is not there. */
static int check_complete(int fd, uint64_t size)
{
	off_t hole = lseek(fd, 0, SEEK_HOLE);

	if (hole < 0)
		return errno == ENXIO ? -ENODATA : -errno;
	return (uint64_t)hole < size ? -ENODATA : 0;
}

static int hash(int fd, struct sha256 *sha, void *buf, uint64_t size, const atomic_bool *stop,
		uint64_t *off)
{
	while (*off < size) {
		ssize_t n = atomic_load(stop) ? 0 : pread(fd, buf, PIECE, (off_t)*off);

		if (atomic_load(stop))
			return -ECANCELED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		/* Behind the object its last block is padded; a shorter piece ends the file. */
		sha256_update(sha, buf, min_u64((uint64_t)n, size - *off));
		*off += min_u64((uint64_t)n, size - *off);
	}
	return 0;
}

int audit_file(int dir_fd, const char *path, uint64_t size, const atomic_bool *stop,
	       char ret_hex[SHA256_HEX], uint64_t *ret_bytes)
{
	_cleanup_(sha256_freep) struct sha256 *sha = NULL;
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *buf = NULL;
	int err = open_file(dir_fd, path, &fd);

	*ret_bytes = 0;
	if (err == 0 && !is_current(fd))
		err = -ENOENT;
	if (err == 0 && size > 0)
		err = check_complete(fd, size);
	if (err == 0)
		err = sha256_new(&sha);
	if (err == 0)
		err = -posix_memalign((void **)&buf, 4096, PIECE);
	if (err == 0)
		err = hash(fd, sha, buf, size, stop, ret_bytes);
	/* It may have been discarded, and the next one have taken its key. */
	if (err == 0 && !is_current(fd))
		err = -ENOENT;
	if (err == 0)
		sha256_hex(sha, ret_hex);
	return err;
}
