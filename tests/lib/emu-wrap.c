/* SPDX-License-Identifier: MIT */
/*
 * pwrite(2) and lseek(2) as an anonymous descriptor answers them, for programs that are linked
 * with --wrap of both. fs/cachefiles/ondemand.c: cachefiles_ondemand_fd_write_iter,
 * cachefiles_ondemand_fd_llseek. Other descriptors go straight through.
 */
#include <errno.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

#define SECTOR 512

ssize_t __real_pwrite64(int fd, const void *buf, size_t n, off64_t off);
off64_t __real_lseek64(int fd, off64_t off, int whence);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t n, off64_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off64_t off);
off64_t __wrap_lseek64(int fd, off64_t off, int whence);
off64_t __wrap_lseek(int fd, off64_t off, int whence);

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
