/* SPDX-License-Identifier: MIT */
/*
 * A daemon goes on for another with rules that make something else of keys that are open: what is
 * mounted stays where it was opened, what is opened from now on goes by the rules.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/log-errors.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/engine-images-fixture.h"

#define VOLUME "erofs,blob"
#define SIZE   (1 * MIB)

static struct fake_origin *old, *new;
static struct emu_mount *mount;

/* A mount of which only the beginning is cached. */
static void begin(const char *rule, const char *locator)
{
	rig.kernel.holder = true;
	rig.config.readahead_max = 0;
	rig.source.rule.locator = rule;
	rig_begin();
	old = serve(locator, SIZE, 1);
	new = serve("fake://new/blob", SIZE, 2);
	new->validator = "v2";
	mount = mount_in(VOLUME, "blob", old);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPEN);
	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
}

static void reload(struct resolve_rule rule)
{
	rig.source.rule = rule;
	kill_and_restart();
}

/* The next mount is of the rules' object, all of it: the kernel compares the bytes. */
static void mounted_anew(void)
{
	rig_umount(mount);
	mount = mount_in(VOLUME, "blob", new);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPEN);
	ck_assert_int_eq(rig_read(mount, 0, SIZE), 0);
	rig_umount(mount);
}

START_TEST(what_is_open_stays_where_it_was)
{
	begin("fake://old/{cookie}", "fake://old/blob");
	reload((struct resolve_rule){ .locator = "fake://new/{cookie}" });
	ck_assert_int_eq(rig_read(mount, 512 * KIB, 64 * KIB), 0);
	ck_assert_uint_eq(new->reads + new->looks, 0);
	/* The next daemon finds the same on record. */
	reload((struct resolve_rule){ .locator = "fake://new/{cookie}" });
	ck_assert_int_eq(rig_read(mount, 0, SIZE), 0);
	ck_assert_uint_eq(new->reads + new->looks, 0);
	mounted_anew();
}
END_TEST

START_TEST(so_it_does_without_a_rule)
{
	begin("fake://old/{cookie}", "fake://old/blob");
	reload((struct resolve_rule){ .volume = "other", .locator = "fake://new/{cookie}" });
	ck_assert_int_eq(rig_read(mount, 0, SIZE), 0);
	rig_umount(mount);
	mount = mount_in(VOLUME, "blob", old);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_FAILED);
	ck_assert_int_eq(emu_mount_error(mount), -ENOENT);
}
END_TEST

START_TEST(a_place_with_secrets_is_not_on_record)
{
	begin("fake://old/{cookie}?key=secret", "fake://old/blob?key=secret");
	listen_to_errors();
	reload((struct resolve_rule){ .volume = "other", .locator = "fake://new/{cookie}" });
	ck_assert_int_eq(rig_read(mount, 0, SIZE), -EIO);
	end_listening();
	ck_assert_uint_eq(heard("no source of the configuration matches these keys"), 1);
	rig_umount(mount);
}
END_TEST

START_TEST(another_place_that_nobody_can_ask_is_the_rules_matter)
{
	begin("fake://old/{cookie}", "fake://old/blob");
	rig.config.catalog = NULL;
	rig.decorate = NULL;
	listen_to_errors();
	reload((struct resolve_rule){ .volume = "other", .locator = "fake://new/{cookie}" });
	ck_assert_int_eq(rig_read(mount, 0, SIZE), -EIO);
	end_listening();
	ck_assert_uint_eq(heard("no source of the configuration matches these keys"), 1);
	rig_umount(mount);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images-reload");
	TCase *t = images_case(s);

	tcase_add_test(t, what_is_open_stays_where_it_was);
	tcase_add_test(t, so_it_does_without_a_rule);
	tcase_add_test(t, a_place_with_secrets_is_not_on_record);
	tcase_add_test(t, another_place_that_nobody_can_ask_is_the_rules_matter);
	return run_suite(s);
}
