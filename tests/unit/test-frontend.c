/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel: OPEN, and messages that are not what they should be.
 * What each test does not say, the kernel's oracle checks: one answer in time, whole and right
 * blocks, no descriptor left.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/util/log.h"
#include "proto/cachefiles-abi.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static void setup(void)
{
	rig_setup();
	rig_begin();
}

static void open_until_failed(struct emu_mount *mount, int error)
{
	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_FAILED);
	ck_assert_int_eq(emu_mount_error(mount), error);
}

/* The daemon is well: it mounts, reads and lets go. */
static void assert_serves(void)
{
	struct fake_origin *origin = rig_serve("well", 20000);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 20000), 0);
	rig_umount(mount);
}

/* ---- OPEN ------------------------------------------------------------------------------- */

START_TEST(message_zero_is_answered_like_any_other)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 100 * KIB));

	ck_assert_uint_eq(emu_answers(rig.emu, 0), 1);
	ck_assert_uint_eq(emu_mount_size(mount), 100 * KIB);
	ck_assert_int_eq(fcntl(emu_mount_fd(mount), F_GETFD), FD_CLOEXEC);
	rig_umount(mount);
}
END_TEST

START_TEST(message_ids_come_round)
{
	struct emu_mount *mount;

	rig_end();
	rig_setup();
	rig.kernel.first_msg_id = UINT32_MAX - 1;
	rig_begin();
	mount = rig_mount(rig_serve("blob", 100 * KIB));
	for (uint64_t off = 0; off < 4; off++)
		ck_assert_int_eq(rig_finish(emu_read(mount, off * 4096, 4096)), 0);
	rig_umount(mount);
	assert_serves();
}
END_TEST

START_TEST(blob_of_two_mounts_is_looked_up_once)
{
	struct fake_origin *origin = rig_serve("blob", 100 * KIB);
	struct emu_mount *first = rig_mount(origin), *second = rig_mount(origin);

	ck_assert_uint_eq(origin->looks, 1);
	ck_assert_int_eq(rig_read(first, 0, 4096), 0);
	emu_close(first);
	ck_assert_int_eq(rig_read(second, 64 * KIB, 4096), 0);
	rig_umount(second);
}
END_TEST

START_TEST(key_bytes_are_escaped_in_the_locator)
{
	static const char key[] = { 'a', ' ', 0, '/', '.', (char)0xff };
	struct fake_origin *origin = rig_serve("a%20%00%2F.%FF", 5000);
	struct emu_mount *mount = emu_open_bytes(rig.emu, bytes_str(RIG_VOLUME),
						 bytes_of(key, sizeof(key)), &origin->bytes);

	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPEN);
	ck_assert_int_eq(rig_read(mount, 0, 5000), 0);
	rig_umount(mount);
}
END_TEST

static const int look_errors[] = { -ENOENT, -EACCES, -EPROTO, -ECONNREFUSED, -EOPNOTSUPP, -EIO };

START_TEST(open_fails_with_what_the_origin_says)
{
	struct fake_origin *origin = rig_serve("blob", 100 * KIB);

	origin->look_error = look_errors[_i];
	open_until_failed(rig_open(origin), look_errors[_i]);
	origin->look_error = 0;
	rig_umount(rig_mount(origin)); /* an error is not remembered */
	assert_serves();
}
END_TEST

START_TEST(object_that_is_not_there_cannot_be_opened)
{
	open_until_failed(emu_open(rig.emu, RIG_VOLUME, "missing", NULL), -ENOENT);
	assert_serves();
}
END_TEST

START_TEST(key_without_a_rule_cannot_be_opened)
{
	rig_end();
	rig_setup();
	rig.source.rule.volume = "erofs,other";
	rig_begin();
	open_until_failed(emu_open(rig.emu, RIG_VOLUME, "blob", NULL), -ENOENT);
}
END_TEST

