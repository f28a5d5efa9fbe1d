/* SPDX-License-Identifier: MIT */
/*
 * Images in the whole daemon: what the store says is served, without the network where that is
 * possible, and as a whole where it is compressed.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/engine-images-fixture.h"

/* ---- what the store knows ------------------------------------------------------------------ */

START_TEST(opening_needs_no_network)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	configure("revalidate yes\n"); /* of a content there is nothing to ask */
	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	origin->look_error = -EIO;
	add_image("sha256-a", origin);
	for (int i = 0; i < 3; i++) {
		m = mount_image("sha256-a", origin);
		ck_assert_uint_eq(emu_mount_size(m), 4 * MIB);
		ck_assert_int_eq(rig_read(m, MIB, 64 * KIB), 0);
		rig_umount(m);
	}
	ck_assert_uint_eq(origin->looks, 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(engine_stats(rig.engine).known, 3);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered, 0);
}
END_TEST

/* For the log: which image an object is of, whoever asks. */
START_TEST(objects_are_told_with_their_image)
{
	struct fake_origin *of_image;
	struct log_subject subject;
	const struct object *o;

	rig_begin();
	of_image = serve("fake://h/a", 8 * KIB, 1);
	add_image("a", of_image);
	mount_image("a", of_image);
	o = engine_peek_object(rig.engine, bytes_str(IMAGES), bytes_str("a"));
	ck_assert_ptr_nonnull(o);
	subject = object_subject(o);
	ck_assert(bytes_equal(subject.volume, bytes_str(IMAGES)));
	ck_assert(bytes_equal(subject.cookie, bytes_str("a")));
	ck_assert_ptr_nonnull(subject.origin);
	ck_assert_str_eq(subject.image, "a");
	/* Of a domain that is not the store's nothing is told. */
	ck_assert_ptr_null(image_catalog_of(catalog)->image(image_catalog_of(catalog),
							    bytes_str("erofs,b"), bytes_str("a")));
}
END_TEST

START_TEST(what_is_cached_is_mounted_offline)
{
	struct fake_origin *origin;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(present("sha256-a"), 4 * MIB);
	restart();
	origin->look_error = origin->read_error = -EHOSTUNREACH;
	origin->fail_always = true;
	read_all("sha256-a", origin);
	kill_and_restart();
	read_all("sha256-a", origin);
	ck_assert_uint_eq(origin->looks, 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
}
END_TEST

START_TEST(other_keys_go_by_the_rules)
{
	struct fake_origin *origin, *other;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	other = rig_serve("other", MIB);
	add_image("sha256-a", origin);
	read_all("other", other);
	ck_assert_int_eq(emu_mount_state(mount_in("erofs,elsewhere", "sha256-a", origin)),
			 EMU_MOUNT_FAILED);
	ck_assert_uint_eq(other->looks, 1);
	ck_assert_uint_eq(engine_stats(rig.engine).known, 0);
}
END_TEST

START_TEST(two_cookies_of_one_origin_share_its_limit)
{
	struct fake_origin *a, *b, *other;
	struct emu_reader *readers[3];
	struct emu_mount *mounts[3];

	configure("max-requests 1\n");
	rig_begin();
	a = serve("fake://h/a", MIB, 1);
	b = serve("fake://h/b", MIB, 2);
	other = serve("fake://elsewhere/c", MIB, 3);
	a->delay = b->delay = other->delay = SEC;
	add_image("sha256-a", a);
	add_image("sha256-b", b);
	add_image("sha256-c", other);
	mounts[0] = mount_image("sha256-a", a);
	mounts[1] = mount_image("sha256-b", b);
	readers[0] = emu_read(mounts[0], 0, 4096);
	readers[1] = emu_read(mounts[1], 0, 4096);
	rig_run(100 * MS);
	ck_assert_uint_eq(fake_running(rig.fake), 1);
	mounts[2] = mount_image("sha256-c", other);
	readers[2] = emu_read(mounts[2], 0, 4096);
	rig_run(100 * MS);
	ck_assert_uint_eq(fake_running(rig.fake), 2);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
}
END_TEST

/* ---- compressed images --------------------------------------------------------------------- */

START_TEST(a_compressed_image_is_fetched_as_a_whole)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	origin->compressed = true;
	add_image("sha256-a", origin);
	m = mount_image("sha256-a", origin);
	ck_assert_int_eq(rig_read(m, 1024, 128), 0);
	ck_assert_uint_eq(present("sha256-a"), 4 * MIB);
	rig_umount(m);
	restart();
	origin->fail_always = true;
	origin->read_error = -EIO;
	read_all("sha256-a", origin);
}
END_TEST

START_TEST(a_compressed_image_may_be_refused)
{
	struct fake_origin *origin, *plain;

	configure("compressed refuse\n");
	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	plain = serve("fake://h/b", MIB, 2);
	origin->compressed = true;
	add_image("sha256-a", origin);
	add_image("sha256-b", plain);
	ck_assert_int_eq(mount_error("sha256-a", origin), -EOPNOTSUPP);
	read_all("sha256-b", plain);
}
END_TEST

/* Bytes that were stored as of a plain image may be its first block. */
START_TEST(what_is_known_to_be_compressed_later_is_fetched_again)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	add_image_as("sha256-a", origin, "v1", false);
	m = mount_image("sha256-a", origin);
	ck_assert_int_eq(rig_read(m, 0, 4096), 0);
	rig_umount(m);
	ck_assert_uint_lt(present("sha256-a"), 4 * MIB);
	add_image_as("sha256-a", origin, "v1", true);
	m = mount_image("sha256-a", origin);
	ck_assert_int_eq(rig_read(m, 0, 4096), 0);
	ck_assert_uint_eq(present("sha256-a"), 4 * MIB);
	ck_assert_uint_gt(origin->blocks_asked_twice, 0);
	rig_umount(m);
}
END_TEST

/* What fetchers recall is in the store, whenever that comes. */
START_TEST(notes_are_those_of_the_store)
{
	char text[FETCH_NOTE_MAX];
	struct fetch_notes *notes;
	struct images *images;

	rig_begin();
	notes = image_catalog_notes(catalog);
	ck_assert(!notes->recall(notes, "https://registry", text));
	images = open_store();
	ck_assert_int_eq(images_remember(images, "https://registry", "Basic"), 0);
	ck_assert(notes->recall(notes, "https://registry", text));
	ck_assert_str_eq(text, "Basic");
	ck_assert_ptr_null(notes->remember);
	images_close(images);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images");
	TCase *t = images_case(s);

	tcase_add_test(t, opening_needs_no_network);
	tcase_add_test(t, objects_are_told_with_their_image);
	tcase_add_test(t, what_is_cached_is_mounted_offline);
	tcase_add_test(t, other_keys_go_by_the_rules);
	tcase_add_test(t, two_cookies_of_one_origin_share_its_limit);
	tcase_add_test(t, a_compressed_image_is_fetched_as_a_whole);
	tcase_add_test(t, a_compressed_image_may_be_refused);
	tcase_add_test(t, what_is_known_to_be_compressed_later_is_fetched_again);
	tcase_add_test(t, notes_are_those_of_the_store);
	return run_suite(s);
}
