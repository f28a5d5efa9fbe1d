/* SPDX-License-Identifier: MIT */
/*
 * The filter of system calls on this very kernel. No filter is ever taken away, so that each case
 * is a process of its own: a child of the one that libcheck has forked. That one asks for the time
 * when the case is over, by another clock where timer_create(2) is refused, and takes the
 * difference, cut to 32 bits, for an error where it is negative: on half of all machines, by when
 * they were booted.
 */
#include <check.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/loop/loop.h"
#include "daemon/privileges.h"
#include "daemon/state.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static void in_a_child(void (*run)(int round), int round)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		run(round);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

#define CONFINED_TEST(name)                 \
	static void name##_run(int round);  \
	START_TEST(name)                    \
	{                                   \
		in_a_child(name##_run, _i); \
	}                                   \
	END_TEST                            \
	static void name##_run(int round)

static void confined(void)
{
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(syscall_filter_install(SYSCALL_FILTER_YES), 0);
}

/* A number of /proc/thread-self/status. */
static int status_of(const char *name)
{
	FILE *f = fopen("/proc/thread-self/status", "re");
	char line[256];
	int ret = -1;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			ret = atoi(line + strlen(name) + 1);
	fclose(f);
	return ret;
}

#define ck_refused(call)                            \
	do {                                        \
		errno = 0;                          \
		ck_assert_int_eq((long)(call), -1); \
		ck_assert_int_eq(errno, ENOSYS);    \
	} while (0)

CONFINED_TEST(what_is_not_needed_is_refused)
{
	confined();
	ck_refused(fork());
	ck_refused(vfork());
	ck_refused(kill(getpid(), 0));
	ck_refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	ck_refused(mount("none", "/nowhere", "tmpfs", 0, NULL));
	ck_refused(umount2("/nowhere", 0));
	ck_refused(chroot("/"));
	ck_refused(setuid(getuid()));
	ck_refused(unshare(CLONE_NEWUSER));
	ck_refused(unshare(CLONE_FS | CLONE_NEWNS));
	ck_refused(syscall(SYS_bpf, 0, NULL, 0));
	ck_refused(syscall(SYS_init_module, NULL, 0, ""));
	ck_refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	ck_refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
	ck_refused(syscall(SYS_reboot, 0, 0, 0, NULL));
}

CONFINED_TEST(arguments_decide)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const int map = MAP_PRIVATE | MAP_ANONYMOUS;
	void *p;
	int fd;

	confined();
	ck_refused(mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, map, -1, 0));
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, map, -1, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_refused(mprotect(p, page, PROT_READ | PROT_EXEC));
	ck_assert_int_eq(mprotect(p, page, PROT_NONE), 0);
	/* As dlopen(3) maps a text. */
	ck_assert_ptr_ne(mmap(NULL, page, PROT_READ | PROT_EXEC, map, -1, 0), MAP_FAILED);

	ck_refused(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
	ck_refused(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_refused(ioctl(fd, TIOCSTI, "x"));
	close(fd);
}

static void *in_a_thread(void *arg)
{
	struct addrinfo *found = NULL;

	if (unshare(CLONE_FS) < 0 || chdir("/") < 0 || status_of("Seccomp") != 2)
		return NULL;
	/* No network is needed to be told so; which answer there is depends on the host. */
	getaddrinfo("localhost", "80", NULL, &found);
	if (found)
		freeaddrinfo(found);
	return arg;
}

CONFINED_TEST(threads_begin_resolve_and_move)
{
	pthread_t thread;
	void *ret;

	confined();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, in_a_thread, &ret), 0);
		ck_assert_int_eq(pthread_join(thread, &ret), 0);
		ck_assert_ptr_eq(ret, &ret);
	}
}

static void *waits(void *arg)
{
	pthread_barrier_t *both = arg;

	pthread_barrier_wait(both);
	pthread_barrier_wait(both);
	return status_of("Seccomp") == 2 ? arg : NULL;
}

/* A library may have started one before. */
CONFINED_TEST(threads_that_were_there_before_are_confined_too)
{
	pthread_barrier_t both;
	pthread_t thread;
	void *ret;

	pthread_barrier_init(&both, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, waits, &both), 0);
	pthread_barrier_wait(&both);
	confined();
	pthread_barrier_wait(&both);
	ck_assert_int_eq(pthread_join(thread, &ret), 0);
	ck_assert_ptr_eq(ret, &both);
}

