/* SPDX-License-Identifier: MIT */
/*
 * A store of images that is missing, damaged or another one, and records that are no good: each
 * fails alone, and is said once.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/lib/log-errors.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/engine-images-fixture.h"

START_TEST(without_a_store_there_are_no_images)
{
	struct fake_origin *origin, *other;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	other = rig_serve("other", MIB);
	ck_assert_int_eq(mount_error("sha256-a", origin), -ENOENT);
	read_all("other", other);
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
}
END_TEST

START_TEST(a_damaged_store_is_said_once)
{
	struct fake_origin *origin, *other;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	other = rig_serve("other", MIB);
	spoil_store();
	listen_to_errors();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(mount_error("sha256-a", origin), -ENOENT);
		read_all("other", other);
	}
	end_listening();
	ck_assert_uint_eq(heard("images.db"), 1);

	/* A tool sets it aside and begins anew: another file. */
	add_image("sha256-a", origin);
	read_all("sha256-a", origin);
}
END_TEST

START_TEST(another_store_is_followed)
{
	struct fake_origin *a, *b;

	rig_begin();
	a = serve("fake://h/a", MIB, 1);
	b = serve("fake://h/b", MIB, 2);
	add_image("sha256-a", a);
	read_all("sha256-a", a);
	unlink_store();
	add_image("sha256-b", b);
	read_all("sha256-b", b);
	ck_assert_int_eq(mount_error("sha256-a", a), -ENOENT);
	unlink_store();
	ck_assert_int_eq(mount_error("sha256-b", b), -ENOENT);
}
END_TEST

START_TEST(an_object_that_nobody_fetches_fails_alone)
{
	struct fake_origin *origin, *strange, *rule;

	rig_begin();
	strange = serve("gopher://h/a", MIB, 1);
	rule = rig_serve("sha256-a", MIB);
	origin = serve("fake://h/b", MIB, 2);
	add_image("sha256-a", strange);
	add_image("sha256-b", origin);
	ck_assert_int_eq(mount_error("sha256-a", strange), -EPROTONOSUPPORT);
	ck_assert_uint_eq(rule->looks, 0);
	read_all("sha256-b", origin);
}
END_TEST

static int refuse_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			 const struct fetch_identity *identity)
{
	return -EINVAL;
}

START_TEST(a_record_that_means_nothing_to_its_fetcher_is_said)
{
	struct fake_origin *origin;
	struct fetcher *fetcher;
	struct fetcher_ops refusing;
	const struct fetcher_ops *ops;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	add_image("sha256-a", origin);
	fetcher = fake_fetcher(rig.fake);
	ops = fetcher->ops;
	refusing = *ops;
	refusing.attach = refuse_attach;
	fetcher->ops = &refusing;
	listen_to_errors();
	ck_assert_int_eq(mount_error("sha256-a", origin), -EINVAL);
	end_listening();
	ck_assert_uint_eq(heard("fake://h/a: what is on record of it means nothing"), 1);
	fetcher->ops = ops;
	read_all("sha256-a", origin);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images-damage");
	TCase *t = images_case(s);

	tcase_add_test(t, without_a_store_there_are_no_images);
	tcase_add_test(t, a_damaged_store_is_said_once);
	tcase_add_test(t, another_store_is_followed);
	tcase_add_test(t, an_object_that_nobody_fetches_fails_alone);
	tcase_add_test(t, a_record_that_means_nothing_to_its_fetcher_is_said);
	return run_suite(s);
}
