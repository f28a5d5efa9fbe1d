/* SPDX-License-Identifier: MIT */
#include "tests/lib/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/loop/loop.h"
#include "tests/lib/fault-names.h"

static struct {
	bool armed, held, struck;
	enum fault_kind kind;
	uint64_t left; /* until the first failure */
	unsigned int more;
	int error;
} fault;

void fault_arm(enum fault_kind kind, uint64_t n, int error, unsigned int more)
{
	fault = (typeof(fault)){
		.armed = true,
		.held = fault.held,
		.kind = kind,
		.left = n,
		.more = more,
		.error = error,
	};
}

void fault_disarm(void)
{
	fault.armed = false;
}

void fault_hold(bool hold)
{
	fault.held = hold;
}

bool fault_struck(void)
{
	return fault.struck;
}

bool fault_point(enum fault_kind kind, int *error)
{
	if (!fault.armed || fault.held || fault.kind != kind)
		return false;
	if (fault.left > 0) {
		fault.left--;
		return false;
	}
	fault.struck = true;
	if (fault.more == 0)
		fault.armed = false;
	else
		fault.more--;
	*error = fault.error;
	return true;
}

/* The same for a function that tells its error by errno. */
static bool fails(enum fault_kind kind)
{
	int error;

	if (!fault_point(kind, &error))
		return false;
	errno = error;
	return true;
}

/* ---- memory ----------------------------------------------------------------------------- */

void *fault_malloc(size_t n)
{
	return fails(FAULT_ALLOC) ? NULL : malloc(n);
}

void *fault_calloc(size_t n, size_t size)
{
	return fails(FAULT_ALLOC) ? NULL : calloc(n, size);
}

void *fault_realloc(void *p, size_t n)
{
	return fails(FAULT_ALLOC) ? NULL : realloc(p, n);
}

void *fault_reallocarray(void *p, size_t n, size_t size)
{
	return fails(FAULT_ALLOC) ? NULL : reallocarray(p, n, size);
}

char *fault_strdup(const char *s)
{
	return fails(FAULT_ALLOC) ? NULL : strdup(s);
}

char *fault_strndup(const char *s, size_t n)
{
	return fails(FAULT_ALLOC) ? NULL : strndup(s, n);
}

/* The result is undefined after a failure: a free() of it would show. */
int fault_asprintf(char **ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (fails(FAULT_ALLOC)) {
		*ret = (char *)1;
		return -1;
	}
	va_start(ap, fmt);
	n = vasprintf(ret, fmt, ap);
	va_end(ap);
	return n;
}

void *fault_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	return fails(FAULT_ALLOC) ? NULL : tsearch(key, root, compare);
}

void *fault_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	return fails(FAULT_ALLOC) ? MAP_FAILED : mmap(at, n, prot, flags, fd, off);
}

/* ---- the loop --------------------------------------------------------------------------- */

int fault_loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when)
{
	int error;

	if (!loop_timer_armed(timer) && fault_point(FAULT_LOOP, &error))
		return -ENOMEM;
	return loop_timer_set(loop, timer, when);
}

int fault_loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events)
{
	int error;

	return fault_point(FAULT_LOOP, &error) ? -ENOMEM : loop_watch_add(loop, watch, fd, events);
}

int fault_loop_watch_modify(struct loop_watch *watch, uint32_t events)
{
	int error;

	return fault_point(FAULT_LOOP, &error) ? -ENOMEM : loop_watch_modify(watch, events);
}

void fault_loop_pread(struct loop *loop, struct loop_op *op, int fd, void *buf, size_t n,
		      uint64_t off)
{
	int error;

	loop_pread(loop, op, fd, buf, n, off);
	if (fault_point(FAULT_OP, &error))
		loop_op_cancel(loop, op);
}

void fault_loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t n,
		       uint64_t off)
{
	int error;

	loop_pwrite(loop, op, fd, buf, n, off);
	if (fault_point(FAULT_OP, &error))
		loop_op_cancel(loop, op);
}

/* ---- input and output ------------------------------------------------------------------- */

/* false: it has failed. Otherwise *n is how much of it is done: disks write whole blocks. */
static bool moves(enum fault_kind kind, size_t *n)
{
	int error;

	if (!fault_point(kind, &error))
		return true;
	errno = error;
	*n = *n % 4096 ? *n / 2 : *n / 2 / 4096 * 4096;
	return error == 0;
}

ssize_t fault_pwrite(int fd, const void *buf, size_t n, off_t off)
{
	if (!moves(FAULT_WRITE, &n))
		return -1;
	return n > 0 ? pwrite(fd, buf, n, off) : 0;
}

ssize_t fault_write(int fd, const void *buf, size_t n)
{
	return moves(FAULT_WRITE, &n) ? write(fd, buf, n) : -1;
}

ssize_t fault_pread(int fd, void *buf, size_t n, off_t off)
{
	return moves(FAULT_READ, &n) ? pread(fd, buf, n, off) : -1;
}

ssize_t fault_read(int fd, void *buf, size_t n)
{
	return moves(FAULT_READ, &n) ? read(fd, buf, n) : -1;
}

/* ---- other calls ------------------------------------------------------------------------ */

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int fault_open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	if (fails(FAULT_CALL))
		return -1;
	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open(path, flags, mode);
}

int fault_openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	if (fails(FAULT_CALL))
		return -1;
	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return openat(dir, path, flags, mode);
}

off_t fault_lseek(int fd, off_t off, int whence)
{
	return fails(FAULT_CALL) ? -1 : lseek(fd, off, whence);
}

int fault_setxattr(const char *path, const char *name, const void *value, size_t n, int flags)
{
	return fails(FAULT_CALL) ? -1 : setxattr(path, name, value, n, flags);
}

int fault_chmod(const char *path, mode_t mode)
{
	return fails(FAULT_CALL) ? -1 : chmod(path, mode);
}

int fault_madvise(void *at, size_t n, int advice)
{
	return fails(FAULT_CALL) ? -1 : madvise(at, n, advice);
}

int fault_unlink(const char *path)
{
	return fails(FAULT_CALL) ? -1 : unlink(path);
}

/* Of a poll that fails only a signal is something to live with. */
int fault_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	if (!fails(FAULT_CALL))
		return ppoll(fds, n, timeout, mask);
	errno = EINTR;
	return -1;
}
