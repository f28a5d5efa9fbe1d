/* SPDX-License-Identifier: MIT */
/* The log: what journald is sent, what goes to stderr, and that it has an end. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/util/log-journal.h"
#include "daemon/util/log-limit.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static char dir[TEMPORARY_MAX];
static const char path[] = "socket"; /* in there: the name of a socket has to be short */

static void enter(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
	ck_assert_int_eq(chdir(dir), 0);
}

static void leave(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	temporary_remove(dir);
}

/* ---- journald ------------------------------------------------------------------------------ */

/* One that listens. */
static int journald(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static const char *received(int fd)
{
	static char text[16384];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	return text;
}

START_TEST(entries_have_fields)
{
	const struct log_subject subject = {
		.volume = bytes_str("erofs,d"),
		.cookie = bytes_of("a\nPRIORITY=0", 12),
		.origin = "hub\nX=1",
		.image = "app",
	};
	const struct log_subject nothing = { .origin = "" };
	int fd = journald();

	ck_assert_int_eq(log_journal_send(path, LOG_ERR, "it fails", &subject), 0);
	ck_assert_str_eq(received(fd), "MESSAGE=it fails\nPRIORITY=3\nSYSLOG_IDENTIFIER=test-log\n"
				       "OBJECT=erofs,d/a\\x0aPRIORITY=0\nVOLUME=erofs,d\n"
				       "ORIGIN=hub\\x0aX=1\nIMAGE=app\n");
	ck_assert_int_eq(log_journal_send(path, LOG_INFO, "it works", NULL), 0);
	ck_assert_str_eq(received(fd),
			 "MESSAGE=it works\nPRIORITY=6\nSYSLOG_IDENTIFIER=test-log\n");
	ck_assert_int_eq(log_journal_send(path, LOG_INFO, "it works", &nothing), 0);
	ck_assert_str_eq(received(fd),
			 "MESSAGE=it works\nPRIORITY=6\nSYSLOG_IDENTIFIER=test-log\n");
	close(fd);
}
END_TEST

/* All that can be said at most. */
START_TEST(long_entries_are_whole)
{
	static char message[2048], key[256], name[300];
	struct log_subject subject = { bytes_of(key, 255), bytes_of(key, 255), name, name };
	const char *text;
	int fd = journald();

	memset(message, 'm', sizeof(message) - 1);
	memset(key, 1, sizeof(key));
	memset(name, 2, sizeof(name) - 1);
	ck_assert_int_eq(log_journal_send(path, LOG_ERR, message, &subject), 0);
	text = received(fd);
	ck_assert_ptr_nonnull(strstr(text, "\nVOLUME=\\x01"));
	ck_assert_ptr_nonnull(strstr(text, "\nIMAGE=\\x02"));
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	close(fd);
}
END_TEST

START_TEST(nobody_is_waited_for)
{
	int fd, err = 0;

	ck_assert_int_eq(log_journal_send(path, LOG_ERR, "x", NULL), -ENOENT);
	fd = journald();
	for (int i = 0; err == 0 && i < 1000000; i++)
		err = log_journal_send(path, LOG_ERR, "x", NULL);
	ck_assert_int_eq(err, -EAGAIN);
	close(fd);
	ck_assert_int_eq(log_journal_send(path, LOG_ERR, "x", NULL), -ECONNREFUSED);
}
END_TEST

static void stream_of(int fd, char text[64])
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	snprintf(text, 64, "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
}

START_TEST(the_stream_is_recognised)
{
	int fd = memfd_create("a", MFD_CLOEXEC), other = memfd_create("b", MFD_CLOEXEC);
	char text[64];

	stream_of(fd, text);
	ck_assert(log_journal_is_stream(text, fd));
	ck_assert(!log_journal_is_stream(text, other));
	ck_assert(!log_journal_is_stream(NULL, fd));
	ck_assert(!log_journal_is_stream("", fd));
	ck_assert(!log_journal_is_stream("1", fd));
	strcat(text, "x");
	ck_assert(!log_journal_is_stream(text, fd));
	close(fd);
	close(other);
}
END_TEST

/* ---- stderr -------------------------------------------------------------------------------- */

/* What a line looks like; stream: as $JOURNAL_STREAM would say of where it goes to. */
static const char *logged(bool stream)
{
	static char text[4096];
	int fd = memfd_create("log", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
	char name[64];
	ssize_t n;

	stream_of(fd, name);
	setenv("JOURNAL_STREAM", stream ? name : "1:1", 1);
	dup2(fd, STDERR_FILENO);
	log_line(LOG_WARNING, "line\n2");
	dup2(saved, STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	close(saved);
	return text;
}

START_TEST(lines_are_for_whoever_reads_them)
{
	ck_assert_str_eq(logged(false), "test-log: warning: line 2\n");
	/* Where there is a journald, the line is there. */
	if (access(LOG_JOURNAL_SOCKET, F_OK) < 0)
		ck_assert_str_eq(logged(true), "<4>line 2\n");
}
END_TEST

/* ---- too many ------------------------------------------------------------------------------ */

START_TEST(what_is_left_out_is_counted)
{
	struct log_limit limit = { 0 };
	unsigned int left_out;

	for (int i = 0; i < LOG_LIMIT_LINES; i++) {
		ck_assert(log_limit_take(&limit, 5, &left_out));
		ck_assert_uint_eq(left_out, 0);
	}
	for (int i = 0; i < 7; i++)
		ck_assert(!log_limit_take(&limit, 5 + LOG_LIMIT_SECONDS / 2 - 1, &left_out));
	ck_assert_uint_eq(left_out, 0);
	ck_assert(log_limit_take(&limit, 5 + LOG_LIMIT_SECONDS, &left_out));
	ck_assert_uint_eq(left_out, 7);
	ck_assert(log_limit_take(&limit, 5 + 5 * LOG_LIMIT_SECONDS, &left_out));
	ck_assert_uint_eq(left_out, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the log");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, enter, leave);
	tcase_add_test(tc, entries_have_fields);
	tcase_add_test(tc, long_entries_are_whole);
	tcase_add_test(tc, nobody_is_waited_for);
	tcase_add_test(tc, the_stream_is_recognised);
	tcase_add_test(tc, lines_are_for_whoever_reads_them);
	tcase_add_test(tc, what_is_left_out_is_counted);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
