/* SPDX-License-Identifier: MIT */
/*
 * What the control socket says is done for each image, and which requests took longest.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/activity.h"
#include "daemon/control/control.h"
#include "tests/lib/control-client.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static struct control *control;
static struct client_answer answer;

/* ---- a catalog that knows names ------------------------------------------------------------ */

static int find_nothing(struct engine_catalog *catalog, struct engine *engine, struct bytes volume,
			struct bytes cookie, struct engine_known *ret)
{
	return -ENOENT;
}

/* Of the image "app" are "a" and "b"; what begins with "i" is one of its own; "s" has a secret. */
static const char *name_of(struct engine_catalog *catalog, struct bytes volume, struct bytes cookie)
{
	static char name[64];

	if (bytes_equal(cookie, bytes_str("a")) || bytes_equal(cookie, bytes_str("b")))
		return "app";
	if (bytes_equal(cookie, bytes_str("s")))
		return "https://u:secret@h/x";
	if (cookie.data[0] != 'i')
		return NULL;
	return bytes_print(cookie, name, sizeof(name));
}

static struct engine_catalog catalog = { .find = find_nothing, .image = name_of };

static void setup(void)
{
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };

	rig_setup();
	rig.config.catalog = &catalog;
	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	ck_assert_int_eq(control_new(&control, &config), 0);
}

static void teardown(void)
{
	control_client_end(&answer);
	control = control_free(control);
	rig_end();
}

static const json_t *list(const char *uri, const char *name)
{
	const json_t *array;

	control_client_end(&answer);
	control_client_ask(control, rig.loop, "GET", uri, NULL, &answer);
	ck_assert_msg(answer.status == 200, "%s: %s", uri, answer.body);
	array = json_object_get(answer.json, name);
	ck_assert(json_is_array(array));
	return array;
}

/* The one whose member is so; value NULL: the one that has none. */
static const json_t *find(const json_t *array, const char *member, const char *value)
{
	const json_t *object;
	size_t i;

	json_array_foreach(array, i, object)
	{
		const char *text = json_string_value(json_object_get(object, member));

		if (value ? text && strcmp(text, value) == 0 : !text)
			return object;
	}
	return NULL;
}

static json_int_t number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "%s is no number", name);
	return json_integer_value(value);
}

static double seconds(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_real(value), "%s is no time", name);
	return json_real_value(value);
}

static const json_t *image(const char *name)
{
	const json_t *found = find(list("/v1/images/active", "images"), "image", name);

	ck_assert_msg(found != NULL, "no %s", name);
	return found;
}

/* ---- images -------------------------------------------------------------------------------- */

START_TEST(what_is_done_is_counted_for_its_image)
{
	struct fake_origin *a = rig_serve("a", MIB), *b = rig_serve("b", MIB);
	struct emu_mount *mounts[3] = { rig_mount(a), rig_mount(b),
					rig_mount(rig_serve("c", MIB)) };
	const json_t *app;

	ck_assert_int_eq(rig_read(mounts[0], 512 * KIB, 4 * KIB), 0);
	b->fail_always = true;
	b->read_error = -EIO;
	ck_assert_int_ne(rig_read(mounts[1], 512 * KIB, 4 * KIB), 0);
	ck_assert_int_eq(rig_read(mounts[2], 512 * KIB, 4 * KIB), 0);
	app = image("app");
	ck_assert_int_eq(number(app, "objects"), 2);
	ck_assert_int_ge(number(app, "reads"), 2);
	ck_assert_int_ge(number(app, "reads_failed"), 1);
	ck_assert_int_ge(number(app, "fetches_failed"), 1);
	ck_assert_int_gt(number(app, "fetched_bytes"), 0);
	ck_assert_int_eq(number(app, "flights"), 0);
	ck_assert_ptr_nonnull(find(list("/v1/images/active", "images"), "volume", RIG_VOLUME));
	rig_umount(mounts[0]);
	rig_umount(mounts[1]);
	ck_assert_int_eq(number(image("app"), "objects"), 0);
	ck_assert_int_ge(number(image("app"), "reads"), 2);
}
END_TEST

START_TEST(what_is_under_way_is_counted_now)
{
	struct fake_origin *a = rig_serve("a", MIB);
	struct emu_mount *mount = rig_mount(a);
	struct emu_reader *reader;

	a->delay = 2 * SEC;
	reader = emu_read(mount, 512 * KIB, 4 * KIB);
	rig_wait(fake_running(rig.fake) > 0);
	ck_assert_int_eq(number(image("app"), "flights"), 1);
	ck_assert_int_eq(number(image("app"), "waiting_reads"), 1);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_int_eq(number(image("app"), "flights"), 0);
	ck_assert_int_eq(number(image("app"), "waiting_reads"), 0);
}
END_TEST

