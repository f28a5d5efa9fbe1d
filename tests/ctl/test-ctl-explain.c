/* SPDX-License-Identifier: MIT */
/* cachefillctl explain where no daemon runs; with one: test-ctl-daemon. */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/images/images.h"
#include "daemon/state.h"
#include "daemon/util/bytes.h"
#include "proto/cachename.h"
#include "tests/ctl/ctl.h"
#include "tests/lib/run-suite.h"

#define SIZE 8192

static char here[256];

static void make_file(const char *path)
{
	static const char bytes[SIZE];

	file_write(path, bytes, sizeof(bytes));
}

static void make_cached(const char *volume, const char *cookie)
{
	char path[CACHENAME_PATH_MAX];

	ck_assert_int_eq(cachename_path(bytes_str(volume), bytes_str(cookie), path), 0);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	make_file(path);
}

static void make_record(const char *volume, const char *cookie, const char *validator)
{
	struct state_object object = { .size = SIZE, .locator = "file:/files/x" };
	struct state *state;

	snprintf(object.validator, sizeof(object.validator), "%s", validator);
	ck_assert_int_eq(state_open(&state, "state"), 0);
	ck_assert_int_eq(state_put(state, bytes_str(volume), bytes_str(cookie), &object), 0);
	state_close(state);
}

