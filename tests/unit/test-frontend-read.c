/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel: READ. Readers get their bytes as soon as these are
 * stored, or an error in time; what is fetched is fetched once.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static void setup(void)
{
	rig_setup();
	rig_begin();
}

static uint64_t whole_blocks(uint64_t size)
{
	return (size + 4095) / 4096 * 4096;
}

/* ---- sizes ------------------------------------------------------------------------------ */

static const uint64_t sizes[] = {
	1,	   511,	   4095,	4096,	 4097,	  8191,
	128 * KIB, 131073, 1 * MIB - 1, 1 * MIB, 1048577, 5 * MIB + 12345,
};

START_TEST(whole_object_is_served_with_its_last_block_padded)
{
	uint64_t size = sizes[_i];
	struct fake_origin *origin = rig_serve("blob", size);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_uint_eq(emu_mount_size(mount), size);
	for (uint64_t off = 0; off < size; off += 256 * KIB)
		ck_assert_int_eq(
			rig_read(mount, off, off + 256 * KIB < size ? 256 * KIB : size - off), 0);
	ck_assert_uint_eq(rig_present(origin), whole_blocks(size));
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(emu_counters(rig.emu).bytes_rewritten, 0);
	rig_umount(mount);
}
END_TEST

START_TEST(last_block_alone_is_served)
{
	uint64_t size = sizes[_i];
	struct emu_mount *mount = rig_mount(rig_serve("blob", size));

	ck_assert_int_eq(rig_finish(emu_read_pages(mount, size - 1, 1)), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(empty_object_can_be_opened_and_not_read)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 0));

	ck_assert_int_eq(rig_read(mount, 0, 4096), -EIO);
	rig_umount(mount);
}
END_TEST

START_TEST(read_past_the_end_fails_and_across_it_serves_what_there_is)
{
	struct fake_origin *origin = rig_serve("blob", 10000);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *reader;

	ck_assert_int_eq(rig_read(mount, 12288, 4096), -EIO);
	ck_assert_int_eq(rig_read(mount, (uint64_t)1 << 60, 4096), -EIO);
	reader = emu_read(mount, 0, 64 * KIB);
	ck_assert_int_eq(rig_finish(reader), -EIO);
	ck_assert_int_eq(rig_read(mount, 0, 10000), 0);
	ck_assert_uint_eq(rig_present(origin), 12288);
	rig_umount(mount);
}
END_TEST

START_TEST(read_larger_than_all_buffers_is_served)
{
	struct fake_origin *origin;
	struct emu_mount *mount;

	rig_end();
	rig_setup();
	rig.config.buffers = 2 * MIB;
	rig_begin();
	origin = rig_serve("blob", 40 * MIB + 1);
	origin->delay = 10 * MS;
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 0, 40 * MIB + 1), 0);
	ck_assert_uint_le(fake_bytes_max(rig.fake), 2 * MIB);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_umount(mount);
}
END_TEST

static const enum loop_backend backends[] = { LOOP_POLL, LOOP_URING };

/* Real time and, in one case, writes that the kernel does on its own. */
START_TEST(real_loops_serve_too)
{
	struct fake_origin *origin;
	struct emu_mount *mount;
	struct loop *probe;

	if (loop_new(&probe, backends[_i]) < 0)
		return; /* this host forbids it */
	loop_free(probe);
	rig_end();
	rig_setup();
	rig.backend = backends[_i];
	rig_begin();
	origin = rig_serve("blob", 5 * MIB + 4097);
	mount = rig_mount(origin);
	for (uint64_t off = 0; off < 5 * MIB; off += 512 * KIB)
		ck_assert_int_eq(rig_read(mount, off, 512 * KIB), 0);
	ck_assert_int_eq(rig_read(mount, 5 * MIB, 4097), 0);
	ck_assert_uint_eq(rig_present(origin), 5 * MIB + 8192);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	emu_read(mount, 1 * MIB, 4096);
	rig_umount(mount);
}
END_TEST

/* ---- who waits for what ----------------------------------------------------------------- */

