/* SPDX-License-Identifier: MIT */
/*
 * The daemon against the emulated kernel: READ, in what a script cannot say: many sizes, real
 * loops, what holds at each moment. The rest is in tests/scenario.
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

/* ---- many readers of one fetch ------------------------------------------------------------ */

#define READERS 300

START_TEST(readers_of_one_fetch_give_up_each_in_his_time)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *readers[READERS];

	origin->stall_always = true;
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i] = emu_read_pages(mount, 4 * MIB + i % 3 * 4096, 4096);
		rig_run(10 * MS);
	}
	for (unsigned int i = 0; i < READERS; i++) {
		ck_assert_int_eq(rig_finish(readers[i]), -EIO);
		ck_assert_uint_ge(emu_reader_waited(readers[i]), RIG_READ_DEADLINE);
		ck_assert_uint_le(emu_reader_waited(readers[i]), RIG_READ_DEADLINE + 10 * MS);
	}
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

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

static void add_tests(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, rig_end);
	tcase_add_loop_test(tcase, whole_object_is_served_with_its_last_block_padded, 0,
			    COUNT(sizes));
	tcase_add_loop_test(tcase, last_block_alone_is_served, 0, COUNT(sizes));
	tcase_add_loop_test(tcase, real_loops_serve_too, 0, COUNT(backends));
	tcase_add_test(tcase, readers_of_one_fetch_give_up_each_in_his_time);
	tcase_add_test(tcase, compressed_image_is_held_until_it_is_whole);
}

int main(void)
{
	Suite *suite = suite_create("frontend-read");
	TCase *tcase = tcase_create("frontend-read");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