START_TEST(open_is_answered_at_its_deadline)
{
	struct fake_origin *origin = rig_serve("blob", 100 * KIB);
	struct emu_mount *mount;

	origin->look_stalls = true;
	mount = rig_open(origin);
	rig_run(RIG_OPEN_DEADLINE - 1);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPENING);
	open_until_failed(mount, -ETIMEDOUT);
	ck_assert_uint_eq(emu_counters(rig.emu).answer_ns_max, RIG_OPEN_DEADLINE);
	origin->look_stalls = false;
	rig_umount(rig_mount(origin));
}
END_TEST

START_TEST(slow_open_holds_up_nobody_else)
{
	struct fake_origin *slow = rig_serve("slow", 100 * KIB);
	struct emu_mount *mount;

	slow->look_delay = 9 * SEC;
	mount = rig_open(slow);
	assert_serves();
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPENING);
	rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	rig_umount(mount);
}
END_TEST

START_TEST(open_that_the_kernel_could_not_deliver_hurts_nobody)
{
	struct fake_origin *origin = rig_serve("blob", 100 * KIB);
	struct emu_mount *mount;

	emu_fail_delivery(rig.emu, -EMFILE);
	mount = rig_open(origin);
	rig_wait(emu_mount_state(mount) == EMU_MOUNT_FAILED);
	ck_assert_uint_eq(origin->looks, 0);
	rig_umount(rig_mount(origin));
}
END_TEST

START_TEST(dead_cache_is_reported_once)
{
	struct fake_origin *origin = rig_serve("blob", 100 * KIB);
	struct emu_mount *mount;

	origin->look_delay = SEC;
	mount = rig_open(origin);
	rig_run(SEC / 2);
	emu_kill_device(rig.emu);
	ck_assert(!rig.lost);
	rig_wait(rig.lost); /* the copen gets EIO */
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_FAILED);
}
END_TEST

/* ---- bad messages ----------------------------------------------------------------------- */

#define RAW_ID 70000

struct raw_case {
	const char *name;
	uint32_t opcode;
	uint32_t len; /* as the header says; 0: as many as there are */
	uint32_t payload[4];
	size_t n; /* bytes that arrive */
	int fd_at;
	unsigned int answers;
};

#define OPEN CACHEFILES_OP_OPEN
#define READ CACHEFILES_OP_READ

/* clang-format off */
static const struct raw_case raws[] = {
	{ "nothing but a byte",    OPEN,  0, { 0 },                 1,  -1, 0 },
	{ "half a header",         OPEN,  0, { 0 },                 12, -1, 0 },
	{ "OPEN without payload",  OPEN,  0, { 0 },                 16, -1, 1 },
	{ "OPEN cut before keys",  OPEN,  0, { 2, 1 },              32, 24, 1 },
	{ "OPEN cut after fd",     OPEN,  0, { 2, 1 },              28, 24, 1 },
	{ "OPEN with a long len",  OPEN, 99, { 2, 1, 0, 0 },        35, 24, 1 },
	{ "OPEN with a short len", OPEN, 20, { 2, 1, 0, 0 },        35, 24, 1 },
	{ "OPEN without volume",   OPEN,  0, { 0, 3, 0, 0 },        35, 24, 1 },
	{ "OPEN without cookie",   OPEN,  0, { 3, 0, 0, 0 },        35, 24, 1 },
	{ "OPEN, sizes overflow",  OPEN,  0, { 0xfffffffe, 5 },     35, 24, 1 },
	{ "OPEN, no NUL",          OPEN,  0, { 2, 1, 0, 0x1000000 },35, 24, 1 },
	{ "READ cut",              READ,  0, { 0 },                 24, -1, 1 },
	{ "READ of nothing",       READ,  0, { 0, 0, 0, 0 },        32, -1, 1 },
	{ "READ past 2^63",        READ,  0, { 0, 0x7fffffff, 0, 0x7fffffff }, 32, -1, 1 },
	{ "READ with a wrong len", READ, 40, { 0, 0, 4096, 0 },     32, -1, 1 },
	{ "CLOSE that is too long", CACHEFILES_OP_CLOSE, 0, { 0 },  20, -1, 0 },
	{ "no such opcode",        3,     0, { 0 },                 16, -1, 0 },
	{ "no such opcode at all", UINT32_MAX, 0, { 0 },            32, -1, 0 },
};
/* clang-format on */

