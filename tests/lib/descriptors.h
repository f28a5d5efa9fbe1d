/* SPDX-License-Identifier: MIT */
/*
 * A process without descriptors: those that are open stay, and no other can be had.
 */
#pragma once

#include <check.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static inline rlim_t descriptors_limit(rlim_t n)
{
	struct rlimit limit;
	rlim_t old;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	old = limit.rlim_cur;
	limit.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return old;
}

/* What descriptors_limit() takes for there to be some again. */
static inline rlim_t descriptors_run_out(void)
{
	int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	ck_assert_int_ge(lowest, 0);
	close(lowest);
	return descriptors_limit((rlim_t)lowest);
}