START_TEST(names_are_told_without_secrets)
{
	rig_mount(rig_serve("s", MIB));
	ck_assert_ptr_nonnull(find(list("/v1/images/active", "images"), "image", "https://h/x"));
	ck_assert_ptr_null(strstr(answer.body, "secret"));
}
END_TEST

static struct emu_mount *mount_number(unsigned int i)
{
	char cookie[16];

	snprintf(cookie, sizeof(cookie), "i%u", i);
	return rig_mount(rig_serve(cookie, 4 * KIB));
}

/* As many as may be, and of those that are not in use the one that was used longest ago goes. */
START_TEST(images_make_room_for_others)
{
	struct emu_mount *mounts[ACTIVITY_IMAGES_MAX + 1];
	const json_t *images;

	for (unsigned int i = 0; i < ACTIVITY_IMAGES_MAX + 1; i++)
		mounts[i] = mount_number(i);
	images = list("/v1/images/active", "images");
	ck_assert_uint_eq(json_array_size(images), ACTIVITY_IMAGES_MAX + 1);
	ck_assert_ptr_null(find(images, "image", "i128"));
	ck_assert_int_eq(number(find(images, "image", NULL), "objects"), 1);
	rig_umount(mounts[ACTIVITY_IMAGES_MAX]);
	rig_umount(mounts[7]);
	mount_number(200);
	images = list("/v1/images/active", "images");
	ck_assert_ptr_null(find(images, "image", "i7"));
	ck_assert_int_eq(number(find(images, "image", "i200"), "objects"), 1);
	ck_assert_int_eq(number(find(images, "image", "i8"), "objects"), 1);
}
END_TEST

/* ---- requests ------------------------------------------------------------------------------ */

static const json_t *slowest(size_t i)
{
	return json_array_get(list("/v1/slowest", "slowest"), i);
}

START_TEST(the_slowest_come_first_and_say_where_the_time_went)
{
	struct fake_origin *a = rig_serve("a", 8 * MIB);
	struct emu_mount *mount = rig_mount(a);
	const json_t *s;

	a->delay = SEC;
	ck_assert_int_eq(rig_read(mount, MIB, 4 * KIB), 0);
	a->delay = 3 * SEC;
	ck_assert_int_eq(rig_read(mount, 3 * MIB, 4 * KIB), 0);
	a->delay = 2 * SEC;
	a->fail_always = true;
	a->read_error = -EPERM;
	ck_assert_int_ne(rig_read(mount, 5 * MIB, 4 * KIB), 0);
	s = slowest(0);
	ck_assert_str_eq(json_string_value(json_object_get(s, "kind")), "read");
	ck_assert_str_eq(json_string_value(json_object_get(s, "volume")), RIG_VOLUME);
	ck_assert_str_eq(json_string_value(json_object_get(s, "cookie")), "a");
	ck_assert_int_eq(number(s, "offset"), (json_int_t)(3 * MIB));
	ck_assert_double_eq_tol(seconds(s, "seconds"), 3, 0.01);
	ck_assert_double_eq_tol(seconds(s, "origin_seconds"), 3, 0.01);
	ck_assert_double_eq_tol(seconds(s, "queued_seconds"), 0, 0.01);
	ck_assert_double_eq_tol(seconds(s, "other_seconds"), 0, 0.01);
	ck_assert_ptr_null(json_object_get(s, "error"));
	ck_assert_ptr_nonnull(find(list("/v1/slowest?limit=70", "slowest"), "kind", "open"));
	ck_assert_uint_eq(json_array_size(list("/v1/slowest?limit=1", "slowest")), 1);
	rig_run(70 * SEC);
	ck_assert_ptr_null(slowest(0));
}
END_TEST

START_TEST(of_a_while_the_slowest_are_kept)
{
	struct fake_origin *a = rig_serve("a", 64 * MIB);
	struct emu_mount *mount = rig_mount(a);

	for (unsigned int i = 0; i < 3 * ACTIVITY_SLOWEST; i++) {
		a->delay = (i % 7 + 1) * 10 * MS;
		ck_assert_int_eq(rig_read(mount, (i + 1) * MIB, 4 * KIB), 0);
	}
	ck_assert_uint_eq(json_array_size(list("/v1/slowest?limit=70", "slowest")),
			  ACTIVITY_SLOWEST);
	for (size_t i = 0; i < ACTIVITY_SLOWEST; i++)
		ck_assert_double_ge(seconds(slowest(i), "seconds"), i < 8 ? 0.06 : 0.05);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control-activity");
	TCase *tc = tcase_create("activity");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_done_is_counted_for_its_image);
	tcase_add_test(tc, what_is_under_way_is_counted_now);
	tcase_add_test(tc, names_are_told_without_secrets);
	tcase_add_test(tc, images_make_room_for_others);
	tcase_add_test(tc, the_slowest_come_first_and_say_where_the_time_went);
	tcase_add_test(tc, of_a_while_the_slowest_are_kept);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
