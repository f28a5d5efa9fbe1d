/* SPDX-License-Identifier: MIT */
/*
 * The store of images: what is put in, found by its name or by the cookies of its objects, replaced
 * and removed.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/images/images-internal.h"
#include "daemon/util/checked.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/images-fixture.h"

static int64_t count(const char *table)
{
	char sql[64];
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t n;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

START_TEST(test_an_image_comes_back_as_it_was)
{
	struct images_object devices[] = { object_of("d:1", 8192), object_of("d:2", 0) };
	struct images_layer layers[] = { layer_of("meta:a", 4096), layer_of("sha256:b", 1) };
	struct images_image image = image_of("docker.io/app:1", layers, 2), *back;
	char *refs[] = { (char *)"oci://docker.io/app:1", (char *)"device=file:///x" };
	struct images *images = open_images(IMAGES_WRITE);
	struct stat st;

	layers[0].devices = devices;
	layers[0].n_devices = 2;
	layers[0].origin_digest = (char *)"sha256:layer";
	layers[1].diff_id = (char *)"sha256:diff";
	layers[1].primary.whole = true;
	layers[1].primary.size = OBJECT_SIZE_MAX;
	layers[1].primary.locator = (char *)"https://h/\xff%20'\";--";
	layers[1].primary.validator = (char *)"";
	image.refs = refs;
	image.n_refs = 2;
	image.manifest = (char *)"{\"a\":1}";
	image.config = (char *)"{\"b\":2}";
	image.manifest_digest = (char *)"sha256:m";
	image.transient = true;
	image.added = 1700000000;
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	images_close(images);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);

	images = open_images(IMAGES_READ);
	back = get(images, "docker.io/app:1");
	ck_assert_uint_eq(back->n_refs, 2);
	ck_assert_str_eq(back->refs[0], refs[0]);
	ck_assert_str_eq(back->refs[1], refs[1]);
	ck_assert_str_eq(back->manifest, image.manifest);
	ck_assert_str_eq(back->config, image.config);
	ck_assert_str_eq(back->manifest_digest, image.manifest_digest);
	ck_assert(back->transient);
	ck_assert_int_eq(back->added, image.added);
	ck_assert_uint_eq(back->n_layers, 2);
	ck_assert_str_eq(back->layers[0].primary.cookie, "meta:a");
	ck_assert_str_eq(back->layers[0].primary.media_type, "application/vnd.erofs");
	ck_assert_str_eq(back->layers[0].origin_digest, "sha256:layer");
	ck_assert_str_eq(back->layers[0].diff_id, "");
	ck_assert_uint_eq(back->layers[0].n_devices, 2);
	ck_assert_str_eq(back->layers[0].devices[0].cookie, "d:1");
	ck_assert_str_eq(back->layers[0].devices[1].cookie, "d:2");
	ck_assert_uint_eq(back->layers[0].devices[1].size, 0);
	ck_assert(!back->layers[0].primary.whole);
	ck_assert_uint_eq(back->layers[1].n_devices, 0);
	ck_assert_str_eq(back->layers[1].diff_id, "sha256:diff");
	ck_assert(back->layers[1].primary.whole);
	ck_assert_uint_eq(back->layers[1].primary.size, OBJECT_SIZE_MAX);
	ck_assert_str_eq(back->layers[1].primary.locator, layers[1].primary.locator);
	ck_assert_str_eq(back->layers[1].primary.validator, "");
	images_image_free(back);
	images_close(images);
}
END_TEST

START_TEST(test_objects_are_found_by_any_bytes)
{
	static const struct bytes others[] = {
		{ (const uint8_t *)"", 0 },	    { (const uint8_t *)"sha256:a\0", 9 },
		{ (const uint8_t *)"sha256", 6 },   { (const uint8_t *)"SHA256:A", 8 },
		{ (const uint8_t *)"\xff\xfe", 2 }, { (const uint8_t *)"sha256:a' OR 1 --", 17 },
	};
	struct images *images = open_images(IMAGES_WRITE);
	struct images_object object;
	char longest[300];

	memset(longest, 'a', sizeof(longest));
	ck_assert_int_eq(put(images, "a", "sha256:a", 7), 0);
	ck_assert_int_eq(find(images, "sha256:a"), 7);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_int_eq(images_find(images, others[i], &object), -ENOENT);
	ck_assert_int_eq(images_find(images, bytes_of(longest, sizeof(longest)), &object), -ENOENT);
	images_close(images);
}
END_TEST

START_TEST(test_one_object_is_shared_and_goes_with_its_last_image)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_object device = object_of("shared", 5);
	struct images_layer layer = layer_of("own", 6);
	struct images_image with_device = image_of("b", &layer, 1);

	layer.devices = &device;
	layer.n_devices = 1;
	ck_assert_int_eq(put(images, "a", "shared", 5), 0);
	ck_assert_int_eq(images_put(images, &with_device, reason), 0);
	ck_assert_int_eq(count("object"), 2);

	ck_assert_int_eq(images_remove(images, "a"), 0);
	ck_assert_int_eq(find(images, "shared"), 5);
	ck_assert_int_eq(images_remove(images, "b"), 0);
	ck_assert_int_eq(find(images, "shared"), -ENOENT);
	ck_assert_int_eq(find(images, "own"), -ENOENT);
	ck_assert_int_eq(images_remove(images, "b"), -ENOENT);
	ck_assert_int_eq(count("object") + count("layer") + count("place") + count("ref"), 0);
	images_close(images);
}
END_TEST

/* Steps of SQLite for one more image: they must not be more with each that is there. */
static int steps;

