/* SPDX-License-Identifier: MIT */
/*
 * pwrite(2) and lseek(2) as an anonymous descriptor answers them, and fstatvfs(2) of the cache
 * directory, for programs that are linked with --wrap of them. fs/cachefiles/ondemand.c:
 * cachefiles_ondemand_fd_write_iter, cachefiles_ondemand_fd_llseek. Other descriptors go straight
 * through.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

#define SECTOR 512

ssize_t __real_pwrite64(int fd, const void *buf, size_t n, off64_t off);
off64_t __real_lseek64(int fd, off64_t off, int whence);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off64_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off64_t off);
off64_t __wrap_lseek64(int fd, off64_t off, int whence);
off64_t __wrap_lseek(int fd, off64_t off, int whence);
int __real_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_fstatvfs(int fd, struct statvfs *ret);

static struct emu_object *object_of(int fd)
{
	struct emu_object *object = NULL;

	for (struct emu *emu = emu_all; emu && !object; emu = emu->next)
		HASH_FIND(hh_fd, emu->by_fd, &fd, sizeof(fd), object);
	return object;
}

/* 0, or the errno of the refusal; what no daemon should try is a violation as well. */
static int write_check(struct emu_object *object, const void *buf, size_t n, uint64_t off)
{
	struct emu *emu = object->emu;

	if (!emu_object_is_ready(object))
		return ENOBUFS;
	if (off % EMU_PAGE || n % EMU_PAGE || (uintptr_t)buf % EMU_PAGE)
		emu_violation(emu, "unaligned write of %zu bytes from %p at %ju to object %u", n,
			      buf, (uintmax_t)off, object->id);
	if (off % EMU_PAGE)
		return ENOBUFS;
	if (n % SECTOR || (uintptr_t)buf % SECTOR)
		return EINVAL;
	if (emu->config.disk && emu_disk_free(emu) < n + emu->config.disk / 100)
		return ENOBUFS;
	if (off + n > object->file->limit)
		emu_violation(emu, "write up to %ju into object %u, which ends at %ju",
			      (uintmax_t)(off + n), object->id, (uintmax_t)object->size);
	return 0;
}

/* A write that the test has ordered to go wrong; false: nothing is left of it to do. */
static bool write_fault(struct emu *emu, size_t *n)
{
	if (emu->write_faults == 0)
		return true;
	emu->write_faults--;
	if (*n > emu->write_fault_max)
		*n = emu->write_fault_max;
	return *n > 0;
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off64_t off)
{
	struct emu_object *object = object_of(fd);
	struct emu *emu;
	int error;

	if (!object)
		return __real_pwrite64(fd, buf, n, off);
	emu = object->emu;
	error = write_check(object, buf, n, (uint64_t)off);
	if (error || !write_fault(emu, &n)) {
		emu->counters.writes_refused++;
		errno = error ? error : -emu->write_fault_error;
		return -1;
	}
	emu_file_compare(emu, object->file, buf, (uint64_t)off, n, "the daemon wrote");
	emu->counters.writes++;
	emu->counters.bytes_written += n;
	emu->counters.bytes_rewritten += emu_file_present(emu, object->file, (uint64_t)off, n);
	return __real_pwrite64(fd, buf, n, off);
}

off64_t __wrap_lseek64(int fd, off64_t off, int whence)
{
	struct emu_object *object = object_of(fd);

	if (object && !emu_object_is_ready(object)) {
		errno = ENOBUFS;
		return -1;
	}
	return __real_lseek64(fd, off, whence);
}

/* Which of the names a file uses depends on how it was compiled. */
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off64_t off)
{
	return __wrap_pwrite64(fd, buf, n, off);
}

off64_t __wrap_lseek(int fd, off64_t off, int whence)
{
	return __wrap_lseek64(fd, off, whence);
}

/* ---- the disk of the cache ---------------------------------------------------------------- */

static struct emu *emu_of(int fd)
{
	struct emu *emu = emu_all;

	while (emu && emu->dir_fd != fd)
		emu = emu->next;
	return emu;
}

int __wrap_fstatvfs64(int fd, struct statvfs *ret)
{
	struct emu *emu = emu_of(fd);
	uint64_t disk;

	if (!emu)
		return __real_fstatvfs64(fd, ret);
	disk = emu->config.disk ? emu->config.disk : (uint64_t)1 << 40;
	memset(ret, 0, sizeof(*ret));
	ret->f_bsize = ret->f_frsize = EMU_PAGE;
	ret->f_blocks = disk / EMU_PAGE;
	ret->f_bavail = (emu->config.disk ? emu_disk_free(emu) : disk) / EMU_PAGE;
	return 0;
}

int __wrap_fstatvfs(int fd, struct statvfs *ret)
{
	return __wrap_fstatvfs64(fd, ret);
}
