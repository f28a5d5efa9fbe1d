/* SPDX-License-Identifier: MIT */
/* The commands of cachefillctl als, as far as they come without root, kernel and registry. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/als-tree.h"
#include "daemon/images/images.h"
#include "tests/ctl/ctl.h"
#include "tests/lib/run-suite.h"

#define HEX(c)	  c c c c c c c c c c c c c c c c
#define DIGEST(c) "sha256:" HEX(c c c c)
#define NAME	  "example.org/app:v1"
#define PLACES	  "--config", "conf", "--state-dir", "state", "--run-dir", "run"

static const char manifest[] =
	"{\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\","
	"\"digest\":\"" DIGEST("a") "\",\"size\":5}]}";
static const char config[] = "{\"rootfs\":{\"diff_ids\":[\"" DIGEST("b") "\"]}}";

static void setup(void)
{
	ctl_enter();
	file_write("conf", "", 0);
}

/* Into the store: an image of one layer. */
static void add_image(const char *name, const char *ref, const char *text, const char *digest)
{
	struct images_layer layer = {
		.primary = { .cookie = (char *)digest,
			     .locator = (char *)"file:/nowhere",
			     .validator = (char *)"",
			     .media_type = (char *)"",
			     .size = 4096 },
		.origin_digest = (char *)digest,
		.diff_id = (char *)"",
	};
	struct images_image image = {
		.name = (char *)name,
		.refs = (char *[]){ (char *)ref },
		.n_refs = 1,
		.manifest = (char *)text,
		.config = (char *)(*text ? config : ""),
		.manifest_digest = (char *)"",
		.layers = &layer,
		.n_layers = 1,
	};
	char error[IMAGES_ERROR_MAX];
	struct images *images;

	ck_assert_msg(images_open(&images, "state", IMAGES_WRITE, error) == 0, "%s", error);
	ck_assert_msg(images_put(images, &image, error) == 0, "%s", error);
	images_close(images);
}

static void assert_fails(const struct ctl_result *r, const char *says)
{
	ck_assert_int_eq(r->status, 1);
	ck_assert_str_eq(r->out, "");
	ck_assert_msg(strstr(r->err, says) != NULL, "%s", r->err);
	ck_assert_msg(strncmp(r->err, "cachefillctl: ", 14) == 0 && ctl_lines(r->err) == 1, "%s",
		      r->err);
}

START_TEST(every_command_explains_itself)
{
	static const char *const names[] = { "add", "ls", "rm" };
	char line[256];

	for (size_t i = 0; i < 3; i++) {
		struct ctl_result *r = RUN("als", names[i], "--help");

		ctl_assert_ok(r);
		snprintf(line, sizeof(line), "Usage: cachefillctl als %s ", names[i]);
		ck_assert_msg(strncmp(r->out, line, strlen(line)) == 0, "%s", r->out);
		for (size_t j = 0; j < ctl_lines(r->out); j++)
			ck_assert_uint_le(strlen(ctl_line(r->out, j, line, sizeof(line))), 80);
	}
}
END_TEST

START_TEST(wrong_usage_is_told)
{
	ck_assert_int_eq(RUN("als")->status, 2);
	ck_assert_int_eq(RUN("als", "fly")->status, 2);
	ck_assert_int_eq(RUN("als", "add")->status, 2);
	ck_assert_int_eq(RUN("als", "add", "a", "b")->status, 2);
	ck_assert_int_eq(RUN("als", "add", "--json", "a")->status, 2);
	ck_assert_int_eq(RUN("als", "ls", "a")->status, 2);
	ck_assert_int_eq(RUN("als", "rm")->status, 2);
	ck_assert_int_eq(RUN("als", "rm", "--all", "a")->status, 2);
}
END_TEST

START_TEST(what_is_not_there_is_named)
{
	assert_fails(RUN("als", "add", PLACES, "app"), "there is no image 'app'");
	assert_fails(RUN("als", "rm", PLACES, NAME), NAME " is not there");
	assert_fails(RUN("als", "rm", PLACES, "app"), "podman has no name for 'app'");
	ck_assert_str_eq(RUN("als", "ls", PLACES)->out, "");
	RUN_OK("als", "rm", PLACES, "--all");
}
END_TEST