START_TEST(reader_is_answered_when_its_own_bytes_are_stored)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *all, *first;

	origin->step = 64 * KIB;
	origin->step_time = 100 * MS;
	all = emu_read(mount, 4 * MIB, 1 * MIB); /* 1.5 s */
	rig_run(10 * MS);
	first = emu_read(mount, 4 * MIB + 64 * KIB, 4096);
	ck_assert_int_eq(rig_finish(first), 0);
	ck_assert_uint_le(emu_reader_waited(first), 200 * MS);
	ck_assert(rig_waiting(all));
	ck_assert_int_eq(rig_finish(all), 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_umount(mount);
}
END_TEST

START_TEST(overlapping_readers_share_one_fetch)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *readers[200];

	origin->delay = 20 * MS;
	origin->step = 16 * KIB;
	origin->step_time = MS;
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t off = (i * 7919 % 1900) * 4096;

		readers[i] = emu_read(mount, off, (1 + i % 60) * 4096);
		if (i % 10 == 0)
			rig_run(MS);
	}
	for (unsigned int i = 0; i < 200; i++)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(emu_counters(rig.emu).bytes_rewritten, 0);
	ck_assert_uint_eq(emu_counters(rig.emu).completions_empty, 0);
	ck_assert_uint_le(fake_running_max(rig.fake), rig.source.max_requests);
	rig_umount(mount);
}
END_TEST

START_TEST(sequential_reader_costs_few_round_trips)
{
	struct fake_origin *origin = rig_serve("blob", 16 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	for (uint64_t off = 0; off < 16 * MIB; off += 4096)
		ck_assert_int_eq(rig_finish(emu_read_pages(mount, off, 4096)), 0);
	ck_assert_uint_le(origin->reads, 64); /* of 4096 */
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_umount(mount);
}
END_TEST

START_TEST(demand_is_served_while_another_object_stalls)
{
	struct fake_origin *slow = rig_serve("slow", 8 * MIB), *fast = rig_serve("fast", 8 * MIB);
	struct emu_mount *slow_mount = rig_mount(slow), *fast_mount = rig_mount(fast);
	struct emu_reader *reader;

	slow->stall_at = 0;
	reader = emu_read(slow_mount, 4 * MIB, 4096);
	slow->stall_at = 4 * MIB;
	rig_run(SEC);
	for (uint64_t off = 0; off < 8 * MIB; off += 128 * KIB)
		ck_assert_int_eq(rig_read(fast_mount, off, 128 * KIB), 0);
	ck_assert(rig_waiting(reader));
	fake_unstall(rig.fake, slow);
	ck_assert_int_eq(rig_finish(reader), 0);
	rig_umount(slow_mount);
	rig_umount(fast_mount);
}
END_TEST

/* ---- trouble ---------------------------------------------------------------------------- */

START_TEST(stalled_read_is_answered_at_its_deadline_and_late_bytes_are_kept)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *reader;

	origin->stall_at = 4 * MIB;
	reader = emu_read_pages(mount, 4 * MIB, 4096);
	rig_run(RIG_READ_DEADLINE - 1);
	ck_assert(rig_waiting(reader));
	ck_assert_int_eq(rig_finish(reader), -EIO);
	ck_assert_uint_eq(emu_counters(rig.emu).answer_ns_max, RIG_READ_DEADLINE);

	fake_unstall(rig.fake, origin);
	rig_run(SEC);
	reader = emu_read_pages(mount, 4 * MIB, 4096);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(emu_reader_requests(reader), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(many_stalled_reads_are_each_answered_at_their_deadline)
{
	struct fake_origin *origin = rig_serve("blob", 64 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *readers[100];

	origin->delay = 3600 * SEC;
	for (unsigned int i = 0; i < 100; i++) {
		readers[i] = emu_read_pages(mount, MIB + i * 37 * 4096, 4096);
		rig_run(50 * MS);
	}
	for (unsigned int i = 0; i < 100; i++) {
		ck_assert_int_eq(rig_finish(readers[i]), -EIO);
		ck_assert_uint_le(emu_reader_waited(readers[i]), RIG_READ_DEADLINE);
	}
	rig_umount(mount);
}
END_TEST

static const int read_errors[] = { -ECONNRESET, -EPROTO, -ENOENT, -ETIMEDOUT, -EACCES, -EIO };

START_TEST(failed_fetch_fails_its_readers_and_keeps_what_arrived)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *before, *across;

	origin->read_error = read_errors[_i];
	origin->fail_at = 4 * MIB + 64 * KIB + 100;
	across = emu_read(mount, 4 * MIB, 128 * KIB);
	rig_run(0);
	before = emu_read(mount, 4 * MIB, 64 * KIB);
	ck_assert_int_eq(rig_finish(before), 0);
	ck_assert_int_eq(rig_finish(across), -EIO);

	origin->read_error = 0;
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 128 * KIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(object_that_changes_while_open_is_an_error)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 4096), 0);
	origin->validator = "v2"; /* the bytes would be others: none may arrive */
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 4096), -EIO);
	ck_assert_int_eq(rig_read(mount, 0, 4096), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(killed_readers_leave_nothing_behind)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *readers[50];

	origin->delay = SEC;
	for (unsigned int i = 0; i < 50; i++)
		readers[i] = emu_read(mount, i * 64 * KIB, 4096);
	rig_run(SEC / 2);
	for (unsigned int i = 0; i < 50; i += 2)
		emu_kill_reader(readers[i]);
	for (unsigned int i = 1; i < 50; i += 2)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
	rig_run(60 * SEC);
	ck_assert_uint_eq(fake_running(rig.fake), 0);
	rig_umount(mount);
}
END_TEST

