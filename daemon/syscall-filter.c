/* SPDX-License-Identifier: MIT */
#include "daemon/syscall-filter.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/util/cleanup.h"

/*
 * Found by tests/kernel/scenarios/61-system-calls.sh, by the contract under the filter, and in the
 * sources of the C library, libcurl, OpenSSL, SQLite and libmicrohttpd. Names that an architecture
 * does not have are left out there.
 */
/* clang-format off */
static const char *const allowed[] = {
	/* memory: mmap and mprotect are below */
	"brk", "madvise", "mincore", "mremap", "msync", "munmap", "membarrier",
	/* threads of libcurl's resolver, of culling, and of hashing, which gives way to all others;
	 * clone is below */
	"exit", "exit_group", "futex", "futex_time64", "get_robust_list", "get_thread_area",
	"gettid", "ioprio_set", "rseq", "sched_getaffinity", "sched_yield", "set_robust_list",
	"set_thread_area", "set_tid_address", "setpriority",
	/* signals, also to ourselves: abort() */
	"restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
	"rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "sigreturn", "tgkill", "tkill",
	/* time */
	"clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "gettimeofday", "nanosleep", "time",
	/* who we are, and what the host has */
	"arch_prctl", "capget", "capset", "getegid", "getegid32", "geteuid", "geteuid32", "getgid",
	"getgid32", "getgroups", "getgroups32", "getpgrp", "getpgid", "getpid", "getppid",
	"getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "getuid",
	"getuid32", "prlimit64", "seccomp", "setrlimit", "sysinfo", "times", "ugetrlimit", "uname",
	/* waiting */
	"_newselect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "inotify_add_watch", "inotify_init",
	"inotify_init1", "inotify_rm_watch", "pipe", "pipe2", "poll", "ppoll", "ppoll_time64",
	"pselect6", "pselect6_time64", "select", "signalfd", "signalfd4", "timerfd_create",
	"timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64",
	"io_uring_enter",
	/* descriptors */
	"close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "flock", "_llseek",
	"lseek", "memfd_create", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
	"read", "readv", "write", "writev",
	/* files */
	"access", "chdir", "chmod", "chown", "chown32", "creat", "faccessat", "faccessat2",
	"fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2",
	"fchown", "fchown32", "fdatasync", "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr",
	"fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
	"ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "lgetxattr",
	"link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lsetxattr", "lstat",
	"lstat64", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2", "readahead",
	"readlink", "readlinkat", "removexattr", "rename", "renameat", "renameat2", "rmdir",
	"setxattr", "stat", "stat64", "statfs", "statfs64", "statx", "symlink", "symlinkat",
	"sync_file_range", "truncate", "truncate64", "umask", "unlink", "unlinkat", "utime",
	"utimensat", "utimensat_time64", "utimes",
	/* the network: socket is below */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg",
	"sendmsg", "sendto", "setsockopt", "shutdown", "socketcall", "socketpair",
	/* the end of the process that runs credential helpers */
	"wait4", "waitid", "waitpid",
	/* SIGUSR2: this program once more, which starts under the filter, and rings of its own */
	"execve", "io_uring_register", "io_uring_setup",
};
/* clang-format on */

/* Nothing is prctl(2)'s own that looks like this: an answer to it says that the filter is there. */
#define SIGNATURE 0x63666c64

static void release_filter(scmp_filter_ctx *ctx)
{
	seccomp_release(*ctx);
}

/* One call, with one condition on one argument; one that the architecture does not have is none. */
static int allow_if(scmp_filter_ctx ctx, const char *name, struct scmp_arg_cmp condition)
{
	int number = seccomp_syscall_resolve_name(name);

	return number == __NR_SCMP_ERROR
		       ? 0
		       : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &condition);
}

static int allow_all(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);
		int r = number == __NR_SCMP_ERROR
				? 0
				: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Memory that can be written is never executed; what dlopen(3) maps is not written. */
static int allow_memory(scmp_filter_ctx ctx)
{
	int r = 0;

	for (int write = 0; r == 0 && write < 2; write++) {
		const scmp_datum_t mask = PROT_WRITE | PROT_EXEC;
		const scmp_datum_t prot = write ? PROT_WRITE : PROT_EXEC;

		r = allow_if(ctx, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, mask, prot));
		if (r == 0)
			r = allow_if(ctx, "mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, mask, prot));
	}
	if (r == 0)
		r = allow_if(ctx, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, 0));
	if (r == 0)
		r = allow_if(ctx, "mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, 0));
	return r < 0 ? r : allow_if(ctx, "mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* Threads and no processes; a thread may have a working directory of its own, to cull there. */
static int allow_threads(scmp_filter_ctx ctx)
{
	int r = allow_if(ctx, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	return r < 0 ? r : allow_if(ctx, "unshare", SCMP_A0(SCMP_CMP_EQ, CLONE_FS));
}

static int allow_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(families) / sizeof(families[0]); i++)
		r = allow_if(ctx, "socket", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	return r;
}

static int sign(scmp_filter_ctx ctx)
{
	int r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EALREADY), SCMP_SYS(prctl), 1,
				 SCMP_A0(SCMP_CMP_EQ, SIGNATURE));

	return r < 0 ? r : allow_if(ctx, "prctl", SCMP_A0(SCMP_CMP_NE, SIGNATURE));
}

static int allow(scmp_filter_ctx ctx)
{
	int r = allow_all(ctx);

	if (r == 0)
		r = sign(ctx);
	if (r == 0)
		r = allow_memory(ctx);
	if (r == 0)
		r = allow_threads(ctx);
	if (r == 0)
		r = allow_sockets(ctx);
	/* Input that a terminal would take for its user's. */
	return r < 0 ? r : allow_if(ctx, "ioctl", SCMP_A1(SCMP_CMP_NE, TIOCSTI));
}

bool syscall_filter_built_in(void)
{
	return true;
}

int syscall_filter_install(enum syscall_filter filter)
{
	/* Who has a second way takes it after this error only. */
	uint32_t otherwise = filter == SYSCALL_FILTER_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS);
	_cleanup_(release_filter) scmp_filter_ctx ctx = NULL;
	int r;

	if (filter == SYSCALL_FILTER_NO)
		return 0;
	if (prctl(SIGNATURE, 0, 0, 0, 0) < 0 && errno == EALREADY)
		return 0;
	ctx = seccomp_init(otherwise);
	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* What is refused is in the kernel's log, or that of auditd(8). */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	/* By number in a tree, not one after the other. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = allow(ctx);
	return r < 0 ? r : seccomp_load(ctx);
}