static int count_step(void *arg)
{
	steps++;
	return 0;
}

static int steps_of_put(struct images *images, const char *name, const char *cookie)
{
	steps = 0;
	sqlite3_progress_handler(images->db, 1, count_step, NULL);
	ck_assert_int_eq(put(images, name, cookie, 5), 0);
	sqlite3_progress_handler(images->db, 0, NULL, NULL);
	return steps;
}

START_TEST(test_many_images_make_none_dearer)
{
	struct images *images = open_images(IMAGES_WRITE);
	int among_few, among_many, replaced;
	char name[16];

	ck_assert_int_eq(put(images, "first", "first", 5), 0);
	among_few = steps_of_put(images, "few", "few");
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert_int_eq(put(images, name, name, 5), 0);
	}
	among_many = steps_of_put(images, "many", "many");
	ck_assert_int_lt(among_many, among_few + 100);
	replaced = steps_of_put(images, "many", "other");
	ck_assert_int_lt(replaced, 2 * among_few + 100);
	ck_assert_int_eq(find(images, "many"), -ENOENT);
	ck_assert_int_eq(find(images, "few"), 5);
	images_close(images);
}
END_TEST

static void expect_place(struct images *images, const char *cookie, const char *locator)
{
	struct images_object object;

	ck_assert_int_eq(images_find(images, bytes_str(cookie), &object), 0);
	ck_assert_str_eq(object.locator, locator);
	images_object_end(&object);
}

START_TEST(test_an_object_moves_but_keeps_its_size)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_layer layer = layer_of("c", 5);
	struct images_image image = image_of("b", &layer, 1), *back;

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	layer.primary.locator = (char *)"https://elsewhere/c";
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	expect_place(images, "c", "https://elsewhere/c");
	back = get(images, "a");
	ck_assert_str_eq(back->layers[0].primary.locator, "oci://registry/app@sha256:00");
	images_image_free(back);
	/* The image that is left has it from where it always had. */
	ck_assert_int_eq(images_remove(images, "b"), 0);
	expect_place(images, "c", "oci://registry/app@sha256:00");
	/* And the one that is put again is the last one. */
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	expect_place(images, "c", "oci://registry/app@sha256:00");

	ck_assert_int_eq(put(images, "a", "c", 6), -EEXIST);
	ck_assert_ptr_nonnull(strstr(reason, "object c "));
	ck_assert_ptr_nonnull(strstr(reason, "5 bytes"));
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}
END_TEST

/* Of one that fails in its last layer, nothing stays, and what it would have replaced does. */
START_TEST(test_a_refused_image_changes_nothing)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_layer layers[] = { layer_of("new", 1), layer_of("other", 3) };
	struct images_image image = image_of("a", layers, 2), *back;

	ck_assert_int_eq(put(images, "a", "old", 1), 0);
	ck_assert_int_eq(put(images, "b", "other", 2), 0);
	ck_assert_int_eq(images_put(images, &image, reason), -EEXIST);
	back = get(images, "a");
	ck_assert_uint_eq(back->n_layers, 1);
	ck_assert_str_eq(back->layers[0].primary.cookie, "old");
	images_image_free(back);
	ck_assert_int_eq(find(images, "new"), -ENOENT);

	/* Nor may one image have it both ways. */
	layers[1] = layer_of("new", 2);
	ck_assert_int_eq(images_put(images, &image, reason), -EEXIST);
	ck_assert_int_eq(find(images, "old"), 1);

	layers[1].primary.size = 1;
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	ck_assert_int_eq(find(images, "old"), -ENOENT);
	images_close(images);
}
END_TEST

START_TEST(test_fields_out_of_bounds)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_layer layer = layer_of("c", OBJECT_SIZE_MAX + 1);
	struct images_image image = image_of("a", &layer, 1);
	char text[IMAGES_LOCATOR_MAX + 1];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	layer = layer_of("", 1);
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	layer = layer_of(text + sizeof(text) - 1 - IMAGES_COOKIE_MAX, 1);
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	layer = layer_of(text + sizeof(text) - IMAGES_COOKIE_MAX, 1);
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	layer.primary.locator = text;
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	layer.primary.locator = text + 1;
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	layer.primary.validator = text + sizeof(text) - 1 - IMAGES_VALIDATOR_MAX;
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	layer.primary.validator++;
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	image.name = (char *)"";
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	image = image_of("a", &layer, 0);
	ck_assert_int_eq(images_put(images, &image, reason), -EINVAL);
	images_close(images);
}
END_TEST

struct walk {
	struct images *images;
	char names[64];
	int stop_after;
};

