/* SPDX-License-Identifier: MIT */
/*
 * Images that are added, removed and replaced while the daemon runs: what is open stays, and bytes
 * of one are never served as those of another.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/rig-client.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/engine-images-fixture.h"

START_TEST(an_image_is_added_after_it_was_asked_for)
{
	struct fake_origin *rule, *origin;

	rig.source.negative_ttl = 1000 * SEC;
	rig_begin();
	rule = rig_serve("sha256-a", MIB);
	rule->look_error = -ENOENT;
	origin = serve("fake://h/a", 2 * MIB, 1);
	ck_assert_int_eq(mount_error("sha256-a", rule), -ENOENT);
	ck_assert_int_eq(mount_error("sha256-a", rule), -ENOENT);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered_absent, 1);
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(rule->looks, 1);
}
END_TEST

START_TEST(an_image_is_removed_while_it_is_open)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	add_image("sha256-a", origin);
	m = mount_image("sha256-a", origin);
	drop_image("sha256-a");
	ck_assert_int_eq(rig_read(m, 0, 4 * MIB), 0);
	rig_umount(m);
	ck_assert_int_eq(mount_error("sha256-a", origin), -ENOENT);

	/* What was cached of it is still its content. */
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
}
END_TEST

/* A cookie names a content: where that lies may change, and what it is known by there. */
START_TEST(what_moved_is_not_fetched_again)
{
	struct fake_origin *here, *there;
	struct emu_mount *m;

	rig_begin();
	here = serve("fake://here/a", 4 * MIB, 1);
	there = serve("fake://there/a", 4 * MIB, 1);
	there->validator = "etag:other";
	add_image("sha256-a", here);
	m = mount_image("sha256-a", here);
	ck_assert_int_eq(rig_read(m, 2 * MIB, 2 * MIB), 0);
	rig_umount(m);
	here->fail_always = true;
	here->read_error = -EHOSTUNREACH;
	add_image("sha256-a", there);
	if (_i)
		restart();
	read_all("sha256-a", there);
	ck_assert_uint_le(there->bytes_asked, 2 * MIB);
	ck_assert_uint_gt(there->bytes_asked, 0);
	read_all("sha256-a", there);
}
END_TEST

/* What was found to be wrong as a whole. */
START_TEST(what_is_wrong_is_fetched_again)
{
	struct fake_origin *origin;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
	state_set_check(rig.state, bytes_str(IMAGES), bytes_str("sha256-a"), STATE_WRONG);
	if (_i)
		restart();
	rig_umount(mount_image("sha256-a", origin));
	ck_assert_uint_eq(present("sha256-a"), 0);
	read_all("sha256-a", origin);
	rig_umount(mount_image("sha256-a", origin));
	ck_assert_uint_eq(present("sha256-a"), MIB);
}
END_TEST

#ifdef HAVE_VERIFY
#define DIGEST "fs-verity:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Bytes that nobody has checked are never taken for such that somebody has. */
START_TEST(what_was_not_verified_is_fetched_again_where_it_is_to_be)
{
	struct fake_origin *origin, checked;
	char locator[256];

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	checked = *origin;
	snprintf(locator, sizeof(locator), DIGEST "%s;fake://h/a", _i ? ",fake%3a//h/tree" : "");
	checked.locator = locator;
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(present("sha256-a"), MIB);
	add_image("sha256-a", &checked);
	if (_i)
		restart();
	rig_umount(mount_image("sha256-a", origin));
	ck_assert_uint_eq(present("sha256-a"), 0);
}
END_TEST

