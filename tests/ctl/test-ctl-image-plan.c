/* SPDX-License-Identifier: MIT */
/*
 * Plans of images: set, shown, removed, and what is refused of them.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context.h"
#include "daemon/ctl/image-plan.h"
#include "tests/ctl/image-rig.h"
#include "tests/lib/run-suite.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct erofs_file plain = { .blocks = 4 };

static char cookie[128];

/* The image "app" of four blocks, and its cookie. */
static void add_app(void)
{
	json_t *image;
	const json_t *layer;

	erofs_write("image", &plain);
	image_expect(IMAGE("add", "app", "./image"), 0, "", "app");
	image = json_loads(IMAGE("inspect", "--json", "app")->out, 0, NULL);
	layer = json_array_get(json_object_get(image, "layers"), 0);
	snprintf(cookie, sizeof(cookie), "%s", json_string_value(json_object_get(layer, "cookie")));
	json_decref(image);
}

/* Lines; '@' stands for the cookie. */
static const char *plan(const char *lines)
{
	FILE *file = fopen("plan", "w");

	for (const char *c = lines; *c; c++)
		if (*c == '@')
			fputs(cookie, file);
		else
			fputc(*c, file);
	ck_assert_int_eq(fclose(file), 0);
	return "plan";
}

START_TEST(a_plan_is_set_shown_and_removed)
{
	const struct ctl_result *r;
	char want[512];

	add_app();
	image_expect(IMAGE("plan", "app"), 1, "has no plan", "");
	image_expect(
		IMAGE("plan", "app",
		      plan("cachefill-plan 1\n# of\n4096+4096 there/@\n0+1 x/other\n0+10 /@\n")),
		0, "", "app: 2 ranges, 4 KiB; 1 of others were left out");
	image_expect(IMAGE("inspect", "app"), 0, "", "\nplan      2 ranges\n");
	ck_assert_ptr_nonnull(strstr(IMAGE("inspect", "--json", "app")->out,
				     "\"plan\":{\"ranges\":2,\"given\":true}"));
	r = IMAGE("plan", "app");
	snprintf(want, sizeof(want),
		 "cachefill-plan 1\n4096+4096 erofs,cachefilld/%s\n0+10 erofs,cachefilld/%s\n",
		 cookie, cookie);
	ck_assert_str_eq(r->out, want);
	snprintf(want, sizeof(want), "{\"cookie\":\"%s\",\"offset\":4096,\"length\":4096}", cookie);
	ck_assert_ptr_nonnull(strstr(IMAGE("plan", "--json", "app")->out, want));
	/* What is printed can be given again. */
	file_write("again", r->out, r->out_len);
	image_expect(IMAGE("plan", "--remove", "app"), 0, "", "");
	image_expect(IMAGE("plan", "--remove", "app"), 1, "has no plan", "");
	image_expect(IMAGE("plan", "app"), 1, "has no plan", "");
}
END_TEST

START_TEST(a_plan_stays_with_its_image)
{
	static const struct erofs_file other = { .blocks = 4, .seed = 7 };

	add_app();
	ctl_assert_ok(IMAGE("plan", "app", plan("cachefill-plan 1\n0+1 /@\n")));
	image_expect(IMAGE("add", "app", "./image"), 0, "", "is this image already");
	ctl_assert_ok(IMAGE("plan", "app"));
	erofs_write("image2", &other);
	image_expect(IMAGE("add", "--replace", "app", "./image2"), 0, "", "app");
	ctl_assert_ok(IMAGE("plan", "app"));
	ctl_assert_ok(IMAGE("rm", "app"));
	add_app();
	image_expect(IMAGE("plan", "app"), 1, "has no plan", "");
}
END_TEST

START_TEST(bad_plans_are_refused)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "it is no plan" },
		{ "0+1 /@\n", "it is no plan" },
		{ "cachefill-plan 2\n0+1 /@\n", "it is no plan" },
		{ "cachefill-plan 1\n", "no range of this image" },
		{ "cachefill-plan 1\n0+1 v/other\n", "no range of this image" },
		{ "cachefill-plan 1\n0+0 /@\n", "line 2: the range is empty" },
		{ "cachefill-plan 1\n0+1 /@\n0+16385 /@\n",
		  "line 3: the range goes beyond the 16384" },
		{ "cachefill-plan 1\n16384+1 /@\n", "goes beyond the 16384 bytes" },
		{ "cachefill-plan 1\n16384+18446744073709551615 /@\n", "goes beyond" },
		{ "cachefill-plan 1\n2+18446744073709551614 /@\n", "ends nowhere" },
		{ "cachefill-plan 1\n99999999999999999999+1 /@\n", "does not begin with" },
		{ "cachefill-plan 1\n0+1 @\n", "no VOLUME/COOKIE" },
	};

	add_app();
	ctl_assert_ok(IMAGE("plan", "app", plan("cachefill-plan 1\n0+1 /@\n")));
	for (size_t i = 0; i < N(bad); i++)
		image_expect(IMAGE("plan", "app", plan(bad[i].text)), 1, bad[i].says, "");
	/* The one before is still there. */
	image_expect(IMAGE("plan", "app"), 0, "", "0+1 erofs,cachefilld/");
	image_expect(IMAGE("plan", "nobody", "plan"), 1, "nobody", "");
	image_expect(IMAGE("plan", "app", "nowhere"), 1, "No such file", "");
	image_expect(IMAGE("plan"), 2, "NAME", "");
	image_expect(IMAGE("plan", "--remove", "app", "plan"), 2, "--remove needs one NAME", "");
}
END_TEST

