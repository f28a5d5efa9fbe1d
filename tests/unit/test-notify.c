/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

/* A bound datagram socket; name as in $NOTIFY_SOCKET, which is set to it. */
static int listen_as(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_uint_lt(strlen(name), sizeof(at.sun_path));
	memcpy(at.sun_path, name, strlen(name));
	if (*name == '@')
		at.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, n), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void expect_datagram(int fd, const char *want)
{
	char buf[64];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	ck_assert_int_ge(n, 0);
	buf[n] = '\0';
	ck_assert_str_eq(buf, want);
}

START_TEST(test_abstract_and_path_sockets)
{
	char dir[TEMPORARY_MAX], name[TEMPORARY_MAX + 16];

	temporary_dir(dir, TEMPORARY_ANY);
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = -1;

		snprintf(name, sizeof(name), "%s%s/socket", i ? "@" : "", dir);
		fd = listen_as(name);
		ck_assert_int_eq(notify_ready(-1), 0);
		expect_datagram(fd, "READY=1");
		ck_assert_int_eq(notify_stopping(), 0);
		expect_datagram(fd, "STOPPING=1");
	}
	temporary_remove(dir);
}
END_TEST

START_TEST(test_line_on_a_descriptor)
{
	char buf[64];
	int fds[2];

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(notify_ready(fds[1]), 0);
	ck_assert_int_eq(read(fds[0], buf, sizeof(buf)), 8);
	ck_assert(memcmp(buf, "READY=1\n", 8) == 0);
	ck_assert_int_eq(read(fds[0], buf, sizeof(buf)), 0);
	close(fds[0]);
}
END_TEST

START_TEST(test_nobody_wants_to_know)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_ready(-1), 0);
	ck_assert_int_eq(notify_stopping(), 0);
}
END_TEST

START_TEST(test_useless_addresses)
{
	char name[256], buf[64];
	int fds[2];

	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_eq(notify_stopping(), -EINVAL);
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_stopping(), -EINVAL);
	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_stopping(), -EINVAL);

	/* One way that fails does not keep the other from being used. */
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(notify_ready(fds[1]), -ENOENT);
	ck_assert_int_eq(read(fds[0], buf, sizeof(buf)), 8);
	close(fds[0]);
}
END_TEST

/* Receives what the store is told: the text, and whether a descriptor came along, which is closed.
 */
static bool take_datagram(int fd, char *text, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { text, n - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, 0);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int passed = -1;

	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	if (!c)
		return false;
	memcpy(&passed, CMSG_DATA(c), sizeof(passed));
	close(passed);
	return true;
}

START_TEST(test_store)
{
	char dir[TEMPORARY_MAX], name[TEMPORARY_MAX + 16], text[128];
	_cleanup_close_ int fd = -1;
	int status;
	pid_t pid;

	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(name, sizeof(name), "%s/socket", dir);
	fd = listen_as(name);
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0); /* waits */
	pid = fork();
	if (pid == 0)
		_exit(notify_store(STDIN_FILENO, "cachefiles") == 0 &&
		      notify_unstore("cachefiles") == 0);
	ck_assert(take_datagram(fd, text, sizeof(text)));
	ck_assert_str_eq(text, "FDSTORE=1\nFDNAME=cachefiles\nFDPOLL=0");
	ck_assert(take_datagram(fd, text, sizeof(text)));
	ck_assert_str_eq(text, "BARRIER=1");
	ck_assert(!take_datagram(fd, text, sizeof(text)));
	ck_assert_str_eq(text, "FDSTOREREMOVE=1\nFDNAME=cachefiles");
	ck_assert(take_datagram(fd, text, sizeof(text)));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	temporary_remove(dir);

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_store(STDIN_FILENO, "cachefiles"), -EPIPE);
	ck_assert_int_eq(notify_unstore("cachefiles"), -EPIPE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notify");
	TCase *tc = tcase_create("notify");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_abstract_and_path_sockets);
	tcase_add_test(tc, test_line_on_a_descriptor);
	tcase_add_test(tc, test_nobody_wants_to_know);
	tcase_add_test(tc, test_useless_addresses);
	tcase_add_test(tc, test_store);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