/* Who takes over by execve(2) installs it as well. */
CONFINED_TEST(once_is_enough)
{
	int filters;

	confined();
	filters = status_of("Seccomp_filters");
	confined();
	ck_assert_int_eq(status_of("Seccomp_filters"), filters);
	ck_assert_int_eq(prctl(PR_SET_NAME, "other calls of it", 0, 0, 0), 0);
}

START_TEST(logged_only)
{
	int filters = status_of("Seccomp_filters");
	int status;
	pid_t pid;

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(syscall_filter_install(SYSCALL_FILTER_LOG), 0);
	ck_assert_int_eq(status_of("Seccomp"), 2);
	ck_assert_int_ne(status_of("Seccomp_filters"), filters);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

START_TEST(none)
{
	int before = status_of("Seccomp");

	ck_assert_int_eq(syscall_filter_install(SYSCALL_FILTER_NO), 0);
	ck_assert_int_eq(status_of("Seccomp"), before);
}
END_TEST

static void keep(struct loop_timer *timer)
{
}

static void loop_works(enum loop_backend backend)
{
	struct loop_timer timer = { .fire = keep };
	struct loop *loop;

	/* As the daemon does: the loop is there before the filter. */
	if (loop_new(&loop, backend) < 0)
		return;
	confined();
	ck_assert_int_eq(loop_timer_set(loop, &timer, loop_now(loop) + 1000), 0);
	ck_assert_int_eq(loop_turn(loop), 0);
	loop_timer_cancel(&timer);
	loop_free(loop);
}

CONFINED_TEST(loops_turn)
{
	loop_works(round ? LOOP_POLL : LOOP_URING);
}

CONFINED_TEST(the_database_works)
{
	static const struct state_object object = { .size = 1, .locator = "file:/x" };
	char dir[TEMPORARY_MAX];
	struct state *state;
	struct state_object found;

	temporary_dir(dir, TEMPORARY_DISK);
	confined();
	/* Opened under it: creation, journal and shared memory all come. */
	ck_assert_int_eq(state_open(&state, dir), 0);
	ck_assert_int_eq(state_put(state, bytes_str("v"), bytes_str("c"), &object), 0);
	ck_assert_int_eq(state_get(state, bytes_str("v"), bytes_str("c"), &found), 0);
	ck_assert_uint_eq(found.size, 1);
	ck_assert_int_eq(state_forget(state, bytes_str("v"), bytes_str("c")), 0);
	state_close(state);
	ck_assert_int_eq(access(dir, F_OK), 0);
}

/* Of the daemon's order: hidden, dropped, confined. */
CONFINED_TEST(privileges_are_given_up_for_good)
{
	privileges_hide();
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	ck_assert_int_eq(privileges_drop(), 0);
	ck_assert_int_eq(status_of("NoNewPrivs"), 1);
	ck_assert_int_eq(status_of("CapEff"), 0);
	ck_assert_int_eq(status_of("CapPrm"), 0);
	ck_assert_int_eq(status_of("CapBnd"), 0);
	privileges_confine(SYSCALL_FILTER_YES);
	ck_assert_int_eq(status_of("Seccomp"), 2);
	/* Nothing that it does is in the way of asking for it again. */
	ck_assert_int_eq(privileges_drop(), 0);
}

int main(void)
{
	Suite *s = suite_create("syscall-filter");
	TCase *tc = tcase_create("syscall-filter");

	if (!syscall_filter_built_in())
		return skip_all("built without libseccomp");
	if (under_valgrind())
		return skip_all("valgrind answers for the kernel");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_is_not_needed_is_refused);
	tcase_add_test(tc, arguments_decide);
	tcase_add_test(tc, threads_begin_resolve_and_move);
	tcase_add_test(tc, threads_that_were_there_before_are_confined_too);
	tcase_add_test(tc, once_is_enough);
	tcase_add_test(tc, logged_only);
	tcase_add_test(tc, none);
	tcase_add_loop_test(tc, loops_turn, 0, 2);
	tcase_add_test(tc, the_database_works);
	tcase_add_test(tc, privileges_are_given_up_for_good);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