/* The other way round they stay, but not as what they were. */
START_TEST(what_was_verified_is_kept_where_nobody_wants_it_to_be)
{
	struct fake_origin *origin, checked;
	struct state_object record;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	checked = *origin;
	checked.locator = (char *)DIGEST ";fake://h/a";
	add_image("sha256-a", &checked);
	rig_umount(mount_image("sha256-a", origin));
	emu_populate(rig.emu, bytes_str(IMAGES), bytes_str("sha256-a"), &origin->bytes, 0, 4096);
	add_image("sha256-a", origin);
	rig_umount(mount_image("sha256-a", origin));
	ck_assert_uint_eq(present("sha256-a"), 4096);
	ck_assert_int_eq(state_get(rig.state, bytes_str(IMAGES), bytes_str("sha256-a"), &record),
			 0);
	ck_assert_int_eq(state_verified(&record), VERIFIED_NO);
	add_image("sha256-a", &checked);
	rig_umount(mount_image("sha256-a", origin));
	ck_assert_uint_eq(present("sha256-a"), 0);
	ck_assert_int_eq(state_get(rig.state, bytes_str(IMAGES), bytes_str("sha256-a"), &record),
			 0);
	ck_assert_int_eq(state_verified(&record), VERIFIED_BLOCKS);
}
END_TEST
#endif

/*
 * The same key by a rule and by the store: neither is ever served the other's bytes, which the
 * kernel would see. With and without a restart between any two.
 */
START_TEST(bytes_of_a_rule_and_of_the_store_are_never_mixed)
{
	struct fake_origin *rule, *origin;
	struct emu_mount *m;

	rig_begin();
	rule = rig_serve("sha256-a", 4 * MIB);
	origin = serve("fake://h/a", 4 * MIB, 9);
	for (int round = 0; round < 3; round++) {
		m = mount_image("sha256-a", rule);
		ck_assert_int_eq(rig_read(m, 0, 2 * MIB), 0);
		rig_umount(m);
		if (_i & 1)
			restart();
		add_image("sha256-a", origin);
		m = mount_image("sha256-a", origin);
		ck_assert_int_eq(rig_read(m, MIB, 2 * MIB), 0);
		rig_umount(m);
		drop_image("sha256-a");
		if (_i & 2)
			restart();
		/* Same size, same validator, other bytes: nothing but the record tells. */
	}
	read_all("sha256-a", rule);
}
END_TEST

/* Who asked by a rule before there was an image gets what is open, and changes no record. */
START_TEST(a_late_answer_of_a_rule_changes_nothing)
{
	struct fake_origin *rule, *origin;
	struct rig_client slow, fast;
	struct state_object record;

	rig_begin();
	rule = rig_serve("sha256-a", 2 * MIB);
	origin = serve("fake://h/a", MIB, 1);
	rule->look_delay = 2 * SEC;
	rig_client_open(&slow, IMAGES, "sha256-a");
	rig_run(MS);
	add_image("sha256-a", origin);
	rig_client_open(&fast, IMAGES, "sha256-a");
	rig_wait(fast.done);
	ck_assert_int_eq(fast.err, 0);
	ck_assert_uint_eq(fast.discards, 1); /* nobody knew whose bytes there were */
	rig_wait(slow.done);
	ck_assert_int_eq(slow.err, 0);
	ck_assert_ptr_eq(slow.object, fast.object);
	ck_assert_uint_eq(object_size(slow.object), MIB);
	ck_assert_uint_eq(slow.discards, 0);
	ck_assert_int_eq(state_get(rig.state, bytes_str(IMAGES), bytes_str("sha256-a"), &record),
			 0);
	ck_assert_uint_eq(record.size, MIB);
	rig_client_close(&fast);
	rig_client_close(&slow);

	rig_client_open(&fast, IMAGES, "sha256-a");
	rig_wait(fast.done);
	ck_assert_uint_eq(fast.discards, 0);
	rig_client_close(&fast);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images-change");
	TCase *t = images_case(s);

	tcase_add_test(t, an_image_is_added_after_it_was_asked_for);
	tcase_add_test(t, an_image_is_removed_while_it_is_open);
	tcase_add_loop_test(t, what_moved_is_not_fetched_again, 0, 2);
	tcase_add_loop_test(t, bytes_of_a_rule_and_of_the_store_are_never_mixed, 0, 4);
	tcase_add_test(t, a_late_answer_of_a_rule_changes_nothing);
	tcase_add_loop_test(t, what_is_wrong_is_fetched_again, 0, 2);
#ifdef HAVE_VERIFY
	tcase_add_loop_test(t, what_was_not_verified_is_fetched_again_where_it_is_to_be, 0, 2);
	tcase_add_test(t, what_was_verified_is_kept_where_nobody_wants_it_to_be);
#endif
	return run_suite(s);
}