static void make_image(const char *name, const char *cookie, const char *locator)
{
	struct images_layer layer = {
		.primary = { (char *)cookie, (char *)locator, (char *)"", (char *)"", SIZE },
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
	struct images *images;

	ck_assert_int_eq(images_open(&images, "state", IMAGES_WRITE, error), 0);
	ck_assert_int_eq(images_put(images, &image, error), 0);
	images_close(images);
}

static void enter(void)
{
	char text[2048];

	ctl_enter();
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(text, sizeof(text),
		 "dir %1$s\nstate-dir = %1$s/state\ncontrol-socket = %1$s/sock\n"
		 "source first {\n volume = erofs,a\n url = file:%1$s/files/{cookie}\n"
		 " retries = 0\n}\n"
		 "source second {\n volume = erofs,b*\n url = file:%1$s/gone/{cookie}\n"
		 " alternative = file:%1$s/files/{cookie}\n trust-alternatives = yes\n"
		 " retries = 2\n backoff = 10ms\n}\n",
		 here);
	file_write("conf", text, strlen(text));
	mkdir("state", 0700);
	mkdir("files", 0700);
	make_file("files/x");
}

#define EXPLAIN(...) RUN("explain", "--config", "conf", __VA_ARGS__)

static json_t *json_of(int status, const char *what)
{
	struct ctl_result *r = EXPLAIN("--json", what);
	json_t *object = json_loads(r->out, 0, NULL);

	ck_assert_msg(r->status == status && object, "%d: %s%s", r->status, r->out, r->err);
	return object;
}

/* "a.b.c" of it, as compact JSON; static. */
static const char *at(const json_t *object, const char *path)
{
	static char *text;
	char name[64];

	while (object && *path) {
		size_t n = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		object = json_object_get(object, name);
		path += n + (path[n] == '.');
	}
	free(text);
	text = object ? json_dumps(object, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("absent");
	return text;
}

START_TEST(a_rule_leads_to_a_source)
{
	json_t *object = json_of(0, "erofs,a/x");

	ck_assert_str_eq(at(object, "resolved.by"), "\"source\"");
	ck_assert_str_eq(at(object, "resolved.rule"), "\"first\"");
	ck_assert_ptr_nonnull(strstr(at(object, "resolved.where"), "conf:4"));
	ck_assert_str_eq(at(object, "source.name"), "\"first\"");
	ck_assert_str_eq(at(object, "recorded"), "absent");
	ck_assert_str_eq(at(object, "cached"), "absent");
	ck_assert_str_eq(at(object, "now.works"), "true");
	ck_assert_str_eq(at(object, "now.size"), "8192");
	ck_assert_ptr_nonnull(strstr(at(object, "no_daemon"), "there is no such socket"));
	ck_assert_uint_eq(json_array_size(json_object_get(object, "fetchers")), 1);
	json_decref(object);
}
END_TEST

START_TEST(what_is_kept_is_told)
{
	json_t *object;

	make_record("erofs,a", "x", "mtime:1");
	make_cached("erofs,a", "x");
	object = json_of(0, "erofs,a/x");
	ck_assert_str_eq(at(object, "recorded.size"), "8192");
	ck_assert_str_eq(at(object, "recorded.validator"), "\"mtime:1\"");
	ck_assert_str_eq(at(object, "cached.bytes"), "8192");
	ck_assert_str_eq(at(object, "now.changed"), "true");
	ck_assert_ptr_nonnull(strstr(EXPLAIN("erofs,a/x")->out, "another version"));
	/* Nothing is changed by it: there is the record still. */
	ck_assert_ptr_nonnull(strstr(EXPLAIN("erofs,a/x")->out, "recorded    8 KiB, mtime:1"));
	json_decref(object);
}
END_TEST

START_TEST(fetchers_are_listed_from_outside_in)
{
	json_t *object = json_of(0, "erofs,b1/x"), *chain = json_object_get(object, "fetchers");

	ck_assert_str_eq(at(json_array_get(chain, 0), "by"), "\"retry\"");
	ck_assert_str_eq(at(json_array_get(chain, 0), "retries"), "2");
	ck_assert_str_eq(at(json_array_get(chain, 1), "by"), "\"alternatives\"");
	ck_assert_str_eq(at(json_array_get(chain, 2), "by"), "\"file\"");
	/* Asked by all of these: the second origin has it. */
	ck_assert_ptr_nonnull(strstr(at(object, "now.validator"), "via:"));
	json_decref(object);
}
END_TEST

START_TEST(images_are_explained_object_by_object)
{
	char locator[300];
	json_t *object;

	snprintf(locator, sizeof(locator), "file:%s/files/x", here);
	make_image("app", "x:1", locator);
	make_image("copy", "x:1", locator);
	object = json_of(0, "app");
	ck_assert_str_eq(at(object, "cookie"), "\"x:1\"");
	ck_assert_str_eq(at(object, "resolved.by"), "\"image\"");
	ck_assert_str_eq(at(object, "resolved.images"), "[\"app\",\"copy\"]");
	ck_assert_str_eq(at(object, "source.name"), "\"first\"");
	json_decref(object);
	object = json_of(0, locator);
	ck_assert_str_eq(at(object, "resolved.images"), "[\"app\",\"copy\"]");
	ck_assert_str_eq(at(object, "volume"), "absent");
	json_decref(object);
}
END_TEST

START_TEST(secrets_stay_where_they_are)
{
	struct ctl_result *r = EXPLAIN("http://user:hunter2@127.0.0.1:1/x?token=hunter2");

	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_null(strstr(r->out, "hunter2"));
	ck_assert_ptr_nonnull(strstr(r->out, "not in the configuration"));
}
END_TEST

START_TEST(what_is_nothing_is_told)
{
	json_t *object = json_of(1, "erofs,c/x");

	ck_assert_str_eq(at(object, "resolved.by"), "\"nothing\"");
	json_decref(object);
	ck_assert_int_eq(EXPLAIN("nobody")->status, 1);
	ck_assert_int_eq(EXPLAIN("a", "b")->status, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("what becomes of an object");
	TCase *tc = tcase_create("explain");

	tcase_add_checked_fixture(tc, enter, ctl_leave);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_rule_leads_to_a_source);
	tcase_add_test(tc, what_is_kept_is_told);
	tcase_add_test(tc, fetchers_are_listed_from_outside_in);
	tcase_add_test(tc, images_are_explained_object_by_object);
	tcase_add_test(tc, secrets_stay_where_they_are);
	tcase_add_test(tc, what_is_nothing_is_told);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
