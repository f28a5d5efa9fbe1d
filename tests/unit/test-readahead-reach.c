/* SPDX-License-Identifier: MIT */
/*
 * What a distance does to the first bytes and to read-ahead: where a gap comes sooner than another
 * answer would, whoever goes forward with gaps is a stream, and nobody else pays for it.
 */
#include <check.h>
#include <stdlib.h>

#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

#define DISTANCE (50 * MS)
#define STEPS	 64
#define STRIDE	 (256 * KIB)
#define START	 MIB

static struct fake_origin *begin(uint64_t size, uint64_t distance)
{
	struct fake_origin *origin;

	rig_setup();
	rig.kernel.in_memory = true;
	rig_begin();
	origin = rig_serve("blob", size);
	origin->delay = origin->look_delay = distance;
	return origin;
}

/* A page of each stride; how long that took. */
static uint64_t walk(struct emu_mount *mount)
{
	uint64_t begun = loop_now(rig.loop);

	for (uint64_t i = 0; i < STEPS; i++)
		ck_assert_int_eq(rig_finish(emu_read_pages(mount, START + i * STRIDE, 4 * KIB)), 0);
	return loop_now(rig.loop) - begun;
}

START_TEST(a_walk_far_away_takes_fewer_round_trips)
{
	struct fake_origin *origin = begin(64 * MIB, DISTANCE);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_uint_le(walk(mount), STEPS / 2 * DISTANCE);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	/* What is ahead of it comes in the time of one answer. */
	ck_assert_uint_le(origin->bytes_asked, (STEPS + 4) * STRIDE + START);
}
END_TEST

START_TEST(a_walk_close_by_brings_small_units)
{
	struct fake_origin *origin = begin(64 * MIB, 0);
	struct emu_mount *mount = rig_mount(origin);

	walk(mount);
	rig_run(SEC);
	ck_assert_uint_le(origin->bytes_asked, STEPS * 64 * KIB + START);
}
END_TEST

/* Two places with a hole between them; requests of the origin until what is in the hole is read. */
static uint64_t read_around(uint64_t first, uint64_t second, uint64_t between, uint64_t distance)
{
	struct fake_origin *origin = begin(64 * MIB, distance);
	struct emu_mount *mount = rig_mount(origin);
	uint64_t reads;

	ck_assert_int_eq(rig_finish(emu_read_pages(mount, first, 4 * KIB)), 0);
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, second, 4 * KIB)), 0);
	rig_run(SEC);
	reads = origin->reads;
	ck_assert_int_eq(rig_finish(emu_read_pages(mount, between, 4 * KIB)), 0);
	rig_run(SEC);
	reads = origin->reads - reads;
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	rig_umount(mount);
	rig_end();
	return reads;
}

START_TEST(a_short_hole_far_away_is_filled_on_either_side)
{
	const uint64_t a = 10 * MIB, b = a + 256 * KIB, hole = a + 160 * KIB;

	ck_assert_uint_eq(read_around(a, b, hole, DISTANCE), 0);
	ck_assert_uint_eq(read_around(b, a, hole, DISTANCE), 0);
	ck_assert_uint_eq(read_around(a, b, hole, 0), 1);
	/* One that is longer may be of no use to anybody. */
	ck_assert_uint_gt(read_around(a, a + MIB, a + 500 * KIB, DISTANCE), 0);
	begin(MIB, 0);
}
END_TEST

static uint64_t read_at_random(uint64_t distance)
{
	struct fake_origin *origin = begin((uint64_t)4096 * MIB, distance);
	struct emu_mount *mount = rig_mount(origin);
	uint64_t asked;

	srand(5);
	for (unsigned int i = 0; i < STEPS; i++) {
		uint64_t at = START + (uint64_t)rand() % 1000000 * 4 * KIB;

		ck_assert_int_eq(rig_finish(emu_read_pages(mount, at, 4 * KIB)), 0);
	}
	rig_run(SEC);
	asked = origin->bytes_asked;
	rig_umount(mount);
	rig_end();
	return asked;
}

START_TEST(random_reads_far_away_bring_what_they_do_close_by)
{
	ck_assert_uint_le(read_at_random(DISTANCE), 2 * read_at_random(0));
	begin(MIB, 0);
}
END_TEST

/* What is cached of an object when nobody has read anything, and by how many reads. */
static uint64_t opened(struct fake_origin *origin, unsigned int reads)
{
	struct emu_mount *mount = rig_mount(origin);
	uint64_t present;

	rig_run(SEC);
	ck_assert_uint_eq(origin->reads, reads);
	present = rig_present(origin);
	rig_umount(mount);
	return present;
}

START_TEST(an_image_far_away_is_opened_by_what_comes_in_one_round_trip)
{
	struct fake_origin *origin = begin(8 * MIB, DISTANCE);

	origin->image = true;
	ck_assert_uint_eq(opened(origin, 1), 128 * KIB);
	/* No mount waits for the rest. */
	ck_assert_uint_eq(origin->bytes_asked, 116 * KIB);
}
END_TEST

START_TEST(of_other_objects_far_away_only_small_ones_are_fetched_for_the_opening)
{
	struct fake_origin *origin = begin(8 * MIB, DISTANCE);

	ck_assert_uint_le(opened(origin, 0), 16 * KIB);
	origin = rig_serve("small", 60 * KIB);
	origin->delay = origin->look_delay = DISTANCE;
	ck_assert_uint_eq(opened(origin, 1), 60 * KIB);
}
END_TEST

START_TEST(close_by_more_comes_with_the_look)
{
	struct fake_origin *origin = begin(8 * MIB, MS);

	opened(origin, 0);
	origin = rig_serve("next", 8 * MIB);
	origin->look_delay = MS;
	ck_assert_uint_eq(opened(origin, 0), 128 * KIB);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("readahead-reach");
	TCase *t = tcase_create("reach");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, NULL, rig_end);
	tcase_add_test(t, a_walk_far_away_takes_fewer_round_trips);
	tcase_add_test(t, a_walk_close_by_brings_small_units);
	tcase_add_test(t, a_short_hole_far_away_is_filled_on_either_side);
	tcase_add_test(t, random_reads_far_away_bring_what_they_do_close_by);
	tcase_add_test(t, an_image_far_away_is_opened_by_what_comes_in_one_round_trip);
	tcase_add_test(t, of_other_objects_far_away_only_small_ones_are_fetched_for_the_opening);
	tcase_add_test(t, close_by_more_comes_with_the_look);
	return run_suite(s);
}