START_TEST(a_plan_has_an_end)
{
	FILE *file;

	add_app();
	file = fopen("plan", "w");
	fputs("cachefill-plan 1\n", file);
	for (unsigned int i = 0; i < PLAN_RANGES_MAX; i++)
		fprintf(file, "%u+1 /%s\n", i, cookie);
	fflush(file);
	image_expect(IMAGE("plan", "app", "plan"), 0, "", "8192 ranges");
	fprintf(file, "0+1 /%s\n", cookie);
	fflush(file);
	image_expect(IMAGE("plan", "app", "plan"), 1, "more than 8192 ranges", "");
	while (ftell(file) <= IMAGES_PLAN_MAX)
		fprintf(file, "%01000d\n", 0);
	fclose(file);
	image_expect(IMAGE("plan", "app", "plan"), 1, "longer than 1048576 bytes", "");
}
END_TEST

/* ---- annotations -------------------------------------------------------------------------- */

static const struct image_plan_object layers[] = { { "sha256:a", 100 }, { "sha256:b", 5000 } };

START_TEST(annotations_are_plans)
{
	char error[CONTEXT_ERROR_MAX] = "", *note = NULL;
	struct image_plan p;

	ck_assert_int_eq(
		image_plan_of_note(&p, "1:4096+900 0:0+18446744073709551615", layers, 2, error), 0);
	ck_assert_uint_eq(p.n, 2);
	ck_assert_uint_eq(p.bytes, 1000);
	ck_assert_str_eq(p.text, "cachefill-plan 1\n4096+900 /sha256:b\n"
				 "0+18446744073709551615 /sha256:a\n");
	ck_assert_int_eq(image_plan_make_note(&note, &p, layers, 2, error), 0);
	ck_assert_str_eq(note, "1:4096+900 0:0+18446744073709551615");
	free(note);
	image_plan_end(&p);
}
END_TEST

START_TEST(bad_annotations_are_refused)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "no range of this image" },
		{ "0+1", "the number of a layer" },
		{ ":0+1", "the number of a layer" },
		{ "-1:0+1", "the number of a layer" },
		{ "00000:0+1", "the number of a layer" },
		{ "2:0+1", "there is no layer 2" },
		{ "0:0+1  1:0+1", "the number of a layer" },
		{ "0:0+1\n0:0+1", "a line break" },
		{ "0:0+1 v/sha256:b", "the number of a layer" },
		{ "0:0+1\t/x", "does not begin with OFFSET+LENGTH" },
		{ "0:0+101", "goes beyond the 100 bytes" },
		{ "0:#", "no range of this image" },
	};
	char error[CONTEXT_ERROR_MAX], *large = malloc(IMAGE_PLAN_NOTE_MAX + 2);
	struct image_plan p;

	for (size_t i = 0; i < N(bad); i++) {
		ck_assert_int_lt(image_plan_of_note(&p, bad[i].text, layers, 2, error), 0);
		ck_assert_msg(strstr(error, bad[i].says) != NULL, "%s: %s", bad[i].text, error);
	}
	memset(large, '0', IMAGE_PLAN_NOTE_MAX + 1);
	large[IMAGE_PLAN_NOTE_MAX + 1] = '\0';
	ck_assert_int_lt(image_plan_of_note(&p, large, layers, 2, error), 0);
	ck_assert_ptr_nonnull(strstr(error, "longer than"));
	free(large);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl image plan");
	TCase *tc = tcase_create("commands"), *pure = tcase_create("annotations");

	tcase_add_checked_fixture(tc, ctl_enter, ctl_leave);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_plan_is_set_shown_and_removed);
	tcase_add_test(tc, a_plan_stays_with_its_image);
	tcase_add_test(tc, bad_plans_are_refused);
	tcase_add_test(tc, a_plan_has_an_end);
	suite_add_tcase(suite, tc);
	tcase_add_test(pure, annotations_are_plans);
	tcase_add_test(pure, bad_annotations_are_refused);
	suite_add_tcase(suite, pure);
	return run_suite(suite);
}
