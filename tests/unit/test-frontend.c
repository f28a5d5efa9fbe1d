/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel: what a script cannot look at. Messages that are not what
 * they should be are logged; how they are answered is in tests/scenario.
 */
#include <check.h>
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

#define RAW_ID 70000

struct raw_case {
	const char *name;
	uint32_t opcode;
	size_t n; /* bytes that arrive */
};

static const struct raw_case raws[] = {
	{ "half a header", CACHEFILES_OP_OPEN, 12 },
	{ "OPEN without payload", CACHEFILES_OP_OPEN, 16 },
	{ "READ cut", CACHEFILES_OP_READ, 24 },
	{ "CLOSE that is too long", CACHEFILES_OP_CLOSE, 20 },
	{ "no such opcode", 3, 16 },
};

static void inject(const struct raw_case *c, uint32_t object_id)
{
	struct cachefiles_msg_header header = {
		.msg_id = RAW_ID,
		.opcode = c->opcode,
		.len = (uint32_t)c->n,
		.object_id = object_id,
	};
	uint8_t raw[32] = { 0 };

	memcpy(raw, &header, sizeof(header));
	emu_inject_raw(rig.emu, raw, c->n, -1);
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

START_TEST(bad_message_is_logged)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 100 * KIB));
	char text[1024];
	int fd, saved;

	log_set_level(LOG_ERR);
	fd = stderr_divert(&saved);
	inject(&raws[_i], emu_mount_object_id(mount));
	rig_run(MS);
	stderr_restore(fd, saved, text, sizeof(text));
	ck_assert_msg(strstr(text, "bad message"), "%s: \"%s\"", raws[_i].name, text);
	rig_umount(mount);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, rig_end);
	tcase_add_loop_test(tcase, bad_message_is_logged, 0, COUNT(raws));
}

int main(void)
{
	Suite *suite = suite_create("frontend");
	TCase *tcase = tcase_create("frontend");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
