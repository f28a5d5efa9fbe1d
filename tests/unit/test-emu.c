/* SPDX-License-Identifier: MIT */
/*
 * The emulated kernel against replies written by hand: messages, copen and READ must go as they
 * were measured on the real one.
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

/* ---- delivery --------------------------------------------------------------------------- */

START_TEST(nothing_pending_is_zero_and_not_readable)
{
	ck_assert(!hand_readable());
	ck_assert_int_eq(hand_receive(), 0);
}
END_TEST

START_TEST(open_message_has_id_zero_keys_and_an_inheritable_write_only_descriptor)
{
	static const char cookie[] = { 'a', 0, '/', (char)0x80 };
	struct emu_mount *mount =
		emu_open_bytes(hand.emu, bytes_str("erofs,v"), bytes_of(cookie, 4), &hand_blob);
	int fd;

	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPENING);
	ck_assert(hand_readable());
	ck_assert_int_eq(hand_receive(), 16 + 16 + 8 + 4);
	ck_assert(!hand_readable());
	ck_assert_uint_eq(hand.msg.header.msg_id, 0);
	ck_assert_uint_eq(hand.msg.header.object_id, 1);
	ck_assert_uint_eq(hand.msg.header.len, 44);
	ck_assert_uint_eq(hand.msg.open.volume_key_size, 8);
	ck_assert_uint_eq(hand.msg.open.cookie_key_size, 4);
	ck_assert_mem_eq(hand.msg.rest + sizeof(hand.msg.open), "erofs,v\0a\0/\x80", 12);
	fd = (int)hand.msg.open.fd;
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ck_assert_int_eq(hand_copen(0, (int64_t)hand_blob.size), 0);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPEN);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(message_ids_come_round_and_skip_those_in_use)
{
	struct emu_config config = { .first_msg_id = UINT32_MAX };
	struct emu_mount *mount;
	struct emu_reader *reader[2];
	int fd;

	hand_end();
	hand_begin(&config);
	mount = hand_mount_blob(&fd);
	ck_assert_uint_eq(hand.msg.header.msg_id, UINT32_MAX);
	reader[0] = emu_read(mount, 0, 4096);
	reader[1] = emu_read(mount, 8192, 4096);
	hand_answer_read(fd, &hand_blob);
	ck_assert_uint_eq(hand.msg.header.msg_id, 0);
	hand_answer_read(fd, &hand_blob);
	ck_assert_uint_eq(hand.msg.header.msg_id, 1);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(emu_reader_state(reader[i]), EMU_READER_DONE);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(failed_delivery_consumes_the_open)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);

	emu_fail_delivery(hand.emu, -EMFILE);
	ck_assert_int_eq(hand_receive(), -EMFILE);
	ck_assert_int_eq(hand_receive(), 0);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_FAILED);
}
END_TEST

START_TEST(short_receive_buffer_is_refused_and_keeps_the_message)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	int fd;

	ck_assert_int_eq(hand.port->ops->receive(hand.port, &hand.msg, 1023), -EMSGSIZE);
	ck_assert(emu_expect_violation(hand.emu, "receive with 1023 bytes"));
	fd = hand_answer_open((int64_t)hand_blob.size);
	hand_shut(mount, fd);
}
END_TEST

/* ---- copen ------------------------------------------------------------------------------ */

struct copen_case {
	const char *reply; /* the rest after "copen <id>" */
	int result;
	enum emu_mount_state state;
};

/* clang-format off */
static const struct copen_case copens[] = {
	{ ",262144",              0,       EMU_MOUNT_OPEN },
	{ ",0x40000",             0,       EMU_MOUNT_OPEN },
	{ ",01000000",            0,       EMU_MOUNT_OPEN },    /* octal */
	{ ",262144\n",            0,       EMU_MOUNT_OPEN },
	{ ",-2",                  0,       EMU_MOUNT_FAILED },
	{ ",-4095",               0,       EMU_MOUNT_FAILED },
	{ ",-4096",               -EINVAL, EMU_MOUNT_FAILED },
	{ ",",                    -EINVAL, EMU_MOUNT_FAILED },
	{ ", 262144",             -EINVAL, EMU_MOUNT_FAILED },
	{ ",12x",                 -EINVAL, EMU_MOUNT_FAILED },
	{ ",9223372036854775808", -ERANGE, EMU_MOUNT_FAILED },
	{ "",                     -EINVAL, EMU_MOUNT_OPENING }, /* still pending */
	{ " 262144",              -EINVAL, EMU_MOUNT_OPENING },
};
/* clang-format on */

