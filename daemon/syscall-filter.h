/* SPDX-License-Identifier: MIT */
/*
 * Which system calls the daemon makes once it serves; all others fail with ENOSYS. So whoever takes
 * it over can neither start a process, nor mount, trace, load or reboot anything.
 *
 * What it does not do: operations that are handed to io_uring pass no filter, and arguments that
 * are pointers (names of files) are not looked at.
 */
#pragma once

#include <stdbool.h>

/* Words of the configuration, in the order of config-field.c. */
enum syscall_filter {
	SYSCALL_FILTER_NO,
	SYSCALL_FILTER_YES,
	SYSCALL_FILTER_LOG, /* the kernel logs what would have been refused, and does it */
};

/* Whether this build has one. */
bool syscall_filter_built_in(void);

/*
 * From now on, for all threads, what they start, and what this process becomes by execve: a
 * second call there changes nothing. Needs no_new_privs or CAP_SYS_ADMIN. -ENOTSUP: not built in;
 * -EINVAL: the kernel has none; -ENOMEM.
 */
int syscall_filter_install(enum syscall_filter filter);
