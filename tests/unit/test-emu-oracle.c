/* SPDX-License-Identifier: MIT */
/*
 * The oracle of the emulated kernel must find what it is there to find: each test here does one
 * wrong thing in a process of its own, and its verdict is read.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/emu-hand.h"
#include "tests/lib/run-suite.h"

#define MS NSEC_PER_MSEC

/* Runs one test that must fail in a process of its own, and gives the text of its failure. */
static void verdict_of(const TTest *test, char *text, size_t n)
{
	int fds[2], status;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		Suite *suite = suite_create("inner");
		TCase *tcase = tcase_create("inner");
		SRunner *runner;
		TestResult **failures;

		unsetenv("CK_TAP_LOG_FILE_NAME");
		tcase_add_test(tcase, test);
		suite_add_tcase(suite, tcase);
		runner = srunner_create(suite);
		srunner_set_fork_status(runner, CK_NOFORK);
		srunner_run_all(runner, CK_SILENT);
		failures = srunner_failures(runner);
		if (srunner_ntests_failed(runner))
			dprintf(fds[1], "%s", tr_msg(failures[0]));
		_exit(0);
	}
	close(fds[1]);
	memset(text, 0, n);
	for (size_t len = 0; len < n - 1; len += (size_t)got) {
		got = read(fds[0], text + len, n - 1 - len);
		if (got <= 0)
			break;
	}
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static struct emu_mount *bad_begin(int *fd)
{
	static const struct emu_config config = {
		.open_deadline = 100 * MS,
		.read_deadline = 100 * MS,
	};

	hand_begin(&config);
	return hand_mount_blob(fd);
}

START_TEST(bad_unanswered_read)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_read(mount, 4096, 4096);
	hand_receive_read(4096, 4096);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_unread_message)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_read(mount, 4096, 4096);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_second_completion)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_read(mount, 0, 4096);
	hand_answer_read(fd, &hand_blob);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), -EINVAL);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_completion_on_another_object)
{
	int fd, other_fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_open(hand.emu, "erofs,v", "odd", &hand_odd);
	other_fd = hand_answer_open((int64_t)hand_odd.size);
	emu_read(mount, 0, 4096);
	hand_receive_read(0, 4096);
	ck_assert_int_eq(hand_complete(other_fd, hand.msg.header.msg_id), -EINVAL);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_late_answer)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_read(mount, 0, 4096);
	hand_receive_read(0, 4096);
	hand.clock += 101 * MS;
	hand_complete(fd, hand.msg.header.msg_id);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_wrong_bytes)
{
	int fd;

	bad_begin(&fd);
	hand_fill(fd, &hand_odd, 4096, 4096); /* ends where the blob goes on */
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_write_past_the_end)
{
	uint8_t *zeros = hand_page_buffer(&hand_odd, 8192, 4096);
	int fd;

	bad_begin(&fd);
	emu_open(hand.emu, "erofs,v", "odd", &hand_odd);
	fd = hand_answer_open((int64_t)hand_odd.size);
	ck_assert_int_eq(pwrite(fd, zeros, 4096, 8192), 4096);
	free(zeros);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_part_of_a_block)
{
	uint8_t *buf = hand_page_buffer(&hand_blob, 0, 4096);
	int fd;

	bad_begin(&fd);
	ck_assert_int_eq(pwrite(fd, buf, 512, 0), 512);
	free(buf);
	ck_assert(
		emu_expect_violation(hand.emu, "unaligned write")); /* and the rest is zeros now */
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_size)
{
	hand_begin(NULL);
	emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	hand_answer_open(4096);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_reopen_size)
{
	struct emu_mount *mount;
	int fd;

	hand_begin(NULL);
	mount = emu_open(hand.emu, "erofs,v", "any", NULL);
	fd = hand_answer_open(4096);
	hand_release(fd);
	emu_kill_reader(emu_read(mount, 0, 4096));
	emu_read(mount, 0, 4096);
	hand_receive();
	hand_answer_open(8192);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_inheritable_descriptor)
{
	hand_begin(NULL);
	emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	hand_receive_op(CACHEFILES_OP_OPEN);
	hand_copen(0, (int64_t)hand_blob.size);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_unreleased_descriptor)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_close(mount);
	hand_receive_op(CACHEFILES_OP_CLOSE);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_release_of_a_stranger)
{
	int fd;

	bad_begin(&fd);
	hand_release(0);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_close_behind_the_port)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_close(mount);
	hand_receive_op(CACHEFILES_OP_CLOSE);
	close(fd);
	hand_release(fd);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_device_closed_first)
{
	int fd;

	bad_begin(&fd);
	hand_port_close();
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_device_closed_with_a_waiting_reader)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_read(mount, 0, 4096);
	hand_receive_read(0, 4096);
	hand_release(fd);
	hand_port_close();
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_blocked_mount)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	emu_close(mount);
	emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	emu_check(hand.emu);
}
END_TEST

START_TEST(bad_leak)
{
	int fd;
	struct emu_mount *mount = bad_begin(&fd);

	ck_assert_int_ge(dup(fd), 0);
	hand_shut(mount, fd);
	hand_end();
}
END_TEST

struct bad_case {
	const TTest *const *test;
	const char *text;
};

static const struct bad_case bad_cases[] = {
	{ &bad_unanswered_read, "READ 1 (erofs,v blob, 4096 + 4096) was never answered" },
	{ &bad_unread_message, "READ 1 (erofs,v blob, 4096 + 4096) was never received" },
	{ &bad_second_completion, "message 1 was answered 2 times" },
	{ &bad_completion_on_another_object, "READ_COMPLETE of 2 on object 2: not its READ" },
	{ &bad_late_answer, "message 1 (erofs,v blob) was answered 1 ms late" },
	{ &bad_wrong_bytes, "the daemon wrote 0x00 at 5000" },
	{ &bad_wrong_bytes, "the cache holds 0x00 at 5000" },
	{ &bad_write_past_the_end, "write up to 12288 into object 2, which ends at 5000" },
	{ &bad_write_past_the_end, "written up to 12288, the object ends at 5000" },
	{ &bad_part_of_a_block, "the cache holds 0x00 at 512" },
	{ &bad_size, "opened with size 4096, the origin has 262144" },
	{ &bad_reopen_size, "reopened with size 8192 after 4096" },
	{ &bad_inheritable_descriptor, "lacks FD_CLOEXEC" },
	{ &bad_unreleased_descriptor, "was never released" },
	{ &bad_release_of_a_stranger, "release of descriptor 0: no object's" },
	{ &bad_close_behind_the_port, "was closed or replaced already" },
	{ &bad_device_closed_first, "the device was closed before descriptor" },
	{ &bad_device_closed_with_a_waiting_reader, "with message 1 unanswered" },
	{ &bad_blocked_mount, "is blocked by its earlier object" },
	{ &bad_leak, "has leaked" },
};

START_TEST(oracle_finds)
{
	const struct bad_case *bad = &bad_cases[_i];
	char text[4096];

	verdict_of(*bad->test, text, sizeof(text));
	ck_assert_msg(strstr(text, bad->text), "\"%s\" is not in: %s", bad->text, text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emu-oracle");
	TCase *tcase = tcase_create("emu-oracle");

	tcase_add_loop_test(tcase, oracle_finds, 0, (int)(sizeof(bad_cases) / sizeof(*bad_cases)));
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