START_TEST(an_image_that_podman_cannot_pull_is_refused)
{
	static const char erofs[] =
		"{\"layers\":[{\"mediaType\":\"application/vnd.erofs.layer.v1\","
		"\"digest\":\"" DIGEST("a") "\",\"size\":5}]}";

	add_image("web", "https://example.org/app.erofs", "", DIGEST("a"));
	assert_fails(RUN("als", "add", PLACES, "web"),
		     "'web': it is not in a registry; 'als add --name'");
	assert_fails(RUN("als", "add", PLACES, "--name", NAME, "web"), "web: its configuration");
	assert_fails(RUN("als", "add", PLACES, "--name", "app", "web"), "named 'app'");
	add_image("erofs", "oci://example.org/app:v1", erofs, DIGEST("c"));
	assert_fails(RUN("als", "add", PLACES, "erofs"), "erofs: its layers are no archives");
}
END_TEST

START_TEST(a_layer_that_nobody_has_is_named)
{
	add_image("app", "oci://example.org/app:v1", manifest, DIGEST("c"));
	assert_fails(RUN("als", "add", PLACES, "app"), DIGEST("a"));
	ck_assert(!file_exists("run/als/ZXhhbXBsZS5vcmcvYXBwOnYx"));
}
END_TEST

/* Mounting takes root and a kernel; without them nothing half-made stays. */
START_TEST(what_cannot_be_mounted_leaves_nothing)
{
	struct ctl_result *r;

	add_image("app", "oci://example.org/app:v1", manifest, DIGEST("a"));
	r = RUN("als", "add", PLACES, "app");
	assert_fails(r, "cannot be mounted");
	ck_assert(!file_exists("run/als/ZXhhbXBsZS5vcmcvYXBwOnYx"));
	ck_assert_str_eq(RUN("als", "ls", PLACES)->out, "");
}
END_TEST

START_TEST(what_is_there_is_listed_and_removed)
{
	struct als_info info = { (char *)DIGEST("a"), (char *)DIGEST("b"), 5, 7, 2 };
	char diff[PATH_MAX], error[ALS_ERROR_MAX];
	struct ctl_result *r;
	json_t *line;

	ck_assert_int_eq(als_tree_prepare("run/als", NAME, DIGEST("a"), diff, error), 0);
	ck_assert_int_eq(als_tree_publish("run/als", NAME, &info, "run", error), 0);
	r = RUN("als", "ls", PLACES);
	ctl_assert_ok(r);
	ck_assert_msg(strstr(r->out, NAME "    1 layer") != NULL, "%s", r->out);
	ck_assert_ptr_nonnull(strstr(r->out, "not mounted"));

	r = RUN("als", "ls", PLACES, "--json");
	ctl_assert_ok(r);
	line = json_loads(r->out, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(line, "name")), NAME);
	ck_assert_int_eq(json_integer_value(json_object_get(
				 json_array_get(json_object_get(line, "layers"), 0), "size")),
			 5);
	json_decref(line);

	RUN_OK("als", "rm", PLACES, "oci://example.org/app:v1");
	ck_assert_str_eq(RUN("als", "ls", PLACES)->out, "");
	ck_assert(!file_exists("run/als/ZXhhbXBsZS5vcmcvYXBwOnYx"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-als-commands");
	TCase *t = tcase_create("commands");

	tcase_add_checked_fixture(t, setup, ctl_leave);
	tcase_add_test(t, every_command_explains_itself);
	tcase_add_test(t, wrong_usage_is_told);
	tcase_add_test(t, what_is_not_there_is_named);
	tcase_add_test(t, an_image_that_podman_cannot_pull_is_refused);
	tcase_add_test(t, a_layer_that_nobody_has_is_named);
	tcase_add_test(t, what_cannot_be_mounted_leaves_nothing);
	tcase_add_test(t, what_is_there_is_listed_and_removed);
	suite_add_tcase(s, t);
	return run_suite(s);
}