START_TEST(copen_syntax)
{
	const struct copen_case *c = &copens[_i];
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	char text[64];
	int fd;

	hand_receive_op(CACHEFILES_OP_OPEN);
	fd = (int)hand.msg.open.fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	snprintf(text, sizeof(text), "copen 0%s", c->reply);
	ck_assert_int_eq(hand_command(text), c->result);
	ck_assert_int_eq(emu_mount_state(mount), c->state);
	ck_assert_int_eq(emu_expect_violation(hand.emu, "was refused"), c->result < 0);
	if (c->state == EMU_MOUNT_OPENING)
		ck_assert_int_eq(hand_copen(0, (int64_t)hand_blob.size), 0);
	if (c->state == EMU_MOUNT_FAILED)
		hand_release(fd);
	else
		hand_shut(mount, fd);
}
END_TEST

START_TEST(copen_of_an_unknown_message_is_refused)
{
	ck_assert_int_eq(hand_copen(7, 4096), -EINVAL);
	ck_assert(emu_expect_violation(hand.emu,
				       "message 7 was answered, which was never delivered"));
	ck_assert(emu_expect_violation(hand.emu, "was refused"));
}
END_TEST

START_TEST(negative_copen_fails_the_mount_and_sends_no_close)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);
	int fd;

	hand_receive_op(CACHEFILES_OP_OPEN);
	fd = (int)hand.msg.open.fd;
	ck_assert_int_eq(hand_copen(0, -ENOENT), 0);
	ck_assert_int_eq(emu_mount_error(mount), -ENOENT);
	ck_assert_int_eq(hand_receive(), 0);
	hand_release(fd);
	ck_assert_int_eq(hand_receive(), 0);
}
END_TEST

START_TEST(descriptor_closed_before_copen_fails_the_open)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);

	hand_receive_op(CACHEFILES_OP_OPEN);
	hand_release((int)hand.msg.open.fd);
	ck_assert_int_eq(hand_copen(0, (int64_t)hand_blob.size), 0);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_FAILED);
}
END_TEST

START_TEST(unknown_commands_are_refused)
{
	ck_assert_int_eq(hand_command("tag x"), -EEXIST);
	ck_assert_int_eq(hand_command("frobnicate"), -EOPNOTSUPP);
	ck_assert(emu_expect_violation(hand.emu, "frobnicate"));
	ck_assert_int_eq(hand.port->ops->command(hand.port, "copen\0", 6), -EINVAL);
	ck_assert(emu_expect_violation(hand.emu, "was refused"));
}
END_TEST

/* ---- READ ------------------------------------------------------------------------------- */

START_TEST(reader_waits_until_completion_and_sees_the_bytes)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 5000, 100);

	hand_receive_read(4096, 4096);
	ck_assert_uint_eq(hand.msg.header.object_id, emu_mount_object_id(mount));
	ck_assert_int_eq(hand_fill(fd, &hand_blob, 4096, 4096), 4096);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_WAITING);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);

	reader = emu_read(mount, 4096, 4096); /* a hit needs nobody */
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	ck_assert_uint_eq(emu_reader_requests(reader), 0);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(prefix_is_used_and_the_rest_asked_again)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 64 * KIB);

	for (uint64_t off = 0, len = 64 * KIB; len >= 4096; len /= 2) {
		hand_receive_read(off, 64 * KIB - off);
		ck_assert_int_gt(hand_fill(fd, &hand_blob, off, len / 2 < 4096 ? 4096 : len / 2),
				 0);
		ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
		off += len / 2;
	}
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	ck_assert_uint_eq(emu_reader_requests(reader), 5); /* 64, 32, 16, 8, 4 */
	hand_shut(mount, fd);
}
END_TEST

