/* SPDX-License-Identifier: MIT */
#include "daemon/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/util/log.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

void privileges_hide(void)
{
	const struct rlimit none = { 0, 0 };

	if (SANITIZED)
		return;
	/* The limit is for what comes of us by execve; a dump into a pipe does not heed it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		log_warning("cannot forbid core dumps: %s", strerror(errno));
}

/* Tools that do for this process what the filter would refuse; NULL: there is none. */
static const char *tool(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (SANITIZED)
		return "a sanitizer";
	return preload && strstr(preload, "vgpreload") ? "valgrind" : NULL;
}

void privileges_confine(enum syscall_filter filter)
{
	int err;

	if (filter != SYSCALL_FILTER_NO && tool()) {
		log_info("no filter of system calls: it would be in the way of %s", tool());
		return;
	}
	err = syscall_filter_install(filter);
	if (err == -ENOTSUP)
		log_info("no filter of system calls: this build has none");
	else if (err < 0)
		log_warning("no filter of system calls: %s%s", strerror(-err),
			    err == -EINVAL ? ", the kernel lacks CONFIG_SECCOMP_FILTER" : "");
}

int privileges_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	/* The bounding set first: shrinking it needs CAP_SETPCAP. Past the last one it is EINVAL.
	 */
	for (unsigned long cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (syscall(SYS_capset, &header, none) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

void privileges_raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_debug("cannot raise RLIMIT_NOFILE");
}
