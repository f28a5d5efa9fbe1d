/* SPDX-License-Identifier: MIT */
/*
 * The keeper, and how a descriptor gets from one process to the next. This binary is the daemons,
 * too: what the n-th of them does is the n-th letter of $ACT. Each writes a line to descriptor 1,
 * whose other end is the test's, and a byte to descriptor 9, by which they are counted.
 */
#include "daemon/keeper.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"

static char *const self[] = { (char *)"test-keeper", NULL };

/* ---- the daemon ---------------------------------------------------------------------------- */

/* What was put into the "device" by the first daemon. */
static void tell(const struct handover *h)
{
	char what[32] = "nothing";

	if (h->device >= 0 && pread(h->device, what, sizeof(what) - 1, 0) < 0)
		strcpy(what, "unreadable");
	dprintf(STDOUT_FILENO, "%s %s\n", h->device >= 0 ? h->name : "-", what);
}

static void store(const char *what)
{
	int fd = memfd_create("device", MFD_CLOEXEC);

	if (fd < 0 || write(fd, what, strlen(what)) < 0 || notify_store(fd, "cachefiles-1-2") < 0)
		_exit(90);
}

static _Noreturn void act(int n)
{
	struct handover h;
	const char *all = getenv("ACT");
	char what = all[n];
	sigset_t none;

	handover_take(&h);
	tell(&h);
	if (what == 'u') /* comes to nothing */
		_exit(17);
	if (h.device < 0)
		store("a cache");
	notify_ready(-1);
	switch (what) {
	case 'k': /* is killed */
		raise(SIGKILL);
		break;
	case 'd': /* gives the device up, and fails */
		notify_unstore(h.name);
		_exit(1);
	case 's': /* waits for its end, which is an orderly one */
		kill(getppid(), SIGTERM);
		sigemptyset(&none);
		sigaddset(&none, SIGTERM);
		sigwaitinfo(&none, NULL);
		_exit(0);
	default: /* a digit: its status */
		_exit(what - '0');
	}
	_exit(91);
}

static void be_daemon(void)
{
	char c = '+';
	off_t n = lseek(9, 0, SEEK_END);

	if (write(9, &c, 1) != 1)
		_exit(92);
	act((int)n);
}

/* ---- the tests ----------------------------------------------------------------------------- */

/* Runs a keeper over such daemons: its status, and what they said. */
static int keep(const char *acts, char *said, size_t n)
{
	struct handover_program program;
	int out[2], status, count = memfd_create("count", 0);
	ssize_t len = 0, r;
	pid_t pid;

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		setenv("ACT", acts, 1);
		unsetenv("NOTIFY_SOCKET");
		dup2(out[1], STDOUT_FILENO);
		dup2(count, 9);
		if (handover_program(&program, self) < 0)
			_exit(93);
		_exit(keeper_run(&program, -1));
	}
	close(out[1]);
	close(count);
	while ((r = read(out[0], said + len, n - 1 - (size_t)len)) > 0)
		len += r;
	said[len] = '\0';
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define KEPT "cachefiles-1-2 a cache\n"

START_TEST(device_goes_from_one_to_the_next)
{
	char said[512];

	ck_assert_int_eq(keep("kk3s", said, sizeof(said)), 0);
	ck_assert_str_eq(said, "- nothing\n" KEPT KEPT KEPT);
}
END_TEST

START_TEST(orderly_end_is_the_keepers)
{
	char said[512];

	ck_assert_int_eq(keep("k0", said, sizeof(said)), 0);
	ck_assert_str_eq(said, "- nothing\n" KEPT);
}
END_TEST

START_TEST(start_that_fails_is_told_at_once)
{
	char said[512];

	ck_assert_int_eq(keep("u", said, sizeof(said)), 17);
	ck_assert_str_eq(said, "- nothing\n");
}
END_TEST

/* Somebody waits for the device. */
START_TEST(start_that_fails_later_is_tried_again)
{
	char said[512];

	ck_assert_int_eq(keep("kuu0", said, sizeof(said)), 0);
	ck_assert_str_eq(said, "- nothing\n" KEPT KEPT KEPT);
}
END_TEST

START_TEST(device_that_is_given_up_is_not_passed_on)
{
	char said[512];

	ck_assert_int_eq(keep("kd0", said, sizeof(said)), 0);
	ck_assert_str_eq(said, "- nothing\n" KEPT "- nothing\n");
}
END_TEST

START_TEST(names_of_directories_differ)
{
	char a[HANDOVER_NAME_MAX], b[HANDOVER_NAME_MAX];
	_cleanup_close_ int root = open("/", O_PATH | O_CLOEXEC);
	_cleanup_close_ int dev = open("/dev", O_PATH | O_CLOEXEC);

	ck_assert_int_eq(handover_name(a, root), 0);
	ck_assert_int_eq(handover_name(b, dev), 0);
	ck_assert_str_ne(a, b);
	ck_assert_int_eq(strncmp(a, "cachefiles-", 11), 0);
	ck_assert_int_eq(handover_name(a, -1), -EBADF);
}
END_TEST

/* Somebody else's descriptors are closed; variables of another process are left alone. */
START_TEST(what_is_passed_to_others)
{
	struct handover h;
	char pid[16];

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "cachefiles", 1);
	handover_take(&h);
	ck_assert_int_eq(h.device, -1);

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "bad", 1);
	handover_take(&h);
	ck_assert_int_eq(h.device, -1);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
}
END_TEST

/* It is another number then, and everything else is as it was. */
START_TEST(program_that_cannot_be_run)
{
	struct handover_program none = { (char *)"/nonexistent/cachefilld", (char *)"/", self };
	_cleanup_close_ int device = memfd_create("device", MFD_CLOEXEC);
	int three = fcntl(3, F_GETFD);
	char **const environment = environ;

	ck_assert_int_eq(handover_exec(&none, device, "cachefiles"), -ENOENT);
	ck_assert_ptr_eq(environ, environment); /* which threads may be reading */
	ck_assert_int_eq(fcntl(3, F_GETFD), three);
	ck_assert_int_eq(fcntl(device, F_GETFD), FD_CLOEXEC);
	ck_assert_ptr_null(getenv("LISTEN_FDS"));
	ck_assert_int_eq(handover_exec(&none, -1, ""), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("keeper");
	TCase *t = tcase_create("keeper");

	log_set_level(LOG_CRIT);
	if (getenv("ACT"))
		be_daemon();
	tcase_set_timeout(t, 60);
	tcase_add_test(t, device_goes_from_one_to_the_next);
	tcase_add_test(t, orderly_end_is_the_keepers);
	tcase_add_test(t, start_that_fails_is_told_at_once);
	tcase_add_test(t, start_that_fails_later_is_tried_again);
	tcase_add_test(t, device_that_is_given_up_is_not_passed_on);
	tcase_add_test(t, names_of_directories_differ);
	tcase_add_test(t, what_is_passed_to_others);
	tcase_add_test(t, program_that_cannot_be_run);
	suite_add_tcase(s, t);
	return run_suite(s);
}