START_TEST(completion_over_a_hole_costs_a_second_read_and_fails)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 64 * KIB);

	hand_receive_read(0, 64 * KIB);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_WAITING);
	hand_receive_read(0, 4096);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_FAILED);
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	ck_assert_uint_eq(emu_counters(hand.emu).completions_empty, 2);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(later_part_alone_makes_pages_be_asked_one_by_one)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 16 * KIB);

	hand_receive_read(0, 16 * KIB);
	ck_assert_int_gt(hand_fill(fd, &hand_blob, 8 * KIB, 8 * KIB), 0);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	for (uint64_t off = 0; off < 8 * KIB; off += 4096) {
		hand_receive_read(off, 4096);
		ck_assert_int_gt(hand_fill(fd, &hand_blob, off, 4096), 0);
		ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	}
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	ck_assert_uint_eq(emu_reader_requests(reader), 3);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(read_stops_at_present_data)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader;

	ck_assert_int_gt(hand_fill(fd, &hand_blob, 16 * KIB, 4096), 0);
	ck_assert_int_gt(hand_fill(fd, &hand_blob, 40 * KIB, 4096), 0);
	reader = emu_read(mount, 0, 64 * KIB);
	hand_receive_read(0, 16 * KIB);
	ck_assert_int_gt(hand_fill(fd, &hand_blob, 0, 16 * KIB), 0);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	hand_receive_read(20 * KIB, 20 * KIB);
	ck_assert_int_gt(hand_fill(fd, &hand_blob, 20 * KIB, 20 * KIB), 0);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	hand_receive_read(44 * KIB, 20 * KIB);
	ck_assert_int_gt(hand_fill(fd, &hand_blob, 44 * KIB, 20 * KIB), 0);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	ck_assert_int_eq(emu_reader_state(reader), EMU_READER_DONE);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(readers_are_answered_in_any_order)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *first = emu_read(mount, 0, 4096);
	struct emu_reader *second = emu_read_pages(mount, 4096, 8192);
	uint32_t id;

	hand_receive_read(0, 4096);
	id = hand.msg.header.msg_id;
	hand_answer_read(fd, &hand_blob);
	hand_answer_read(fd, &hand_blob);
	ck_assert_int_eq(emu_reader_state(second), EMU_READER_DONE);
	ck_assert_uint_eq(emu_reader_requests(second), 2);
	ck_assert_int_eq(emu_reader_state(first), EMU_READER_WAITING);
	ck_assert_int_gt(hand_fill(fd, &hand_blob, 0, 4096), 0);
	ck_assert_int_eq(hand_complete(fd, id), 0);
	ck_assert_int_eq(emu_reader_state(first), EMU_READER_DONE);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(tail_is_padded_with_zeros_and_nothing_is_behind_it)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "odd", &hand_odd);
	int fd = hand_answer_open((int64_t)hand_odd.size);
	struct emu_reader *reader = emu_read(mount, 4096, 8192);

	hand_receive_read(4096, 8192); /* passes the object's end */
	ck_assert_int_gt(hand_fill(fd, &hand_odd, 4096, 4096), 0);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	hand_receive_read(8192, 4096);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	hand_receive_read(8192, 4096);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
	ck_assert_int_eq(emu_reader_error(reader), -EIO);
	hand_shut(mount, fd);
}
END_TEST

START_TEST(killed_reader_withdraws_its_request)
{
	int fd;
	struct emu_mount *mount = hand_mount_blob(&fd);
	struct emu_reader *reader = emu_read(mount, 0, 4096);

	hand_receive_read(0, 4096);
	emu_kill_reader(reader);
	ck_assert_int_eq(emu_reader_error(reader), -EINTR);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), -EINVAL);
	ck_assert_uint_eq(emu_counters(hand.emu).late_answers, 1);
	emu_kill_reader(emu_read(mount, 0, 4096)); /* before it was received */
	ck_assert_int_eq(hand_receive(), 0);
	hand_shut(mount, fd);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, hand_setup, hand_end);
	tcase_add_test(tcase, nothing_pending_is_zero_and_not_readable);
	tcase_add_test(tcase,
		       open_message_has_id_zero_keys_and_an_inheritable_write_only_descriptor);
	tcase_add_test(tcase, message_ids_come_round_and_skip_those_in_use);
	tcase_add_test(tcase, failed_delivery_consumes_the_open);
	tcase_add_test(tcase, short_receive_buffer_is_refused_and_keeps_the_message);
	tcase_add_loop_test(tcase, copen_syntax, 0, (int)(sizeof(copens) / sizeof(*copens)));
	tcase_add_test(tcase, copen_of_an_unknown_message_is_refused);
	tcase_add_test(tcase, negative_copen_fails_the_mount_and_sends_no_close);
	tcase_add_test(tcase, descriptor_closed_before_copen_fails_the_open);
	tcase_add_test(tcase, unknown_commands_are_refused);
	tcase_add_test(tcase, reader_waits_until_completion_and_sees_the_bytes);
	tcase_add_test(tcase, prefix_is_used_and_the_rest_asked_again);
	tcase_add_test(tcase, completion_over_a_hole_costs_a_second_read_and_fails);
	tcase_add_test(tcase, later_part_alone_makes_pages_be_asked_one_by_one);
	tcase_add_test(tcase, read_stops_at_present_data);
	tcase_add_test(tcase, readers_are_answered_in_any_order);
	tcase_add_test(tcase, tail_is_padded_with_zeros_and_nothing_is_behind_it);
	tcase_add_test(tcase, killed_reader_withdraws_its_request);
}

int main(void)
{
	Suite *suite = suite_create("emu");
	TCase *tcase = tcase_create("emu");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
