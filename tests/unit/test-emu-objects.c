/* SPDX-License-Identifier: MIT */
/*
 * The emulated kernel: the life of objects over mounts, daemons and devices, and what their
 * descriptors answer.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/emu-hand.h"
#include "tests/lib/run-suite.h"

#define KIB ((uint64_t)1024)
#define MS  NSEC_PER_MSEC

/* ---- objects ---------------------------------------------------------------------------- */

START_TEST(blob_shared_by_two_mounts_is_opened_and_closed_once)
{
	int fd;
	struct emu_mount *first = hand_mount_blob(&fd);
	struct emu_mount *second = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);

	ck_assert_int_eq(emu_mount_state(second), EMU_MOUNT_OPEN);
	ck_assert_int_eq(hand_receive(), 0);
	emu_close(first);
	ck_assert_int_eq(hand_receive(), 0);
	hand_shut(second, fd);
}
END_TEST

START_TEST(data_is_kept_for_the_same_size_and_dropped_for_another)
{
	static const struct emu_origin longer = { .size = 300 * KIB, .byte = hand_byte };
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);

	ck_assert_int_gt(hand_fill(fd, &hand_blob, 0, 8192), 0);
	hand_shut(mount, fd);
	mount = hand_mount_blob(&fd);
	ck_assert_uint_eq(emu_present(hand.emu, bytes_str("erofs,v"), bytes_str("blob")), 8192);
	ck_assert_int_eq(lseek(fd, 0, SEEK_HOLE), 8192);
	hand_shut(mount, fd);

	mount = emu_open(hand.emu, "erofs,v", "blob", &longer);
	fd = hand_answer_open((int64_t)longer.size);
	ck_assert_uint_eq(emu_present(hand.emu, bytes_str("erofs,v"), bytes_str("blob")), 0);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(populated_and_culled_files)
{
	int fd;
	struct emu_mount *mount;

	emu_populate(hand.emu, bytes_str("erofs,v"), bytes_str("blob"), &hand_blob, 4096, 8192);
	mount = hand_mount_blob(&fd);
	ck_assert_int_eq(emu_reader_state(emu_read(mount, 4096, 8192)), EMU_READER_DONE);
	ck_assert_int_eq(lseek(fd, 0, SEEK_DATA), 4096);
	hand_shut(mount, fd);
	ck_assert(emu_cull(hand.emu, bytes_str("erofs,v"), bytes_str("blob")));
	ck_assert(!emu_cull(hand.emu, bytes_str("erofs,v"), bytes_str("blob")));
}
END_TEST

/* What a direct write that is under way looks like: blocks are allocated, but hold nothing. */
START_TEST(blocks_that_are_being_written_are_a_hole)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader;

	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 4096), 4096);
	if (fcntl(fd, F_GETFL) & O_DIRECT) /* in memory all that is allocated is data */
		ck_assert_int_eq(fallocate(fd, 0, 4096, 64 * KIB), 0);
	ck_assert_int_eq(emu_reader_state(emu_read(mount, 0, 4096)), EMU_READER_DONE);
	reader = emu_read(mount, 0, 8192);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_WAITING);
	hand_answer_read(fd, &hand_blob);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(mount_is_blocked_until_close_is_read_and_the_descriptor_released)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd), *again;

	emu_close(mount);
	again = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	ck_assert_int_eq(emu_mount_state(again), EMU_MOUNT_BLOCKED);
	hand_receive_op(CACHEFILES_OP_CLOSE);
	ck_assert_int_eq(emu_mount_state(again), EMU_MOUNT_BLOCKED);
	hand_release(fd);
	ck_assert_int_eq(emu_mount_state(again), EMU_MOUNT_OPENING);
	fd = hand_answer_open((int64_t)hand_blob.size);
	hand_shut(again, fd);
}
END_TEST

START_TEST(close_fails_the_readers_that_are_left)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 4096);
	uint32_t id;

	hand_receive_read(0, 4096);
	id = hand.msg.header.msg_id;
	emu_close(mount);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_WAITING);
	hand_receive_op(CACHEFILES_OP_CLOSE);
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 4096), -ENOBUFS);
	ck_assert_int_eq(hand_complete(fd, id), -EINVAL);
	hand_release(fd);
}
END_TEST

