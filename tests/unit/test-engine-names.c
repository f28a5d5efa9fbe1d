/* SPDX-License-Identifier: MIT */
/*
 * What the engine remembers of names, in what a script cannot say: that neither rules nor state are
 * asked, two who ask at once, what is logged, and the ways back.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/log-errors.h"
#include "tests/lib/rig-client.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static void setup(void)
{
	rig_setup();
}

static void mount_and_umount(const struct fake_origin *origin)
{
	rig_umount(rig_mount(origin));
}

static int mount_error(const struct fake_origin *origin)
{
	struct emu_mount *mount = rig_open(origin);

	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING);
	return emu_mount_state(mount) == EMU_MOUNT_FAILED ? emu_mount_error(mount) : 0;
}

/* ---- in place of rules and state ---------------------------------------------------------- */

START_TEST(a_remembered_name_needs_nobody)
{
	struct fake_origin *origin;

	rig_begin();
	origin = rig_serve("blob", MIB);
	mount_and_umount(origin);
	state_forget(rig.state, bytes_str(RIG_VOLUME), bytes_str("blob"));
	origin->look_error = -EIO;
	ck_assert_int_eq(mount_error(origin), 0);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered, 1);
	rig_end();
}
END_TEST

START_TEST(a_name_is_remembered_for_its_time)
{
	struct fake_origin *origin;

	rig.source.positive_ttl = 100 * SEC;
	rig_begin();
	origin = rig_serve("blob", MIB);
	mount_and_umount(origin);
	state_forget(rig.state, bytes_str(RIG_VOLUME), bytes_str("blob"));
	origin->look_error = -EIO;
	rig_run(99 * SEC);
	mount_and_umount(origin);
	rig_run(SEC);
	ck_assert_int_eq(mount_error(origin), -EIO);
	rig_end();
}
END_TEST

START_TEST(a_record_is_remembered_as_well)
{
	struct fake_origin *origin;

	rig_begin();
	origin = rig_serve("blob", MIB);
	mount_and_umount(origin);
	rig_stop();
	rig_start();
	mount_and_umount(origin); /* from the state */
	ck_assert_uint_eq(engine_stats(rig.engine).remembered, 0);
	mount_and_umount(origin);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered, 1);
	ck_assert_uint_eq(origin->looks, 1);
	rig_end();
}
END_TEST

START_TEST(a_new_version_replaces_what_was_remembered)
{
	struct fake_origin *old, *new;
	struct emu_mount *mount;

	rig.source.revalidate = true;
	rig_begin();
	old = rig_serve("blob", MIB);
	mount_and_umount(old);
	new = fake_replace(rig.fake, old, 2 * MIB, "v2");
	mount_and_umount(new);
	rig_stop();
	rig.source.revalidate = false;
	rig_start();
	mount_and_umount(new);
	mount = rig_mount(new);
	ck_assert_uint_eq(emu_mount_size(mount), 2 * MIB);
	ck_assert_int_eq(rig_read(mount, 0, 2 * MIB), 0);
	rig_umount(mount);
	rig_end();
}
END_TEST

/* ---- two at once -------------------------------------------------------------------------- */

/* The kernel asks twice after `restore` only; other clients of the engine may always. */
START_TEST(absence_does_not_take_the_place_of_what_is_there)
{
	struct fake_origin *origin;
	struct rig_client slow, fast;

	rig.source.negative_ttl = 100 * SEC;
	rig_begin();
	origin = rig_serve("blob", MIB);
	origin->look_delay = 2 * SEC;
	rig_client_open(&slow, RIG_VOLUME, "blob");
	rig_run(MS);
	origin->look_delay = 0;
	rig_client_open(&fast, RIG_VOLUME, "blob");
	rig_wait(fast.done);
	ck_assert_int_eq(fast.err, 0);
	origin->look_error = -ENOENT;
	rig_wait(slow.done);
	ck_assert_int_eq(slow.err, -ENOENT);
	rig_client_close(&fast);
	rig_client_open(&fast, RIG_VOLUME, "blob");
	rig_wait(fast.done);
	ck_assert_int_eq(fast.err, 0);
	rig_client_close(&fast);
	rig_end();
}
END_TEST

/* ---- the log ------------------------------------------------------------------------------ */

START_TEST(remembered_absence_is_said_once)
{
	struct fake_origin *origin;

	rig.source.negative_ttl = 10 * SEC;
	rig_begin();
	origin = rig_serve("blob", MIB);
	origin->look_error = -ENOENT;
	listen_to_errors();
	for (int i = 0; i < 4; i++)
		mount_error(origin);
	end_listening();
	ck_assert_uint_eq(heard("cannot open"), 2);
	ck_assert_uint_eq(heard("negative-ttl"), 1);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered_absent, 3);
	ck_assert_uint_eq(origin->looks, 1);
	rig_end();
}
END_TEST

/* ---- back from things to names ------------------------------------------------------------ */

/* "volume/cookie=size " of each that was visited. */
static char seen[1024];

static void note(void *arg, const struct name *name)
{
	size_t n = strlen(seen);

	ck_assert_ptr_eq(arg, &rig);
	snprintf(seen + n, sizeof(seen) - n, "%.*s/%.*s=%ju ", (int)name->volume.len,
		 (const char *)name->volume.data, (int)name->cookie.len,
		 (const char *)name->cookie.data, (uintmax_t)name->size);
}

static const char *who_has(const struct emu_mount *mount, uint64_t generation)
{
	seen[0] = '\0';
	engine_whois_id(rig.engine, emu_mount_object_id(mount), generation, note, &rig);
	return seen;
}

