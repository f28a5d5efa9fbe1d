/* SPDX-License-Identifier: MIT */
/*
 * Images from more origins than there is room for: those that nobody uses make room, with their
 * numbers, and where all are in use the error says what to do.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/log-errors.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/engine-images-fixture.h"

#define MAX  ORIGINS_IMPLICIT_MAX
#define MORE (2 * MAX)

static struct fake_origin *served[MORE];
static struct emu_mount *mounted[MORE];

static const char *cookie_of(int i)
{
	static char cookie[32];

	snprintf(cookie, sizeof(cookie), "sha256-%d", i);
	return cookie;
}

/* An image of n layers, each of them at an origin of its own. */
static void serve_many(int n)
{
	struct images_layer layers[MORE] = { 0 };
	struct images_image image = {
		.name = (char *)"many",
		.manifest = (char *)"",
		.config = (char *)"",
		.manifest_digest = (char *)"",
		.layers = layers,
		.n_layers = (size_t)n,
	};
	struct images *images = open_store();
	char error[IMAGES_ERROR_MAX], locator[64];
	int err;

	for (int i = 0; i < n; i++) {
		snprintf(locator, sizeof(locator), "fake://h%d/x", i);
		served[i] = serve(locator, 64 * KIB, (uint64_t)i);
		layers[i] = (struct images_layer){
			.primary = { .cookie = strdup(cookie_of(i)),
				     .locator = served[i]->locator,
				     .validator = (char *)served[i]->validator,
				     .media_type = (char *)"",
				     .size = served[i]->bytes.size },
			.origin_digest = (char *)"",
			.diff_id = (char *)"",
		};
	}
	err = images_put(images, &image, error);
	ck_assert_msg(err == 0, "%s", error);
	images_close(images);
	for (int i = 0; i < n; i++)
		free(layers[i].primary.cookie);
}

/* ---- what is told of sources ----------------------------------------------------------------- */

static struct names {
	struct engine_observer observer;
	char names[MAX + 1][32]; /* by number, as told last */
	unsigned int told;
} names;

static void added(struct engine_observer *observer, uint32_t number,
		  const struct engine_source_config *config)
{
	ck_assert_uint_le(number, MAX);
	snprintf(names.names[number], sizeof(names.names[number]), "%s", config->name);
	names.told++;
}

static void opened(struct engine_observer *observer, struct object *o)
{
	const char *name = names.names[object_source(o)];

	/* What was told last of its number is where it comes from. */
	ck_assert_msg(strncmp(object_locator(o), name, strlen(name)) == 0, "%s: %s",
		      object_locator(o), name);
}

static void same_name(void *arg, uint32_t number, const struct engine_source_config *config)
{
	unsigned int *n = arg;

	(*n)++;
	if (number > 0)
		ck_assert_str_eq(config->name, names.names[number]);
}

static void begin(int n)
{
	rig_begin();
	serve_many(n);
	names = (struct names){ .observer = { .added = added, .opened = opened } };
	engine_observe(rig.engine, &names.observer);
}

static void check_names(unsigned int told)
{
	unsigned int n = 0;

	ck_assert_uint_eq(names.told, told);
	engine_each_source(rig.engine, same_name, &n);
	ck_assert_uint_le(n, 1 + MAX);
	ck_assert_uint_le(origins_count(origins), 1 + MAX);
	engine_unobserve(rig.engine, &names.observer);
}

/* ---- tests ---------------------------------------------------------------------------------- */

START_TEST(idle_origins_make_room)
{
	begin(MORE);
	for (int i = 0; i < MORE; i++)
		read_all(cookie_of(i), served[i]);
	check_names(MORE);
}
END_TEST

START_TEST(what_is_used_stays)
{
	begin(MORE);
	for (int i = 0; i < MAX / 2; i++)
		mounted[i] = mount_image(cookie_of(i), served[i]);
	for (int i = MAX / 2; i < MORE; i++)
		read_all(cookie_of(i), served[i]);
	for (int i = 0; i < MAX / 2; i++) {
		ck_assert_int_eq(rig_read(mounted[i], 0, 64 * KIB), 0);
		rig_umount(mounted[i]);
	}
	check_names(MORE);
}
END_TEST

/* The one that was used last before all others. */
START_TEST(who_was_idle_longest_goes)
{
	begin(MAX + 2);
	for (int i = 0; i < MAX; i++) {
		read_all(cookie_of(i), served[i]);
		rig_run(MS);
	}
	read_all(cookie_of(0), served[0]);
	ck_assert_uint_eq(names.told, MAX);
	read_all(cookie_of(MAX), served[MAX]);
	read_all(cookie_of(0), served[0]);
	ck_assert_uint_eq(names.told, MAX + 1); /* it is still there */
	ck_assert_str_eq(names.names[1], "fake://h0/");
	ck_assert_str_eq(names.names[2], "fake://h64/");
	read_all(cookie_of(1), served[1]);
	ck_assert_str_eq(names.names[3], "fake://h1/");
	check_names(MAX + 2);
}
END_TEST

START_TEST(all_are_in_use)
{
	begin(MAX + 1);
	for (int i = 0; i < MAX; i++)
		mounted[i] = mount_image(cookie_of(i), served[i]);
	listen_to_errors();
	ck_assert_int_eq(mount_error(cookie_of(MAX), served[MAX]), -EMFILE);
	end_listening();
	ck_assert_uint_eq(heard("fake://h64/: images are in use from 64 other origins"), 1);
	ck_assert_uint_eq(heard("name it in a source section, or unmount all that comes from one"),
			  1);
	rig_umount(mounted[7]);
	read_all(cookie_of(MAX), served[MAX]);
	ck_assert_str_eq(names.names[8], "fake://h64/");
	for (int i = 0; i < MAX; i++)
		if (i != 7) {
			ck_assert_int_eq(rig_read(mounted[i], 0, 64 * KIB), 0);
			rig_umount(mounted[i]);
		}
	check_names(MAX + 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images-origins");
	TCase *t = images_case(s);

	tcase_add_test(t, idle_origins_make_room);
	tcase_add_test(t, what_is_used_stays);
	tcase_add_test(t, who_was_idle_longest_goes);
	tcase_add_test(t, all_are_in_use);
	return run_suite(s);
}
