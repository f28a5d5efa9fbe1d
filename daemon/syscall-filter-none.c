/* SPDX-License-Identifier: MIT */
/* In place of syscall-filter.c, for builds without libseccomp. */
#include "daemon/syscall-filter.h"

#include <errno.h>

bool syscall_filter_built_in(void)
{
	return false;
}

int syscall_filter_install(enum syscall_filter filter)
{
	return filter == SYSCALL_FILTER_NO ? 0 : -ENOTSUP;
}
