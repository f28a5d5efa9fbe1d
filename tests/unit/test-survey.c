/* SPDX-License-Identifier: MIT */
/* What is in a cache directory, and what one command on it may touch. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/space/cull.h"
#include "daemon/space/owners.h"
#include "daemon/space/survey.h"
#include "proto/cachename.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define KIB ((uint64_t)1024)

static char base[TEMPORARY_MAX];
static int root = -1;

static void setup(void)
{
	temporary_dir(base, TEMPORARY_DISK);
	root = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
}

static void teardown(void)
{
	close(root);
	temporary_remove(base);
}

static void make_parents(const char *path)
{
	char copy[CACHENAME_PATH_MAX];

	strcpy(copy, path);
	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdirat(root, copy, 0700);
		*slash = '/';
	}
}

/* A sparse cache file of 1 MiB with so many bytes in it, used then. */
static void make(const char *volume, const char *cookie, size_t bytes, int64_t used)
{
	static char data[64 * 1024];
	char path[CACHENAME_PATH_MAX];
	int fd;

	ck_assert_int_eq(cachename_path(bytes_str(volume), bytes_str(cookie), path), 0);
	make_parents(path);
	fd = openat(root, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
	ck_assert_int_eq(pwrite(fd, data, bytes, 0), (ssize_t)bytes);
	close(fd);
	ck_assert_int_eq(survey_touch(root, path, used), 0);
}

static void take(struct survey **ret)
{
	ck_assert_int_eq(survey_take(ret, root), 0);
}

START_TEST(test_nothing_was_ever_mounted)
{
	struct survey *s;

	take(&s);
	ck_assert_uint_eq(s->n, 0);
	ck_assert_uint_eq(s->bytes, 0);
	ck_assert_ptr_null(survey_find(s, bytes_str("v"), bytes_str("c")));
	survey_free(s);
	ck_assert_ptr_null(survey_free(NULL));
}
END_TEST

START_TEST(test_each_object_is_found_by_its_keys)
{
	const struct survey_object *o;
	struct survey *s;

	make("erofs,a", "plain.erofs", 8 * KIB, 5);
	make("erofs,a", "white space", 4 * KIB, 7);
	make("erofs,b", "plain.erofs", 0, 9);
	take(&s);
	ck_assert_uint_eq(s->n, 3);
	o = survey_find(s, bytes_str("erofs,a"), bytes_str("white space"));
	ck_assert_ptr_nonnull(o);
	ck_assert(bytes_equal(o->volume, bytes_str("erofs,a")));
	ck_assert(bytes_equal(o->cookie, bytes_str("white space")));
	ck_assert_uint_eq(o->size, 1 << 20);
	ck_assert_uint_ge(o->bytes, 4 * KIB);
	ck_assert_uint_lt(o->bytes, 64 * KIB);
	ck_assert_int_eq(o->used, 7);
	ck_assert_ptr_nonnull(survey_find(s, bytes_str("erofs,b"), bytes_str("plain.erofs")));
	ck_assert_ptr_null(survey_find(s, bytes_str("erofs,b"), bytes_str("white space")));
	survey_free(s);
}
END_TEST

START_TEST(test_first_goes_what_is_worth_least_and_was_used_longest_ago)
{
	static const char *const order[] = { "unknown", "unowned", "old", "new", "pinned" };
	struct survey *s;

	make("v", "new", 0, 3000000000);
	make("v", "old", 0, 2000000000);
	make("v", "unowned", 0, 5000000000);
	make("v", "unknown", 0, 6000000000);
	make("v", "pinned", 0, 1000000000);
	take(&s);
	survey_find(s, bytes_str("v"), bytes_str("unknown"))->value = SURVEY_UNKNOWN;
	survey_find(s, bytes_str("v"), bytes_str("unowned"))->value = SURVEY_UNOWNED;
	survey_find(s, bytes_str("v"), bytes_str("pinned"))->value = SURVEY_PINNED;
	survey_sort(s);
	for (size_t i = 0; i < 5; i++)
		ck_assert(bytes_equal(s->objects[i]->cookie, bytes_str(order[i])));
	survey_free(s);
}
END_TEST

START_TEST(test_what_is_not_the_kernels_is_left_out)
{
	struct survey *s;

	make("v", "object", 0, 1);
	ck_assert_int_eq(symlinkat("Ds", root, "cache/Iv/@00"), 0);
	ck_assert_int_eq(symlinkat("/", root, "cache/Iroot"), 0);
	ck_assert_int_eq(mkdirat(root, "cache/Iempty", 0700), 0);
	ck_assert_int_eq(mkdirat(root, "cache/other", 0700), 0);
	ck_assert_int_eq(mkdirat(root, "cache/Iv/@01", 0700), 0);
	ck_assert_int_eq(mkdirat(root, "cache/Iv/@01/Ddirectory", 0700), 0);
	close(openat(root, "cache/Iv/@01/nothing", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	take(&s);
	ck_assert_uint_eq(s->n, 1);
	ck_assert_uint_eq(s->n_empty, 1);
	ck_assert_str_eq(s->empty[0], "Iempty");
	survey_free(s);
}
END_TEST

START_TEST(test_many_objects)
{
	struct survey *s;
	char cookie[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(cookie, sizeof(cookie), "object-%d", i);
		make("v", cookie, 0, i);
	}
	take(&s);
	survey_sort(s);
	ck_assert_uint_eq(s->n, 2000);
	for (int i = 0; i < 2000; i++)
		ck_assert_int_eq(s->objects[i]->used, i);
	survey_free(s);
}
END_TEST

START_TEST(test_an_object_without_a_name_yet)
{
	ck_assert_int_eq(survey_touch(root, "cache/Iv/@00/Dnothing", 1), -ENOENT);
}
END_TEST

/* ---- owners ------------------------------------------------------------------------------- */

static void add_image(struct images *images, const char *name, const char *cookie)
{
	struct images_layer layer = {
		.primary = { (char *)cookie, (char *)"file:/x", (char *)"", (char *)"", 4096 },
		.origin_digest = (char *)"",
		.diff_id = (char *)"",
	};
	struct images_image image = {
		.name = (char *)name,
		.manifest = (char *)"",
		.config = (char *)"",
		.manifest_digest = (char *)"",
		.layers = &layer,
		.n_layers = 1,
	};
	char error[IMAGES_ERROR_MAX];

	ck_assert_int_eq(images_put(images, &image, error), 0);
}

static enum survey_value value_of(const struct survey *s, const char *volume, const char *cookie)
{
	const struct survey_object *o = survey_find(s, bytes_str(volume), bytes_str(cookie));

	ck_assert_ptr_nonnull(o);
	return o->value;
}

START_TEST(test_owners_are_those_of_the_store)
{
	char error[IMAGES_ERROR_MAX];
	struct images *images;
	struct survey *s;

	make("erofs,i", "x:1", 0, 1);
	make("erofs,i", "x:2", 0, 1);
	make("erofs,i", "x:3", 0, 1);
	make("erofs,other", "x:1", 0, 1);
	make("erofs,other", "x:4", 0, 1);
	ck_assert_int_eq(images_open(&images, base, IMAGES_WRITE, error), 0);
	add_image(images, "pinned", "x:1");
	add_image(images, "known", "x:2");
	ck_assert_int_eq(images_pin(images, "pinned"), 0);
	ck_assert_int_eq(images_pin_object(images, bytes_str("erofs,other"), bytes_str("x:4")), 0);
	take(&s);
	ck_assert_int_eq(survey_mark(s, NULL, "i"), 0);
	ck_assert_int_eq(value_of(s, "erofs,i", "x:1"), SURVEY_CACHED);
	ck_assert_int_eq(survey_mark(s, images, "i"), 0);
	ck_assert_int_eq(value_of(s, "erofs,i", "x:1"), SURVEY_PINNED);
	ck_assert_int_eq(value_of(s, "erofs,i", "x:2"), SURVEY_CACHED);
	ck_assert_int_eq(value_of(s, "erofs,i", "x:3"), SURVEY_UNOWNED);
	ck_assert_int_eq(value_of(s, "erofs,other", "x:1"), SURVEY_CACHED);
	ck_assert_int_eq(value_of(s, "erofs,other", "x:4"), SURVEY_PINNED);
	survey_free(s);
	images_close(images);
}
END_TEST

/* ---- culling ------------------------------------------------------------------------------ */

/* A device that does what the kernel does, which is to look at the working directory alone. */
static char command[256], place[256];

static int take_command(struct port *port, const char *text, size_t n)
{
	snprintf(command, sizeof(command), "%.*s", (int)n, text);
	ck_assert_ptr_nonnull(getcwd(place, sizeof(place)));
	return unlink(command + strlen("cull ")) < 0 ? -errno : 0;
}

static const struct port_ops ops = { .command = take_command };
static struct port device = { .ops = &ops };

START_TEST(test_culled_in_its_directory_and_back)
{
	char path[CACHENAME_PATH_MAX], before[256], after[256], want[1024];
	uint64_t bytes = 0;

	make("v", "object", 64 * KIB, 1);
	cachename_path(bytes_str("v"), bytes_str("object"), path);
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(cull_object(&device, root, path, &bytes), 0);
	ck_assert_ptr_nonnull(getcwd(after, sizeof(after)));
	ck_assert_str_eq(before, after);
	ck_assert_str_eq(command, "cull Dobject");
	*strrchr(path, '/') = '\0';
	snprintf(want, sizeof(want), "%s/%s", base, path);
	ck_assert_str_eq(place, want);
	ck_assert_uint_ge(bytes, 64 * KIB);
	ck_assert_int_eq(cull_object(&device, root, path, &bytes), -EINVAL);
}
END_TEST

/* The kernel would delete whatever has that name there. */
START_TEST(test_nothing_outside_of_the_cache_is_culled)
{
	static const char *const bad[] = {
		"",
		"cache",
		"/cache/Iv/@00/Dx",
		"other/Iv/@00/Dx",
		"cache/v/@00/Dx",
		"cache/Iv/00/Dx",
		"cache/Iv/@00/x",
		"cache/Iv/@00/../Dx",
		"cache/Iv/@00/..",
		"cache/../@00/Dx",
	};
	uint64_t bytes;

	make("v", "x", 0, 1);
	ck_assert_int_eq(mkdirat(root, "elsewhere", 0700), 0);
	close(openat(root, "elsewhere/Dx", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(symlinkat("../../elsewhere", root, "cache/Iv/@zz"), 0);
	command[0] = '\0';
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_lt(cull_object(&device, root, bad[i], &bytes), 0);
	ck_assert_int_eq(cull_object(&device, root, "cache/Iv/@zz/Dx", &bytes), -EXDEV);
	ck_assert_int_lt(cull_volume(&device, root, ".."), 0);
	ck_assert_int_lt(cull_volume(&device, root, "Iv/@00"), 0);
	ck_assert_int_eq(cull_volume(&device, root, "Inone"), -ENOENT);
	ck_assert_str_eq(command, "");
	ck_assert_int_eq(faccessat(root, "elsewhere/Dx", F_OK, 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("survey");
	TCase *tc = tcase_create("directory");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_nothing_was_ever_mounted);
	tcase_add_test(tc, test_each_object_is_found_by_its_keys);
	tcase_add_test(tc, test_first_goes_what_is_worth_least_and_was_used_longest_ago);
	tcase_add_test(tc, test_what_is_not_the_kernels_is_left_out);
	tcase_add_test(tc, test_many_objects);
	tcase_add_test(tc, test_an_object_without_a_name_yet);
	tcase_add_test(tc, test_owners_are_those_of_the_store);
	tcase_add_test(tc, test_culled_in_its_directory_and_back);
	tcase_add_test(tc, test_nothing_outside_of_the_cache_is_culled);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