/* ---- the cache file --------------------------------------------------------------------- */

START_TEST(object_that_is_not_ready_yet_is_written_later)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 8 * MIB));

	emu_fail_writes(rig.emu, 5, 0, -ENOBUFS);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	ck_assert_uint_eq(emu_counters(rig.emu).writes_refused, 5);
	rig_umount(mount);
}
END_TEST

START_TEST(short_writes_are_continued)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	emu_fail_writes(rig.emu, 7, 4096, 0);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	ck_assert_uint_eq(emu_counters(rig.emu).bytes_rewritten, 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_umount(mount);
}
END_TEST

static const int write_errors[] = { -ENOSPC, -EIO, -ENOBUFS, -EINVAL };

START_TEST(cache_that_refuses_writes_fails_readers_until_it_is_mended)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 8 * MIB));

	ck_assert_int_eq(rig_read(mount, 0, 4096), 0);
	emu_fail_writes(rig.emu, 1000, 0, write_errors[_i]);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), -EIO);
	emu_fail_writes(rig.emu, 0, 0, 0);
	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(bytes_of_an_earlier_use_are_not_fetched_again)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 4 * MIB, 64 * KIB), 0);
	rig_umount(mount);
	mount = rig_mount(origin);
	ck_assert_int_eq(rig_read(mount, 4 * MIB - 256 * KIB, 512 * KIB), 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(emu_counters(rig.emu).bytes_rewritten, 0);
	ck_assert_uint_eq(origin->looks, 1);
	rig_umount(mount);
}
END_TEST

/* ---- compressed images ------------------------------------------------------------------ */

