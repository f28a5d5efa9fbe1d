/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an object while it is compared with its digest, or is on its way out.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "daemon/audit/audit-file.h"
#include "daemon/frontend/discard.h"
#include "daemon/loop/worker.h"
#include "proto/cachename.h"
#include "tests/lib/log-about.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/audit-fixture.h"

/* ---- what is at work ---------------------------------------------------------------------- */

/* It is held back here, so that something can happen meanwhile. */
static struct {
	bool on;
	struct worker *worker;
	struct worker_job *job;
} hold;

void __real_worker_run(struct worker *worker, struct worker_job *job);
void __wrap_worker_run(struct worker *worker, struct worker_job *job);

void __wrap_worker_run(struct worker *worker, struct worker_job *job)
{
	if (!hold.on) {
		__real_worker_run(worker, job);
		return;
	}
	ck_assert_ptr_null(hold.job);
	hold.worker = worker;
	hold.job = job;
}

static void hold_next(void)
{
	hold.job = NULL;
	hold.on = true;
	rig_wait(hold.job);
	hold.on = false;
}

static void let_go(void)
{
	__real_worker_run(hold.worker, hold.job);
	hold.job = NULL;
}

/* Its work is done, and the loop does not know of that yet. */
static void already_done(struct worker_job *job)
{
}

static void work_now(void)
{
	hold.job->work(hold.job);
	hold.job->work = already_done;
}

/* A cache file is discarded before its first byte has been read. */
static bool discards;

ssize_t __real_pread64(int fd, void *buf, size_t n, off64_t off);
ssize_t __wrap_pread64(int fd, void *buf, size_t n, off64_t off);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off64_t off);

static void discard(void)
{
	ck_assert_int_eq(
		discard_cached(emu_cache_dir(rig.emu), bytes_str(RIG_VOLUME), bytes_str("blob")),
		0);
}

ssize_t __wrap_pread64(int fd, void *buf, size_t n, off64_t off)
{
	if (discards) {
		discards = false;
		discard();
	}
	return __real_pread64(fd, buf, n, off);
}

/* Which of the names a file uses depends on how it was compiled. */
ssize_t __wrap_pread(int fd, void *buf, size_t n, off64_t off)
{
	return __wrap_pread64(fd, buf, n, off);
}

/* ---- what changes meanwhile --------------------------------------------------------------- */

/* Another version of it, with a digest or without one. */
static void change(bool digest)
{
	blob = fake_replace(rig.fake, blob, 2 * MIB, "etag:\"2\"");
	digest_of(blob);
	if (digest)
		blob->validator = right;
}

/* What was found is true of a version that is not cached any more. */
START_TEST(opened_while_it_is_looked_at)
{
	bool digest = _i % 2, looked_at = _i / 2;
	struct emu_mount *mount;
	struct audit_stats stats;

	rig.source.revalidate = true;
	audit_begin(SIZE);
	mount = rig_mount(blob);
	read_all(mount);
	hold_next();
	rig_umount(mount);
	if (looked_at)
		work_now();
	change(digest);
	mount = rig_mount(blob);
	let_go();
	rig_run(SEC / 2);
	ck_assert_uint_eq(audit_stats(rig.audit).right, 0);
	ck_assert_int_eq(verified(), digest ? VERIFIED_PENDING : VERIFIED_NO);
	read_all(mount);
	stats = settle();
	ck_assert_uint_eq(stats.right, digest);
	ck_assert_uint_eq(stats.wrong, 0);
	ck_assert_int_eq(verified(), digest ? VERIFIED_WHOLE : VERIFIED_NO);
	rig_umount(mount);
}
END_TEST

/* It is compared with its own digest, not with that of the version before. */
START_TEST(opened_while_it_waits)
{
	struct emu_mount *mount;
	struct audit_stats stats;

	rig.source.revalidate = true;
	audit_begin(SIZE);
	mount = rig_mount(blob);
	read_all(mount);
	rig_umount(mount);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 1);
	change(_i);
	mount = rig_mount(blob);
	read_all(mount);
	stats = settle();
	ck_assert_uint_eq(stats.right, _i);
	ck_assert_uint_eq(stats.wrong, 0);
	ck_assert_uint_eq(stats.hashed_bytes, _i ? blob->bytes.size : 0);
	rig_umount(mount);
}
END_TEST

/* ---- the end, and files ------------------------------------------------------------------- */

/* Files are touched a second after the first of them was closed, as evictions begin. */
static void umount_and_touch(struct emu_mount *mount)
{
	rig_umount(rig_mount(rig_serve("other", 4096)));
	rig_run(SEC / 2);
	rig_umount(mount);
	rig_run(SEC * 3 / 4);
}

/* Space tells of the end of an eviction when nobody waits for it any more, or says that there is
 * no more time for it. */
START_TEST(stopped_while_it_is_evicted)
{
	struct emu_mount *mount = make_wrong();

	umount_and_touch(mount);
	hold_next();
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 1);
	audit_stop(rig.audit);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 0);
	if (_i) {
		let_go();
		rig_run(SEC);
		ck_assert_uint_eq(rig_present(blob), 0);
	}
}
END_TEST

START_TEST(stopped_when_the_result_is_stale)
{
	struct emu_mount *mount;

	audit_begin(SIZE);
	mount = rig_mount(blob);
	read_all(mount);
	hold_next();
	rig_umount(mount);
	mount = rig_mount(blob);
	audit_stop(rig.audit);
	ck_assert_uint_eq(audit_stats(rig.audit).waiting, 0);
	hold.job = NULL; /* it has gone with its item, which LeakSanitizer would find here */
	rig_umount(mount);
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

	audit_begin(4 * MIB);
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
	discards = true;
	ck_assert_int_eq(look_at_file(false, 4 * MIB), -ENOENT);
	ck_assert(!discards);
	ck_assert_int_eq(look_at_file(false, 4 * MIB), -ENOENT);
}
END_TEST

START_TEST(what_is_wrong_is_told_of_its_object)
{
	struct emu_mount *mount = make_wrong();

	ck_assert_ptr_nonnull(
		strstr(log_about_told(), "VOLUME=erofs,v COOKIE=blob erofs,v/blob: all "));
	rig_umount(mount);
	(void)settle();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("audit-meanwhile");
	TCase *tc = tcase_create("audit-meanwhile");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, audit_setup, rig_end);
	tcase_add_loop_test(tc, opened_while_it_is_looked_at, 0, 4);
	tcase_add_loop_test(tc, opened_while_it_waits, 0, 2);
	tcase_add_loop_test(tc, stopped_while_it_is_evicted, 0, 2);
	tcase_add_test(tc, stopped_when_the_result_is_stale);
	tcase_add_test(tc, files_that_cannot_be_looked_at);
	tcase_add_test(tc, what_is_wrong_is_told_of_its_object);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
