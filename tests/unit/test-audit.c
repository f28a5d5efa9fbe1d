/* SPDX-License-Identifier: MIT */
/*
 * Objects with a digest of the whole: looked at once when all of them is cached, on record from
 * then on, and dropped where they are wrong.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/audit/audit-file.h"
#include "daemon/frontend/discard.h"
#include "daemon/util/checked.h"
#include "daemon/util/sha256.h"
#include "proto/cachename.h"
#include "tests/lib/log-errors.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define SIZE  (MIB + 5)
#define WRONG "digest:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char right[sizeof(WRONG)];
static struct fake_origin *blob;

/* ---- digests ------------------------------------------------------------------------------ */

static void digest_of(const struct fake_origin *origin)
{
	uint64_t size = origin->bytes.size;
	uint8_t *bytes = malloc(size);
	char hex[SHA256_HEX];
	struct sha256 *sha;

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = origin->bytes.byte(&origin->bytes, i);
	ck_assert_int_eq(sha256_new(&sha), 0);
	sha256_update(sha, bytes, size);
	sha256_hex(sha, hex);
	sha256_free(sha);
	free(bytes);
	snprintf(right, sizeof(right), "digest:sha256:%s", hex);
}

/* ---- fixture ------------------------------------------------------------------------------ */

static void begin(uint64_t size)
{
	rig_begin();
	blob = rig_serve("blob", size);
	digest_of(blob);
	blob->validator = right;
}

static void setup(void)
{
	rig_setup();
	rig.culls = rig.audits = true;
	rig.config.readahead_max = 0;
}

static enum verified verified(void)
{
	const struct object *o =
		engine_peek_object(rig.engine, bytes_str(RIG_VOLUME), bytes_str("blob"));

	ck_assert_ptr_nonnull(o);
	return object_verified(o);
}

/* Until nothing is wanted any more. */
static struct audit_stats settle(void)
{
	rig_run(SEC); /* an eviction takes a turn of its own */
	rig_wait(audit_stats(rig.audit).waiting == 0);
	return audit_stats(rig.audit);
}

static void read_all(struct emu_mount *mount)
{
	ck_assert_int_eq(rig_read(mount, 0, blob->bytes.size), 0);
}

/* ---- what is right ------------------------------------------------------------------------ */

START_TEST(what_is_complete_is_looked_at_once)
{
	struct emu_mount *mount;
	struct audit_stats stats;

	begin(_i == 0 ? SIZE : _i == 1 ? 4096 : 1);
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_PENDING);
	read_all(mount);
	stats = settle();
	ck_assert_uint_eq(stats.right, 1);
	ck_assert_uint_eq(stats.hashed_bytes, blob->bytes.size);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, blob->bytes.size);

	rig_stop();
	rig_start();
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, 0);
}
END_TEST

START_TEST(what_is_not_complete_is_not_hashed)
{
	struct emu_mount *mount;

	begin(4 * MIB);
	mount = rig_mount(blob);
	ck_assert_int_eq(rig_read(mount, 0, 2 * MIB), 0);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, 0);

	/* The rest of it, after a restart that knows of no part of it. */
	rig_stop();
	rig_start();
	mount = rig_mount(blob);
	ck_assert_int_eq(rig_read(mount, 2 * MIB, 2 * MIB), 0);
	rig_umount(mount);
	ck_assert_uint_eq(settle().right, 1);
	mount = rig_mount(blob);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

START_TEST(what_has_no_digest_is_not_looked_at)
{
	static const char *const validators[] = { "", "etag:\"sha256\"", "digest:sha512:00",
						  "tarmap:00" };
	struct emu_mount *mount;

	begin(SIZE);
	blob->validator = validators[_i];
	mount = rig_mount(blob);
	read_all(mount);
	ck_assert_int_eq(verified(), VERIFIED_NO);
	rig_umount(mount);
	ck_assert_uint_eq(settle().hashed_bytes, 0);
}
END_TEST

