/* SPDX-License-Identifier: MIT */
/*
 * The recorder when its disk is slow, full or broken, and when memory ends: the file stays
 * readable, what is missing is counted, and no request notices.
 */
#include <signal.h>
#include <sys/resource.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/recording-faults.h"

/* So many records of 3000 bytes and a little, of sources 0, 1, ... */
static void put_big(unsigned int count)
{
	static uint8_t key[3000];
	const struct engine_open open = { .volume = bytes_of(key, sizeof(key)) };
	struct engine_observer *observer = recorder_observer(recorder);

	for (unsigned int i = 0; i < count; i++)
		observer->looked(observer, &open, i, 0, 0, 0);
}

/* ---- a slow disk -------------------------------------------------------------------------- */

START_TEST(slow_disk_loses_records_and_no_request)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 64 * MIB));
	uint64_t told = 0, lost;

	start();
	disk.slow = true;
	put_big(200);
	ck_assert_ptr_nonnull(disk.op);
	lost = recorder_stats(recorder).lost;
	ck_assert_uint_gt(lost, 0);
	for (uint64_t i = 1; i < 8; i++)
		ck_assert_int_eq(rig_read(mount, i * 8 * MIB, 64 * KIB), 0);
	ck_assert_uint_gt(recorder_stats(recorder).lost, lost);
	lost = recorder_stats(recorder).lost;
	disk_works_again();
	rig_run(SEC);
	ck_assert_int_eq(rig_read(mount, 20 * MIB, 4096), 0);
	ck_assert_uint_eq(recorder_stats(recorder).lost, lost);
	rig_umount(mount);
	stop();

	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_LOST], 1);
	ck_assert_uint_eq(seen.counts[TRACE_CLOSE], 1);
	for (size_t i = 0; i < seen.counts[TRACE_LOST]; i++)
		told += nth(TRACE_LOST, i)->count;
	ck_assert_uint_eq(told, lost);
}
END_TEST

START_TEST(object_whose_record_was_lost_is_named_later)
{
	struct emu_mount *mount;

	start();
	disk.slow = true;
	put_big(200);
	mount = rig_mount(rig_serve("blob", 8 * MIB));
	disk_works_again();
	rig_run(SEC);
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, MIB, 4096)), 0);
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, 6 * MIB, 4096)), 0);
	rig_umount(mount);
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_OPEN], 0);
	ck_assert_uint_eq(seen.counts[TRACE_OBJECT], 1);
	ck_assert_uint_eq(nth(TRACE_FETCH, 0)->object, nth(TRACE_OBJECT, 0)->object);
	ck_assert(nth(TRACE_FETCH, 0) > nth(TRACE_OBJECT, 0));
}
END_TEST

/* The longest key whose record can be written. */
static size_t longest_key(const uint8_t *key)
{
	static uint8_t buf[2 * TRACE_RECORD_MAX];
	struct trace_record record = {
		.kind = TRACE_LOOK,
		.volume = bytes_of(key, TRACE_RECORD_MAX),
	};

	for (; record.volume.len > 0; record.volume.len--) {
		struct trace_encoder encoder = { 0 };
		size_t n = trace_encode(&encoder, buf, sizeof(buf), &record);

		ck_assert_uint_le(n, TRACE_RECORD_MAX);
		if (n > 0)
			break;
	}
	return record.volume.len;
}

START_TEST(end_finds_room_behind_the_longest_records)
{
	static uint8_t key[TRACE_RECORD_MAX];
	const struct engine_open open = { .volume = bytes_of(key, longest_key(key)) };
	struct engine_observer *observer = recorder_observer(recorder);

	start();
	disk.slow = true;
	for (unsigned int i = 0; i < 40; i++)
		observer->looked(observer, &open, 0, 0, loop_now(rig.loop), 0);
	ck_assert_uint_gt(recorder_stats(recorder).lost, 0);
	stopped = false;
	recorder_stop(recorder, recorder_stopped, NULL);
	disk_works_again();
	rig_wait(stopped);
	see_whole(file);
	ck_assert_uint_ge(seen.counts[TRACE_LOOK], 8 + 15); /* half a buffer, and one */
	ck_assert_uint_eq(seen.counts[TRACE_LOOK] + nth(TRACE_LOST, 0)->count, 40);
}
END_TEST

