/* SPDX-License-Identifier: MIT */
/*
 * What a recorder in the rig can suffer: its disk is slow, and memory ends. For a program that is
 * linked with --wrap for each of these functions.
 */
#pragma once

#include <errno.h>
#include <sys/stat.h>

#include "tests/unit/recording.h"

/* The trace's disk: its write is kept here while it is slow. */
static struct {
	bool slow;
	struct loop_op *op; /* NULL: none */
	const void *buf;
	size_t len;
	uint64_t off;
	int fd;
} disk;

#define NEVER UINT32_MAX
static unsigned int memory_lasts = NEVER; /* allocations until one fails */

void __real_loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t len,
			uint64_t off);
void __wrap_loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t len,
			uint64_t off);
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static inline bool is_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

void __wrap_loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t len,
			uint64_t off)
{
	if (!disk.slow || !is_file(fd, recorder_stats(recorder).path)) {
		__real_loop_pwrite(loop, op, fd, buf, len, off);
		return;
	}
	ck_assert_ptr_null(disk.op); /* one write at a time */
	disk.op = op;
	disk.fd = fd;
	disk.buf = buf;
	disk.len = len;
	disk.off = off;
}

static inline void disk_works_again(void)
{
	disk.slow = false;
	ck_assert_ptr_nonnull(disk.op);
	__real_loop_pwrite(rig.loop, disk.op, disk.fd, disk.buf, disk.len, disk.off);
	disk.op = NULL;
}

static inline bool memory_ends(void)
{
	if (memory_lasts == NEVER || memory_lasts-- > 0)
		return false;
	memory_lasts = NEVER;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return memory_ends() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_ends() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return memory_ends() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return memory_ends() ? NULL : __real_reallocarray(p, n, size);
}