/* It stands in the queue once. */
START_TEST(opened_again_and_again)
{
	struct emu_mount *mount;

	begin(SIZE);
	mount = rig_mount(blob);
	read_all(mount);
	for (int i = 0; i < 3; i++) {
		rig_umount(mount);
		mount = rig_mount(blob);
		rig_run(SEC / 2);
	}
	ck_assert_uint_eq(settle().right, 1);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

/* ---- what is wrong ------------------------------------------------------------------------ */

static struct emu_mount *make_wrong(void)
{
	struct emu_mount *mount;

	begin(SIZE);
	blob->validator = WRONG;
	mount = rig_mount(blob);
	listen_to_errors();
	read_all(mount);
	ck_assert_uint_eq(settle().wrong, 1);
	end_listening();
	ck_assert_int_eq(verified(), VERIFIED_FAILED);
	return mount;
}

START_TEST(what_is_wrong_is_said_and_goes)
{
	struct emu_mount *mount = make_wrong();
	unsigned int looks = blob->looks;

	ck_assert_uint_eq(heard("erofs,v/blob: all 1048581 bytes are cached, and they are wrong"),
			  1);
	ck_assert_uint_eq(heard(right + strlen("digest:")), 1); /* what was found */
	ck_assert_uint_eq(heard(&WRONG[strlen("digest:")]), 1);
	ck_assert_uint_eq(heard("from fake:blob"), 1);
	/* Who has it open keeps it: another version would mix. */
	ck_assert_uint_gt(rig_present(blob), 0);
	read_all(mount);
	rig_umount(mount);
	(void)settle();
	ck_assert_uint_eq(rig_present(blob), 0);

	/* Mended at the origin: it is fetched anew, and looked at anew. */
	blob->validator = right;
	mount = rig_mount(blob);
	ck_assert_uint_eq(blob->looks, looks + 1);
	read_all(mount);
	ck_assert_uint_eq(settle().right, 1);
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

/* Where nothing can be culled, or there was no time to. */
START_TEST(what_is_wrong_is_dropped_when_it_is_opened)
{
	struct emu_mount *mount;

	rig.culls = false;
	mount = make_wrong();
	rig_umount(mount);
	ck_assert_uint_eq(settle().wrong, 1);
	ck_assert_uint_gt(rig_present(blob), 0);
	if (_i) {
		rig_stop();
		rig_start();
	}
	blob->validator = right;
	mount = rig_mount(blob);
	ck_assert_uint_lt(rig_present(blob), blob->bytes.size);
	ck_assert_int_eq(verified(), VERIFIED_PENDING);
	read_all(mount);
	(void)settle();
	ck_assert_int_eq(verified(), VERIFIED_WHOLE);
	rig_umount(mount);
}
END_TEST

/* A mount that reads nothing but what is cached is not heard of by the next daemon. */
START_TEST(what_is_wrong_is_known_to_the_next_daemon)
{
	struct emu_mount *mount;

	rig.kernel.holder = true;
	mount = make_wrong();
	rig_kill();
	rig_start();
	read_all(mount);
	rig_umount(mount);
	ck_assert_uint_eq(rig_present(blob), round_up_u64(SIZE, 4096));
	ck_assert(!engine_is_recorded(rig.engine, bytes_str(RIG_VOLUME), bytes_str("blob")));
	blob->validator = right;
	mount = rig_mount(blob);
	ck_assert_uint_lt(rig_present(blob), SIZE);
	ck_assert_int_eq(verified(), VERIFIED_PENDING);
	rig_umount(mount);
}
END_TEST

/* ---- the end, and files ------------------------------------------------------------------- */

/* While it waits, is looked at, or is on its way out. */
START_TEST(stopped_meanwhile)
{
	struct emu_mount *mount = _i % 2 ? make_wrong() : NULL;

	if (!mount) {
		begin(SIZE);
		mount = rig_mount(blob);
		read_all(mount);
	}
	rig_umount(mount);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 1);
	for (int i = 0; i < _i / 2; i++)
		ck_assert_int_eq(loop_turn(rig.loop), 0);
	audit_stop(rig.audit);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 0);
}
END_TEST

static int look_at_file(bool stopped, uint64_t size)
{
	char path[CACHENAME_PATH_MAX], hex[SHA256_HEX];
	atomic_bool stop = stopped;
	uint64_t bytes;
	int err;

	ck_assert_int_eq(cachename_path(bytes_str(RIG_VOLUME), bytes_str("blob"), path), 0);
	err = audit_file(emu_cache_dir(rig.emu), path, size, &stop, hex, &bytes);
	if (err == 0)
		ck_assert_str_eq(hex, right + strlen("digest:sha256:"));
	return err;
}

START_TEST(files_that_cannot_be_looked_at)
{
	struct emu_mount *mount;

	begin(4 * MIB);
	ck_assert_int_eq(look_at_file(false, 4 * MIB), -ENOENT);
	mount = rig_mount(blob);
	ck_assert_int_eq(rig_read(mount, 0, MIB), 0);
	ck_assert_int_eq(look_at_file(false, 4 * MIB), -ENODATA);
	read_all(mount);
	ck_assert_int_eq(look_at_file(true, 4 * MIB), -ECANCELED);
	ck_assert_int_eq(look_at_file(false, 4 * MIB), 0);
	ck_assert_int_eq(look_at_file(false, 5 * MIB), -ENODATA);
	rig_umount(mount);
	/* It keeps its name until there is a file in its place. */
	ck_assert_int_eq(
		discard_cached(emu_cache_dir(rig.emu), bytes_str(RIG_VOLUME), bytes_str("blob")),
		0);
	ck_assert_int_eq(look_at_file(false, 4 * MIB), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tc = tcase_create("audit");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, rig_end);
	tcase_add_loop_test(tc, what_is_complete_is_looked_at_once, 0, 3);
	tcase_add_test(tc, what_is_not_complete_is_not_hashed);
	tcase_add_loop_test(tc, what_has_no_digest_is_not_looked_at, 0, 4);
	tcase_add_test(tc, opened_again_and_again);
	tcase_add_test(tc, what_is_wrong_is_said_and_goes);
	tcase_add_loop_test(tc, what_is_wrong_is_dropped_when_it_is_opened, 0, 2);
	tcase_add_test(tc, what_is_wrong_is_known_to_the_next_daemon);
	tcase_add_loop_test(tc, stopped_meanwhile, 0, 2 * 16);
	tcase_add_test(tc, files_that_cannot_be_looked_at);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