START_TEST(compressed_image_is_held_until_it_is_whole)
{
	struct fake_origin *origin = rig_serve("image", 20 * MIB + 77);
	struct emu_mount *mount;
	struct emu_reader *reader[2];

	origin->compressed = true;
	origin->step = 64 * KIB;
	origin->step_time = 100 * MS;
	mount = rig_mount(origin);
	reader[0] = emu_read_pages(mount, 0, 4096);
	reader[1] = emu_read(mount, 10 * MIB, 64 * KIB);
	while (rig_waiting(reader[0])) {
		ck_assert(rig_waiting(reader[1]));
		/* The first block comes last: what a crash leaves cannot be mounted. */
		if (rig_present(origin) < whole_blocks(20 * MIB))
			ck_assert_int_ne(lseek(emu_mount_fd(mount), 0, SEEK_DATA), 0);
		rig_run(10 * MS);
	}
	ck_assert_uint_eq(rig_present(origin), whole_blocks(20 * MIB + 77));
	ck_assert_int_eq(rig_finish(reader[0]), 0);
	ck_assert_int_eq(rig_finish(reader[1]), 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_umount(mount);
}
END_TEST

START_TEST(compressed_image_may_take_longer_than_a_read_while_bytes_come)
{
	struct fake_origin *origin = rig_serve("image", 20 * MIB);
	struct emu_mount *mount;
	struct emu_reader *reader;

	origin->compressed = origin->bytes.patient = true;
	origin->step = 64 * KIB;
	origin->step_time = 3 * SEC;
	mount = rig_mount(origin);
	reader = emu_read_pages(mount, 0, 4096);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_gt(emu_reader_waited(reader), 2 * RIG_READ_DEADLINE);
	rig_umount(mount);
}
END_TEST

START_TEST(compressed_image_that_stalls_fails_its_readers_in_time)
{
	struct fake_origin *origin = rig_serve("image", 20 * MIB);
	struct emu_mount *mount;
	struct emu_reader *reader;

	origin->compressed = true;
	origin->stall_at = 7 * MIB + 300 * KIB;
	mount = rig_mount(origin);
	reader = emu_read_pages(mount, 0, 4096);
	ck_assert_int_eq(rig_finish(reader), -EIO);
	ck_assert_int_ne(lseek(emu_mount_fd(mount), 0, SEEK_DATA), 0);
	fake_unstall(rig.fake, origin);
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, 0, 4096)), 0);
	ck_assert_uint_eq(rig_present(origin), 20 * MIB);
	rig_umount(mount);
}
END_TEST

START_TEST(compressed_image_can_be_refused)
{
	struct fake_origin *origin;
	struct emu_mount *mount;

	rig_end();
	rig_setup();
	rig.source.refuse_compressed = true;
	rig_begin();
	origin = rig_serve("image", 20 * MIB);
	origin->compressed = true;
	mount = rig_open(origin);
	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING);
	ck_assert_int_eq(emu_mount_error(mount), -EOPNOTSUPP);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, rig_end);
	tcase_add_loop_test(tcase, whole_object_is_served_with_its_last_block_padded, 0,
			    COUNT(sizes));
	tcase_add_loop_test(tcase, last_block_alone_is_served, 0, COUNT(sizes));
	tcase_add_test(tcase, empty_object_can_be_opened_and_not_read);
	tcase_add_test(tcase, read_past_the_end_fails_and_across_it_serves_what_there_is);
	tcase_add_test(tcase, read_larger_than_all_buffers_is_served);
	tcase_add_loop_test(tcase, real_loops_serve_too, 0, COUNT(backends));
	tcase_add_test(tcase, reader_is_answered_when_its_own_bytes_are_stored);
	tcase_add_test(tcase, overlapping_readers_share_one_fetch);
	tcase_add_test(tcase, sequential_reader_costs_few_round_trips);
	tcase_add_test(tcase, demand_is_served_while_another_object_stalls);
	tcase_add_test(tcase, stalled_read_is_answered_at_its_deadline_and_late_bytes_are_kept);
	tcase_add_test(tcase, many_stalled_reads_are_each_answered_at_their_deadline);
	tcase_add_loop_test(tcase, failed_fetch_fails_its_readers_and_keeps_what_arrived, 0,
			    COUNT(read_errors));
	tcase_add_test(tcase, object_that_changes_while_open_is_an_error);
	tcase_add_test(tcase, killed_readers_leave_nothing_behind);
	tcase_add_test(tcase, object_that_is_not_ready_yet_is_written_later);
	tcase_add_test(tcase, short_writes_are_continued);
	tcase_add_loop_test(tcase, cache_that_refuses_writes_fails_readers_until_it_is_mended, 0,
			    COUNT(write_errors));
	tcase_add_test(tcase, bytes_of_an_earlier_use_are_not_fetched_again);
	tcase_add_test(tcase, compressed_image_is_held_until_it_is_whole);
	tcase_add_test(tcase, compressed_image_may_take_longer_than_a_read_while_bytes_come);
	tcase_add_test(tcase, compressed_image_that_stalls_fails_its_readers_in_time);
	tcase_add_test(tcase, compressed_image_can_be_refused);
}

int main(void)
{
	Suite *suite = suite_create("frontend-read");
	TCase *tcase = tcase_create("frontend-read");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
