/* SPDX-License-Identifier: MIT */
/*
 * The control socket in the file system, and who may do what there.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/descriptors.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/control-fixture.h"

#define GET  "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n"
#define POST "POST /v1/purge HTTP/1.1\r\nHost: c\r\nContent-Length: 14\r\n\r\n{\"volume\":\"v\"}"

/* ---- the socket --------------------------------------------------------------------------- */

START_TEST(the_socket_is_made_for_its_group)
{
	struct stat st;
	char error[CONTROL_ERROR_MAX];

	snprintf(path, sizeof(path), "%s/sub/c.sock", dir);
	ck_assert_int_eq(control_listen(control, path, "no-such-group-here", error), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	control = control_free(control);
	ck_assert_int_lt(stat(path, &st), 0);
	unlink(path);
}
END_TEST

START_TEST(a_group_may_use_it)
{
	struct stat st;
	char error[CONTROL_ERROR_MAX], group[16];

	snprintf(group, sizeof(group), "%u", getgid());
	ck_assert_int_eq(control_listen(control, path, group, error), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_uint_eq(st.st_gid, getgid());
}
END_TEST

/* What a daemon that was killed leaves behind. */
START_TEST(a_dead_socket_is_replaced)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	listen_here();
	fd = connect_to(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(a_live_socket_is_left_alone)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char error[CONTROL_ERROR_MAX];

	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(control_listen(control, path, "root", error), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(error, "another daemon listens there"));
	ck_assert_int_eq(access(path, F_OK), 0);
	close(fd);
}
END_TEST

START_TEST(a_bad_place_is_told)
{
	char error[CONTROL_ERROR_MAX], longer[300];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	close(fd);
	ck_assert_int_eq(control_listen(control, path, "root", error), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(error, "is no socket"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(control_listen(control, longer, "root", error), -ENAMETOOLONG);
	ck_assert_int_lt(control_listen(control, "/proc/none/c.sock", "root", error), 0);
	ck_assert_ptr_nonnull(strstr(error, "/proc/none/c.sock: "));
}
END_TEST

/* Time goes by, and whoever has come is answered when there are descriptors again. */
START_TEST(nobody_can_be_accepted_for_a_while)
{
	struct client_answer answer;
	rlim_t enough;
	int fd;

	listen_here();
	fd = connect_to(path);
	ck_assert_int_ge(fd, 0);
	control_client_send(fd, GET, strlen(GET));
	enough = descriptors_run_out();
	rig_run(10 * SEC);
	descriptors_limit(enough);
	control_client_receive(fd, rig.loop, &answer);
	ck_assert_int_eq(answer.status, 200);
	control_client_end(&answer);
	close(fd);
}
END_TEST

/* ---- who ---------------------------------------------------------------------------------- */

/* The status that a child of this user and group gets; 0: none. */
static int status_of(uid_t uid, gid_t gid, const char *request)
{
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		char buf[64] = { 0 };
		int fd;

		/* From inside: what is above the directory is for us alone. */
		if (chdir(dir) < 0 || setresgid(gid, gid, gid) < 0 || setgroups(0, NULL) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(99);
		fd = connect_to("c.sock");
		if (fd < 0)
			_exit(98);
		(void)!write(fd, request, strlen(request));
		(void)!write(fds[1], "x", 1);
		(void)!poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 20000);
		(void)!read(fd, buf, sizeof(buf) - 1);
		_exit(atoi(buf + 9) - 200); /* an exit status has 8 bits */
	}
	close(fds[1]);
	close(fds[0]);
	while (waitpid(pid, &status, WNOHANG) == 0)
		rig_run(5 * MS);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 98)
		return 0;
	return WEXITSTATUS(status) + 200;
}

START_TEST(the_kernel_says_who_may_do_what)
{
	char error[CONTROL_ERROR_MAX];

	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(control_listen(control, path, "54321", error), 0);
	ck_assert_int_eq(status_of(0, 0, POST), 200);
	ck_assert_int_eq(status_of(12345, 54321, GET), 200);
	ck_assert_int_eq(status_of(12345, 54321, POST), 403);
	ck_assert_int_eq(status_of(12345, 12345, GET), 0);
	/* Somebody has opened it to all. */
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(status_of(12345, 12345, GET), 403);
	ck_assert_int_eq(status_of(12345, 12345, POST), 403);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the control socket");
	TCase *place = tcase_create("the socket"), *who = tcase_create("who");

	tcase_add_checked_fixture(place, setup, teardown);
	tcase_set_timeout(place, 60);
	tcase_add_test(place, the_socket_is_made_for_its_group);
	tcase_add_test(place, a_group_may_use_it);
	tcase_add_test(place, a_dead_socket_is_replaced);
	tcase_add_test(place, a_live_socket_is_left_alone);
	tcase_add_test(place, a_bad_place_is_told);
	if (!under_valgrind()) /* which accepts them, and closes what it does not let us have */
		tcase_add_test(place, nobody_can_be_accepted_for_a_while);
	suite_add_tcase(suite, place);
	tcase_add_checked_fixture(who, setup_real, teardown);
	tcase_set_timeout(who, 60);
	if (geteuid() == 0)
		tcase_add_test(who, the_kernel_says_who_may_do_what);
	suite_add_tcase(suite, who);
	return run_suite(suite);
}
