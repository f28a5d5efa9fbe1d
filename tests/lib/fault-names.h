/* SPDX-License-Identifier: MIT */
/*
 * The functions that may fail: what the daemon's objects call `NAME`, or `NAME64`, is `fault_NAME`
 * in a program that is linked with `faulty`. tests/torture/instrument.sh reads the names here.
 */
#pragma once

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_op;
struct loop_timer;
struct loop_watch;

void *fault_malloc(size_t n);
void *fault_calloc(size_t n, size_t size);
void *fault_realloc(void *p, size_t n);
void *fault_reallocarray(void *p, size_t n, size_t size);
char *fault_strdup(const char *s);
char *fault_strndup(const char *s, size_t n);
int fault_asprintf(char **ret, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *fault_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *fault_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);

int fault_loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t when);
int fault_loop_watch_add(struct loop *loop, struct loop_watch *watch, int fd, uint32_t events);
int fault_loop_watch_modify(struct loop_watch *watch, uint32_t events);
void fault_loop_pread(struct loop *loop, struct loop_op *op, int fd, void *buf, size_t n,
		      uint64_t off);
void fault_loop_pwrite(struct loop *loop, struct loop_op *op, int fd, const void *buf, size_t n,
		       uint64_t off);

ssize_t fault_pwrite(int fd, const void *buf, size_t n, off_t off);
ssize_t fault_write(int fd, const void *buf, size_t n);
ssize_t fault_pread(int fd, void *buf, size_t n, off_t off);
ssize_t fault_read(int fd, void *buf, size_t n);

int fault_open(const char *path, int flags, ...);
int fault_openat(int dir, const char *path, int flags, ...);
off_t fault_lseek(int fd, off_t off, int whence);
int fault_setxattr(const char *path, const char *name, const void *value, size_t n, int flags);
int fault_chmod(const char *path, mode_t mode);
int fault_madvise(void *at, size_t n, int advice);
int fault_unlink(const char *path);
int fault_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
