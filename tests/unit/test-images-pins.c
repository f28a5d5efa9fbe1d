/* SPDX-License-Identifier: MIT */
/*
 * Pins in the store of images: of images, which pin their objects, and of objects alone.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/run-suite.h"
#include "tests/unit/images-fixture.h"

struct seen {
	unsigned int owned, pinned, objects;
	char last[64];
};

static void see_cookie(void *arg, struct bytes cookie, bool pinned)
{
	struct seen *seen = arg;

	seen->owned += !pinned;
	seen->pinned += pinned;
	if (pinned)
		bytes_print(cookie, seen->last, sizeof(seen->last));
}

static void see_object(void *arg, struct bytes volume, struct bytes cookie)
{
	struct seen *seen = arg;

	ck_assert(bytes_equal(volume, bytes_str("erofs,v")));
	bytes_print(cookie, seen->last, sizeof(seen->last));
	seen->objects++;
}

static struct seen see(struct images *images)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(images_each_object(images, see_cookie, &seen), 0);
	ck_assert_int_eq(images_each_pinned_object(images, see_object, &seen), 0);
	return seen;
}

static bool is_pinned(struct images *images, const char *name)
{
	struct images_image *image = get(images, name);
	bool pinned = image->pinned;

	images_image_free(image);
	return pinned;
}

static int see_pin(void *arg, const struct images_image *image)
{
	char *text = arg;

	sprintf(text + strlen(text), "%s%s ", image->name, image->pinned ? ":pinned" : "");
	return 0;
}

static void expect_pins(struct images *images, const char *expected)
{
	char text[64] = "";

	ck_assert_int_eq(images_each(images, see_pin, text), 0);
	ck_assert_str_eq(text, expected);
}

START_TEST(test_pins_of_images)
{
	struct images *images = open_images(IMAGES_WRITE), *reader = open_images(IMAGES_READ);
	struct seen seen = see(reader);

	ck_assert_uint_eq(seen.owned + seen.pinned + seen.objects, 0);
	ck_assert_int_eq(put(images, "app", "x:1", 4096), 0);
	ck_assert_int_eq(put(images, "base", "x:2", 4096), 0);
	ck_assert_int_eq(images_pin(images, "none"), -ENOENT);
	ck_assert_int_eq(images_unpin(images, "app"), -ENOENT);
	/* Without their table, and with it. */
	ck_assert(!is_pinned(images, "app"));
	expect_pins(reader, "app base ");
	ck_assert_int_eq(images_pin(images, "app"), 0);
	ck_assert_int_eq(images_pin(images, "app"), 0);
	ck_assert(is_pinned(reader, "app") && !is_pinned(reader, "base"));
	expect_pins(reader, "app:pinned base ");
	seen = see(reader);
	ck_assert_uint_eq(seen.owned, 2);
	ck_assert_uint_eq(seen.pinned, 1);
	ck_assert_str_eq(seen.last, "x:1");
	/* Added anew: what it consists of now. */
	ck_assert_int_eq(put(images, "app", "x:3", 4096), 0);
	seen = see(reader);
	ck_assert_uint_eq(seen.pinned, 1);
	ck_assert_str_eq(seen.last, "x:3");
	ck_assert_int_eq(images_remove(images, "app"), 0);
	ck_assert_int_eq(put(images, "app", "x:3", 4096), 0);
	ck_assert(!is_pinned(images, "app"));
	ck_assert_int_eq(images_pin(images, "app"), 0);
	ck_assert_int_eq(images_unpin(images, "app"), 0);
	ck_assert_uint_eq(see(reader).pinned, 0);
	images_close(reader);
	images_close(images);
}
END_TEST

START_TEST(test_pins_of_objects)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct bytes volume = bytes_str("erofs,v"), cookie = bytes_of("a\0b", 3);

	ck_assert_int_eq(images_unpin_object(images, volume, cookie), -ENOENT);
	ck_assert_int_eq(images_pin_object(images, volume, bytes_of("", 0)), -EINVAL);
	ck_assert_int_eq(images_pin_object(images, volume, cookie), 0);
	ck_assert_int_eq(images_pin_object(images, volume, cookie), 0);
	images_close(images);
	images = open_images(IMAGES_WRITE);
	ck_assert_uint_eq(see(images).objects, 1);
	ck_assert_str_eq(see(images).last, "a\\x00b");
	ck_assert_int_eq(images_unpin_object(images, volume, bytes_str("a")), -ENOENT);
	ck_assert_int_eq(images_unpin_object(images, volume, cookie), 0);
	ck_assert_uint_eq(see(images).objects, 0);
	images_close(images);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("images-pins");
	TCase *tc = tcase_create("pins");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, images_setup, database_teardown);
	tcase_add_test(tc, test_pins_of_images);
	tcase_add_test(tc, test_pins_of_objects);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