START_TEST(released_descriptor_is_reopened_by_the_next_miss)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader;
	uint32_t id = emu_mount_object_id(mount);

	hand_release(fd);
	reader = emu_read(mount, 0, 4096);
	ck_assert(hand_readable());
	ck_assert_int_eq(hand_receive(), 0); /* this one only sent for the OPEN */
	ck_assert(hand_readable());
	fd = hand_answer_open((int64_t)hand_blob.size);
	ck_assert_uint_gt(emu_mount_object_id(mount), id);
	hand_answer_read(fd, &hand_blob);
	ck_assert_uint_eq(hand.msg.header.object_id, emu_mount_object_id(mount));
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	hand_release(fd);
	emu_close(mount); /* not open: no CLOSE */
	ck_assert_int_eq(hand_receive(), 0);
}
END_TEST

START_TEST(refused_reopen_is_asked_again_for_ever)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader;

	hand_release(fd);
	reader = emu_read(mount, 0, 4096);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(hand_receive(), 0);
		hand_receive_op(CACHEFILES_OP_OPEN);
		ck_assert_int_eq(hand_copen(hand.msg.header.msg_id, -EIO), 0);
		ck_assert(emu_expect_violation(hand.emu, "was refused"));
		hand_release((int)hand.msg.open.fd);
	}
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_WAITING);
	emu_kill_reader(reader);
	emu_close(mount);
}
END_TEST

START_TEST(restore_sends_again_what_is_unanswered)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 4096);
	uint32_t id;

	hand_receive_read(0, 4096);
	id = hand.msg.header.msg_id;
	ck_assert_int_eq(hand_receive(), 0);
	ck_assert_int_eq(hand_command("restore"), 0);
	ck_assert(hand_readable());
	hand_answer_read(fd, &hand_blob);
	ck_assert_uint_eq(hand.msg.header.msg_id, id);
	ck_assert_int_eq(hand_complete(fd, id), -EINVAL); /* the first delivery: no fault */
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(restore_with_an_open_unanswered_fails_it)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);

	hand_receive_op(CACHEFILES_OP_OPEN);
	ck_assert_int_eq(hand_command("restore"), 0);
	ck_assert_int_eq(hand_receive(), -EEXIST);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_FAILED);
	hand_release((int)hand.msg.open.fd);
}
END_TEST

START_TEST(next_daemon_gets_the_open_and_the_read_of_a_killed_one)
{
	struct emu_config config = { .holder = true };
	struct emu_reader *reader;
	struct emu_mount *mount;
	struct port *corpse;
	uint32_t id, object_id;
	int fd, old_fd;

	hand_end();
	hand_begin(&config);
	mount = hand_mount_blob(&old_fd);
	object_id = hand.msg.header.object_id;
	reader = emu_read(mount, 0, 8192);
	hand_receive_read(0, 8192);
	id = hand.msg.header.msg_id;
	emu_kill_daemon(hand.emu);
	corpse = hand.port;
	hand.port = emu_port(hand.emu);
	ck_assert_int_eq(hand_receive(), 0);
	ck_assert_int_eq(hand_command("restore"), 0);
	ck_assert_int_eq(hand_receive(), 0);
	fd = hand_answer_open((int64_t)hand_blob.size);
	ck_assert_uint_gt(hand.msg.header.object_id, object_id);
	hand_answer_read(fd, &hand_blob);
	ck_assert_uint_eq(hand.msg.header.msg_id, id);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);

	ck_assert_int_eq(corpse->ops->complete(corpse, old_fd, id), 0); /* heard by nobody */
	ck_assert_int_eq(hand_fill(old_fd, &hand_odd, 0, 4096), 4096);
	corpse->ops->release(corpse, old_fd);
	corpse->ops->free(corpse);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(daemon_killed_without_holder_fails_everybody)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 8192);

	emu_kill_daemon(hand.emu);
	hand.port->ops->release(hand.port, fd);
	hand_port_close();
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	emu_close(mount);
	hand.port = emu_port(hand.emu); /* bound anew: the files are still there */
	mount = hand_mount_blob(&fd);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(dead_device_refuses_every_command)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 8192);

	hand_receive_read(0, 8192);
	emu_kill_device(hand.emu);
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	ck_assert_int_eq(hand_command("tag x"), -EIO);
	ck_assert_int_eq(hand_command("garbage"), -EIO);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), -EINVAL);
	ck_assert_int_eq(hand_receive(), 0);
	ck_assert_int_eq(emu_mount_state(emu_open(hand.emu, "v", "c", NULL)), EMU_MOUNT_FAILED);
	emu_close(mount);
	hand_release(fd);
}
END_TEST

/* ---- the descriptor --------------------------------------------------------------------- */