/* However much is open when a recording begins, none of it is left out. */
START_TEST(all_that_there_is_finds_room)
{
	char locator[3001] = "x:";

	memset(locator + 2, 'x', sizeof(locator) - 3);
	start();
	disk.slow = true;
	for (unsigned int i = 0; i < 1000; i++)
		recorder_source(recorder, i, "", locator);
	ck_assert_uint_eq(recorder_stats(recorder).lost, 0);
	put_big(2000);
	ck_assert_uint_gt(recorder_stats(recorder).lost, 0);
	disk_works_again();
	rig_run(MS);
	put_big(10);
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_SOURCE], 1001);
	for (unsigned int i = 0; i < 1000; i++)
		ck_assert_uint_eq(nth(TRACE_SOURCE, i + 1)->source, i);
	ck_assert_uint_eq(seen.counts[TRACE_LOOK] + nth(TRACE_LOST, 0)->count, 2010);
}
END_TEST

START_TEST(what_there_is_is_lost_where_memory_ends)
{
	char locator[3001] = "x:";
	unsigned int lost = 0;

	memset(locator + 2, 'x', sizeof(locator) - 3);
	start();
	disk.slow = true;
	for (unsigned int i = 0; i < 400; i++) {
		if (disk.op) /* from here on nobody else wants any */
			memory_lasts = 0;
		recorder_source(recorder, i, "", locator);
		memory_lasts = NEVER;
	}
	lost = (unsigned int)recorder_stats(recorder).lost;
	ck_assert_uint_gt(lost, 0);
	disk_works_again();
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_SOURCE] + lost, 401);
}
END_TEST

START_TEST(end_finds_room_when_nothing_else_does)
{
	start();
	disk.slow = true;
	put_big(300);
	ck_assert_uint_gt(recorder_stats(recorder).lost, 0);
	stopped = false;
	recorder_stop(recorder, recorder_stopped, NULL);
	rig_run(10 * SEC);
	ck_assert(!stopped);
	put_big(1); /* nothing is behind the end */
	disk_works_again();
	rig_wait(stopped);
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_LOST], 1);
	ck_assert_uint_eq(seen.counts[TRACE_LOOK] + nth(TRACE_LOST, 0)->count, 300);
	ck_assert_uint_eq(seen.n_bytes, recorder_stats(recorder).bytes);
}
END_TEST

START_TEST(disk_that_keeps_up_loses_nothing)
{
	start();
	for (unsigned int i = 0; i < 20; i++) {
		put_big(40); /* 120 KB, less than a buffer */
		rig_run(MS);
	}
	stop();
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_LOST], 0);
	ck_assert_uint_eq(seen.counts[TRACE_LOOK], 800);
	for (unsigned int i = 0; i < 800; i++)
		ck_assert_uint_eq(nth(TRACE_LOOK, i)->source, i % 40);
}
END_TEST

START_TEST(daemon_that_stops_while_the_disk_is_slow_ends_its_recording)
{
	struct emu_mount *mount;

	start();
	mount = rig_mount(rig_serve("blob", 8 * MIB));
	disk.slow = true;
	rig_run(2 * SEC);
	ck_assert_ptr_nonnull(disk.op);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 4096), 0);
	rig_stop();
	stopped = false;
	recorder_stop(recorder, recorder_stopped, NULL);
	rig_run(SEC);
	ck_assert(!stopped);
	disk_works_again();
	rig_wait(stopped);
	see_whole(file);
	ck_assert_uint_eq(seen.counts[TRACE_COMPLETE], 1);
	ck_assert_uint_eq(seen.counts[TRACE_RELEASE], 1);
}
END_TEST

