/* SPDX-License-Identifier: MIT */
/*
 * What the daemon gives up, in the order in which it can: its memory is nobody else's from the
 * start; once the cache is bound no capability is needed any more, since commands, writes and
 * completions work through the descriptors, and the kernel does its own I/O with the credentials of
 * bind; once it serves, few system calls are.
 */
#pragma once

#include "daemon/syscall-filter.h"

/*
 * No core dumps, and nobody without CAP_SYS_PTRACE looks into the memory, which holds tokens and
 * passwords. Not so in builds with a sanitizer, which finds leaks by tracing its own process.
 */
void privileges_hide(void);

/*
 * Gives up every capability, for good (permitted, bounding, ambient sets; no_new_privs). The user
 * stays: the files of the cache belong to the one who bound it, and stale ones must be marked.
 * 0 or a negative errno.
 */
int privileges_drop(void);

/*
 * Makes the system calls fail that nothing here needs (daemon/syscall-filter.h), after
 * privileges_drop(). What the kernel or this build does not have is left out, with a line in the
 * log: better a daemon without than readers without a daemon. Nor under valgrind, nor in builds with
 * a sanitizer.
 */
void privileges_confine(enum syscall_filter filter);

/* Raises RLIMIT_NOFILE to its hard limit: one descriptor per object that is open. */
void privileges_raise_nofile(void);