START_TEST(early_writes_are_refused_until_the_object_is_ready)
{
	struct emu_config config = { .ready_delay = 30 * MS };
	struct emu_mount *mount;
	int fd;

	hand_end();
	hand_begin(&config);
	mount = hand_mount_blob(&fd);
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 4096), -ENOBUFS);
	ck_assert_int_eq(lseek(fd, 0, SEEK_DATA), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	hand.clock += 30 * MS;
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 4096), 4096);
	hand_shut(mount, fd);

	mount = emu_open(hand.emu, "erofs,v", "odd", &hand_odd);
	fd = hand_answer_open((int64_t)hand_odd.size);
	ck_assert_int_eq(hand_fill(fd, &hand_odd, 0, 4096), -ENOBUFS);
	emu_kill_reader(emu_read(mount, 0, 4096)); /* a READ proves it ready */
	ck_assert_int_eq(hand_fill(fd, &hand_odd, 0, 4096), 4096);
	ck_assert_uint_eq(emu_counters(hand.emu).writes_refused, 2);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(descriptor_cannot_be_read)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	char c;

	ck_assert_int_eq(pread(fd, &c, 1, 0), -1);
	ck_assert_int_eq(errno, EBADF);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(unaligned_writes_are_refused)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	uint8_t *buf = hand_page_buffer(&hand_blob, 0, 8192);

	ck_assert_int_eq(pwrite(fd, buf + 512, 4096, 512), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_int_eq(pwrite(fd, buf, 100, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(pwrite(fd, buf + 8, 4096, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	for (int i = 0; i < 3; i++)
		ck_assert(emu_expect_violation(hand.emu, "unaligned write"));
	free(buf);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(writes_can_be_short_or_fail_on_demand)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);

	emu_fail_writes(hand.emu, 1, 4096, 0);
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 12288), 4096);
	emu_fail_writes(hand.emu, 1, 0, -ENOSPC);
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 12288), -ENOSPC);
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 0, 12288), 12288);
	ck_assert_uint_eq(emu_counters(hand.emu).bytes_rewritten, 4096);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(injected_message_carries_a_real_descriptor)
{
	struct cachefiles_msg_header header = { .msg_id = 900, .opcode = CACHEFILES_OP_OPEN };
	uint8_t raw[24] = { 0 };
	uint32_t number;

	memcpy(raw, &header, sizeof(header));
	emu_inject_raw(hand.emu, raw, sizeof(raw), 20);
	emu_inject_raw(hand.emu, raw, 3, -1);
	ck_assert(hand_readable());
	ck_assert_int_eq(hand_receive(), sizeof(raw));
	memcpy(&number, (uint8_t *)&hand.msg + 20, 4);
	ck_assert_int_eq(fcntl((int)number, F_GETFD), 0);
	ck_assert_int_eq(hand_copen(900, -EINVAL), 0);
	ck_assert_uint_eq(emu_answers(hand.emu, 900), 1);
	hand_release((int)number);
	ck_assert_int_eq(hand_receive(), 3);
	ck_assert(!hand_readable());
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, hand_setup, hand_end);
	tcase_add_test(tcase, blob_shared_by_two_mounts_is_opened_and_closed_once);
	tcase_add_test(tcase, data_is_kept_for_the_same_size_and_dropped_for_another);
	tcase_add_test(tcase, populated_and_culled_files);
	tcase_add_test(tcase, blocks_that_are_being_written_are_a_hole);
	tcase_add_test(tcase, mount_is_blocked_until_close_is_read_and_the_descriptor_released);
	tcase_add_test(tcase, close_fails_the_readers_that_are_left);
	tcase_add_test(tcase, released_descriptor_is_reopened_by_the_next_miss);
	tcase_add_test(tcase, refused_reopen_is_asked_again_for_ever);
	tcase_add_test(tcase, restore_sends_again_what_is_unanswered);
	tcase_add_test(tcase, restore_with_an_open_unanswered_fails_it);
	tcase_add_test(tcase, next_daemon_gets_the_open_and_the_read_of_a_killed_one);
	tcase_add_test(tcase, daemon_killed_without_holder_fails_everybody);
	tcase_add_test(tcase, dead_device_refuses_every_command);
	tcase_add_test(tcase, early_writes_are_refused_until_the_object_is_ready);
	tcase_add_test(tcase, descriptor_cannot_be_read);
	tcase_add_test(tcase, unaligned_writes_are_refused);
	tcase_add_test(tcase, writes_can_be_short_or_fail_on_demand);
	tcase_add_test(tcase, injected_message_carries_a_real_descriptor);
}

int main(void)
{
	Suite *suite = suite_create("emu-objects");
	TCase *tcase = tcase_create("emu-objects");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