static const char *who_is(const char *image)
{
	size_t n, spaces = 0;

	seen[0] = '\0';
	n = engine_whois_image(rig.engine, bytes_str(image), note, &rig);
	for (const char *c = seen; *c; c++)
		spaces += *c == ' ';
	ck_assert_uint_eq(n, spaces);
	return seen;
}

/* With memory of names, and without: what is open can be told all the same. */
START_TEST(open_objects_are_found_by_id)
{
	struct bytes cookie = bytes_str("one");
	struct emu_mount *one, *two;

	rig.config.names_max = _i ? 64 * KIB : 0;
	rig_begin();
	one = rig_mount(rig_serve("one", 1));
	two = rig_mount(rig_serve("two", 2));
	ck_assert_str_eq(who_has(one, 0), "erofs,v/one=1 ");
	ck_assert_str_eq(who_has(two, 0), "erofs,v/two=2 ");
	ck_assert_str_eq(who_has(two, 2), "erofs,v/two=2 ");
	ck_assert_str_eq(who_has(two, 1), ""); /* who had this id before */
	engine_purge(rig.engine, bytes_str(RIG_VOLUME), &cookie);
	ck_assert_str_eq(who_has(one, 0), "erofs,v/one=1 ");
	rig_umount(one);
	rig_umount(two);
	seen[0] = '\0';
	for (uint32_t id = 0; id < 10; id++)
		engine_whois_id(rig.engine, id, 0, note, &rig);
	ck_assert_str_eq(seen, "");
	rig_end();
}
END_TEST

START_TEST(names_are_found_by_validator)
{
	struct fake_origin *one, *other;
	struct emu_mount *mount;

	rig.config.names_max = 64 * KIB;
	rig_begin();
	one = rig_serve("one", 1);
	other = rig_serve("other", 3);
	one->validator = other->validator = "sha256:1";
	mount_and_umount(one);
	mount = rig_mount(other);
	rig_serve("two", 2)->validator = "sha256:2";
	seen[0] = '\0';
	ck_assert_uint_eq(engine_whois_validator(rig.engine, "sha256:1", note, &rig), 2);
	ck_assert_str_eq(seen, "erofs,v/other=3 erofs,v/one=1 ");
	/* What is open is known without being remembered; the other one is not. */
	engine_purge(rig.engine, bytes_str(RIG_VOLUME), NULL);
	seen[0] = '\0';
	ck_assert_uint_eq(engine_whois_validator(rig.engine, "sha256:1", note, &rig), 1);
	ck_assert_str_eq(seen, "erofs,v/other=3 ");
	ck_assert_uint_eq(engine_whois_validator(rig.engine, "", note, &rig), 0);
	rig_umount(mount);
	rig_end();
}
END_TEST

static struct emu_mount *mount_in(const char *volume, const struct fake_origin *origin,
				  const char *cookie)
{
	struct emu_mount *mount = emu_open(rig.emu, volume, cookie, &origin->bytes);

	rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	return mount;
}

START_TEST(names_are_found_by_image)
{
	struct fake_origin *image, *blob;
	struct emu_mount *mounts[4];

	rig.config.names_max = _i ? 64 * KIB : 0;
	rig_begin();
	image = rig_serve("image", 1);
	blob = rig_serve("blob", 2);
	mounts[0] = mount_in("erofs,image", image, "image");
	mounts[1] = mount_in("erofs,image", blob, "blob");
	mounts[2] = mount_in("erofs,domain", image, "image");
	mounts[3] = mount_in("erofs,domain", blob, "blob");
	who_is("image");
	ck_assert_uint_eq(count_of(seen, " "), 3);
	ck_assert_uint_eq(count_of(seen, "erofs,image/image=1 "), 1);
	ck_assert_uint_eq(count_of(seen, "erofs,image/blob=2 "), 1);
	ck_assert_uint_eq(count_of(seen, "erofs,domain/image=1 "), 1);
	ck_assert_str_eq(who_is("imag"), "");
	ck_assert_str_eq(who_is(""), "");
	for (unsigned int i = 0; i < 4; i++)
		rig_umount(mounts[i]);
	rig_end();
}
END_TEST

START_TEST(a_purge_says_how_many)
{
	struct bytes volume = bytes_str(RIG_VOLUME), one = bytes_str("one");

	rig_begin();
	mount_and_umount(rig_serve("one", 1));
	mount_and_umount(rig_serve("two", 1));
	mount_and_umount(rig_serve("three", 1));
	ck_assert_uint_eq(engine_purge(rig.engine, bytes_str("erofs"), NULL), 0);
	ck_assert_uint_eq(engine_purge(rig.engine, volume, &one), 1);
	ck_assert_uint_eq(engine_purge(rig.engine, volume, &one), 0);
	ck_assert_uint_eq(engine_purge(rig.engine, volume, NULL), 2);
	rig_end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine: names");
	TCase *t = tcase_create("names");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_remembered_name_needs_nobody);
	tcase_add_test(t, a_name_is_remembered_for_its_time);
	tcase_add_test(t, a_record_is_remembered_as_well);
	tcase_add_test(t, a_new_version_replaces_what_was_remembered);
	tcase_add_test(t, absence_does_not_take_the_place_of_what_is_there);
	tcase_add_test(t, remembered_absence_is_said_once);
	tcase_add_loop_test(t, open_objects_are_found_by_id, 0, 2);
	tcase_add_test(t, names_are_found_by_validator);
	tcase_add_loop_test(t, names_are_found_by_image, 0, 2);
	tcase_add_test(t, a_purge_says_how_many);
	suite_add_tcase(s, t);
	return run_suite(s);
}