static void inject(const struct raw_case *c, uint32_t object_id)
{
	struct cachefiles_msg_header header = {
		.msg_id = RAW_ID,
		.opcode = c->opcode,
		.len = c->len ? c->len : (uint32_t)c->n,
		.object_id = object_id,
	};
	uint8_t raw[64];

	memset(raw, 'x', sizeof(raw));
	memcpy(raw, &header, sizeof(header));
	memcpy(raw + sizeof(header), c->payload, sizeof(c->payload));
	emu_inject_raw(rig.emu, raw, c->n, c->fd_at);
}

/* Gives back what was written to stderr meanwhile. */
static int stderr_divert(int *saved)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	*saved = fcntl(2, F_DUPFD_CLOEXEC, 3);
	dup2(fd, 2);
	return fd;
}

static void stderr_restore(int fd, int saved, char *text, size_t n)
{
	ssize_t got = pread(fd, text, n - 1, 0);

	text[got < 0 ? 0 : got] = '\0';
	dup2(saved, 2);
	close(saved);
	close(fd);
}

START_TEST(bad_message_is_logged_refused_and_its_descriptor_closed)
{
	const struct raw_case *c = &raws[_i];
	struct emu_mount *mount = rig_mount(rig_serve("blob", 100 * KIB));
	struct emu_reader *reader = emu_read(mount, 0, 4096);
	char text[1024];
	int fd, saved;

	log_set_level(LOG_ERR);
	fd = stderr_divert(&saved);
	inject(c, emu_mount_object_id(mount));
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_run(MS);
	stderr_restore(fd, saved, text, sizeof(text));
	ck_assert_msg(strstr(text, "bad message"), "%s: \"%s\"", c->name, text);
	ck_assert_uint_eq(emu_answers(rig.emu, RAW_ID), c->answers);
	rig_umount(mount);
	assert_serves();
}
END_TEST

static const struct raw_case strangers[] = {
	{ "READ", READ, 0, { 0, 0, 4096, 0 }, 32, -1, 0 },
	{ "CLOSE", CACHEFILES_OP_CLOSE, 0, { 0 }, 16, -1, 0 },
};

START_TEST(message_for_an_unknown_object_is_survived)
{
	inject(&strangers[_i], 4711);
	rig_run(MS);
	ck_assert_uint_eq(emu_answers(rig.emu, RAW_ID), 0);
	assert_serves();
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, rig_end);
	tcase_add_test(tcase, message_zero_is_answered_like_any_other);
	tcase_add_test(tcase, message_ids_come_round);
	tcase_add_test(tcase, blob_of_two_mounts_is_looked_up_once);
	tcase_add_test(tcase, key_bytes_are_escaped_in_the_locator);
	tcase_add_loop_test(tcase, open_fails_with_what_the_origin_says, 0, COUNT(look_errors));
	tcase_add_test(tcase, object_that_is_not_there_cannot_be_opened);
	tcase_add_test(tcase, key_without_a_rule_cannot_be_opened);
	tcase_add_test(tcase, open_is_answered_at_its_deadline);
	tcase_add_test(tcase, slow_open_holds_up_nobody_else);
	tcase_add_test(tcase, open_that_the_kernel_could_not_deliver_hurts_nobody);
	tcase_add_test(tcase, dead_cache_is_reported_once);
	tcase_add_loop_test(tcase, bad_message_is_logged_refused_and_its_descriptor_closed, 0,
			    COUNT(raws));
	tcase_add_loop_test(tcase, message_for_an_unknown_object_is_survived, 0, COUNT(strangers));
}

int main(void)
{
	Suite *suite = suite_create("frontend");
	TCase *tcase = tcase_create("frontend");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