static int visit(void *arg, const struct images_image *image)
{
	struct walk *walk = arg;

	strcat(walk->names, image->name);
	ck_assert_uint_eq(image->n_layers, 1);
	/* What is visited may go, and more may come. */
	ck_assert_int_eq(images_remove(walk->images, image->name), 0);
	ck_assert_int_eq(put(walk->images, "z", "c", 1), 0);
	return --walk->stop_after == 0 ? 17 : 0;
}

START_TEST(test_all_images_by_name)
{
	struct walk walk = { .images = open_images(IMAGES_WRITE) };

	ck_assert_int_eq(images_each(walk.images, visit, &walk), 0);
	ck_assert_int_eq(put(walk.images, "b", "c", 1), 0);
	ck_assert_int_eq(put(walk.images, "a", "c", 1), 0);
	ck_assert_int_eq(put(walk.images, "c", "c", 1), 0);
	ck_assert_int_eq(images_each(walk.images, visit, &walk), 0);
	ck_assert_str_eq(walk.names, "abc");

	*walk.names = '\0';
	ck_assert_int_eq(put(walk.images, "y", "c", 1), 0);
	walk.stop_after = 1;
	ck_assert_int_eq(images_each(walk.images, visit, &walk), 17);
	ck_assert_str_eq(walk.names, "y");
	images_close(walk.images);
}
END_TEST

START_TEST(test_a_new_image_replaces_none)
{
	struct images_layer layer = layer_of("c", 1), other = layer_of("d", 2);
	struct images_image image = image_of("a", &layer, 1), again = image_of("a", &other, 1);
	struct images *images = open_images(IMAGES_WRITE);

	ck_assert_int_eq(images_put_new(images, &image, reason), 0);
	ck_assert_int_eq(images_put_new(images, &again, reason), -EALREADY);
	ck_assert_str_ne(reason, "");
	ck_assert_int_eq(find(images, "c"), 1);
	ck_assert_int_eq(find(images, "d"), -ENOENT);
	again.name = (char *)"b";
	ck_assert_int_eq(images_put_new(images, &again, reason), 0);
	ck_assert_int_eq(find(images, "d"), 2);
	/* All or nothing, as for others. */
	again.name = (char *)"e";
	other.primary.size = 3;
	ck_assert_int_eq(images_put_new(images, &again, reason), -EEXIST);
	ck_assert_int_eq(count("image"), 2);
	images_close(images);
}
END_TEST

static void note_summary(void *to, const struct images_summary *s)
{
	char *text = to;

	sprintf(text + strlen(text), "%d %s %s%s%ju/%ju %ju; ", (int)s->id, s->name,
		s->pinned ? "pinned " : "", s->transient ? "transient " : "",
		(uintmax_t)s->n_layers, (uintmax_t)s->n_objects, (uintmax_t)s->size);
}

/* What two layers have is counted once. */
START_TEST(test_images_in_short)
{
	struct images_object device = object_of("d:1", 100);
	struct images_layer layers[] = { layer_of("a", 10), layer_of("b", 1), layer_of("a", 10) };
	struct images_image image = image_of("z", layers, 3);
	struct images *images = open_images(IMAGES_WRITE);
	char text[256] = "";

	layers[0].devices = &device;
	layers[0].n_devices = 1;
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	image = image_of("b", layers + 1, 1);
	image.transient = true;
	ck_assert_int_eq(images_put(images, &image, reason), 0);
	ck_assert_int_eq(put(images, "c", "c", 7), 0);
	ck_assert_int_eq(images_list(images, 0, 2, note_summary, text), 0);
	ck_assert_str_eq(text, "1 z 3/3 111; 2 b transient 1/1 1; ");
	ck_assert_int_eq(images_pin(images, "c"), 0);
	text[0] = '\0';
	ck_assert_int_eq(images_list(images, 2, 5, note_summary, text), 0);
	ck_assert_str_eq(text, "3 c pinned 1/1 7; ");
	images_close(images);
}
END_TEST

START_TEST(test_nothing_there)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_image *image;

	ck_assert_int_eq(images_get(images, "a", &image), -ENOENT);
	ck_assert_int_eq(images_remove(images, "a"), -ENOENT);
	ck_assert_int_eq(find(images, "c"), -ENOENT);
	images_close(images);
	images_close(NULL);
	ck_assert_ptr_null(images_image_free(NULL));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("images-records");
	TCase *tc = tcase_create("records");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, images_setup, database_teardown);
	tcase_add_test(tc, test_an_image_comes_back_as_it_was);
	tcase_add_test(tc, test_objects_are_found_by_any_bytes);
	tcase_add_test(tc, test_one_object_is_shared_and_goes_with_its_last_image);
	tcase_add_test(tc, test_many_images_make_none_dearer);
	tcase_add_test(tc, test_an_object_moves_but_keeps_its_size);
	tcase_add_test(tc, test_a_refused_image_changes_nothing);
	tcase_add_test(tc, test_fields_out_of_bounds);
	tcase_add_test(tc, test_all_images_by_name);
	tcase_add_test(tc, test_a_new_image_replaces_none);
	tcase_add_test(tc, test_images_in_short);
	tcase_add_test(tc, test_nothing_there);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