/* ---- a full disk -------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(full_disk_ends_the_recording_and_nothing_else)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 8 * MIB));
	size_t n;

	ck_assert_int_eq(rig_read(mount, 0, 8 * MIB), 0); /* the cache's files are as long */
	limit_files(100000);
	start();
	put_big(40);
	rig_run(2 * SEC);
	ck_assert(!recorder_stats(recorder).recording);
	ck_assert_uint_eq(recorder_stats(recorder).bytes, 100000);
	put_big(1); /* into nothing */
	see(file);
	ck_assert_uint_eq(seen.n_bytes, 100000);
	ck_assert_uint_gt(seen.used, 90000);
	ck_assert_uint_gt(seen.counts[TRACE_LOOK], 30);
	n = seen.n;
	ck_assert_int_eq(rig_read(mount, 0, 1 * MIB), 0);

	limit_files(RLIM_INFINITY);
	start();
	stop();
	see_whole(recorder_stats(recorder).path);
	ck_assert_str_ne(recorder_stats(recorder).path, file);
	see(file);
	ck_assert_uint_eq(seen.n, n);
	rig_umount(mount);
}
END_TEST

START_TEST(full_disk_while_it_stops)
{
	start();
	put_big(10);
	limit_files(10000);
	stop();
	limit_files(RLIM_INFINITY);
	see(file);
	ck_assert_uint_eq(seen.n_bytes, 10000);
	ck_assert_uint_eq(seen.counts[TRACE_END], 0);
}
END_TEST

/* ---- no memory ---------------------------------------------------------------------------- */

/* Each allocation in turn; what can do without one (the timer) does. */
START_TEST(recording_without_memory_does_not_begin)
{
	char error[RECORDER_ERROR_MAX], text[TEMPORARY_MAX + 128];
	unsigned int n;

	snprintf(text, sizeof(text), "%s: Cannot allocate memory", file);
	for (n = 0; memory_lasts = n, recorder_start(recorder, file, error) < 0; n++) {
		ck_assert_uint_eq(memory_lasts, NEVER);
		ck_assert_str_eq(error, text);
		ck_assert_int_ne(access(file, F_OK), 0); /* nothing stays behind */
	}
	memory_lasts = NEVER;
	ck_assert_uint_ge(n, 3);
	stop();
	see_whole(file);
}
END_TEST

START_TEST(recorder_without_memory)
{
	struct recorder *r = NULL;
	struct port inner = { 0 }, *port = NULL;

	memory_lasts = 0;
	ck_assert_int_eq(recorder_new(&r, rig.loop), -ENOMEM);
	ck_assert_ptr_null(r);
	memory_lasts = 0;
	ck_assert_int_eq(recorder_port(recorder, &port, &inner), -ENOMEM);
	ck_assert_ptr_null(port);
}
END_TEST

static TCase *tests(void)
{
	TCase *tcase = tcase_create("recorder-faults");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up_and_begin, tear_down);
	tcase_add_test(tcase, slow_disk_loses_records_and_no_request);
	tcase_add_test(tcase, object_whose_record_was_lost_is_named_later);
	tcase_add_test(tcase, end_finds_room_behind_the_longest_records);
	tcase_add_test(tcase, all_that_there_is_finds_room);
	tcase_add_test(tcase, what_there_is_is_lost_where_memory_ends);
	tcase_add_test(tcase, end_finds_room_when_nothing_else_does);
	tcase_add_test(tcase, disk_that_keeps_up_loses_nothing);
	tcase_add_test(tcase, daemon_that_stops_while_the_disk_is_slow_ends_its_recording);
	tcase_add_test(tcase, full_disk_ends_the_recording_and_nothing_else);
	tcase_add_test(tcase, full_disk_while_it_stops);
	tcase_add_test(tcase, recording_without_memory_does_not_begin);
	tcase_add_test(tcase, recorder_without_memory);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("recorder-faults");

	suite_add_tcase(suite, tests());
	return run_suite(suite);
}
