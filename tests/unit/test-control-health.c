/* SPDX-License-Identifier: MIT */
/*
 * What the control socket says of how it goes: who waits, how origins do, what is verified, and
 * which images there are.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/control.h"
#include "tests/lib/control-client.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static struct control *control;
static struct client_answer answer;

static struct fetch_health health = { .name = "https://h/", .requests = 7 };

static void fake_each_health(void *arg,
			     void (*visit)(void *to, uint32_t source,
					   const struct fetch_health *health),
			     void *to)
{
	visit(to, 0, &health);
	visit(to, 7, &health); /* of a source that the engine does not have yet */
}

static unsigned int n_images;

static int fake_list_images(void *arg, int64_t after, size_t limit, images_visit_summary *visit,
			    void *to)
{
	struct images_summary s = { .manifest_digest = "sha256:m", .size = 5, .n_layers = 2 };
	char name[32];

	if (n_images == 0)
		return -ENOENT;
	if (n_images > 1000)
		return -EIO;
	for (s.id = after + 1; s.id <= n_images && limit-- > 0; s.id++) {
		snprintf(name, sizeof(name), "image-%d", (int)s.id);
		s.name = s.transient ? "https://u:secret@h/x" : name;
		visit(to, &s);
		s.transient = true;
	}
	return 0;
}

static const struct control_ops ops = { .each_health = fake_each_health,
					.list_images = fake_list_images };

static void setup(void)
{
	struct control_config config = { .cache_dir = "/cache",
					 .state_dir = "/state",
					 .ops = &ops };

	health = (struct fetch_health){ .name = "https://h/", .requests = 7 };
	n_images = 0;
	rig_setup();
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

static int ask(const char *uri)
{
	control_client_end(&answer);
	control_client_ask(control, rig.loop, "GET", uri, NULL, &answer);
	return answer.status;
}

static json_t *get(const char *uri)
{
	ck_assert_msg(ask(uri) == 200, "%s: %s", uri, answer.body);
	return answer.json;
}

static json_int_t number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_integer(value), "%s is no number", name);
	return json_integer_value(value);
}

static const char *text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	ck_assert_msg(json_is_string(value), "%s is no text", name);
	return json_string_value(value);
}

#define DIGEST "digest:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(how_far_objects_are_verified_is_told)
{
	struct fake_origin *named = rig_serve("named", MIB);
	struct emu_mount *mounts[2] = { rig_mount(rig_serve("blob", MIB)) };
	json_t *open;

	named->validator = DIGEST;
	mounts[1] = rig_mount(named);
	ck_assert_str_eq(text(get("/v1/objects/1"), "verified"), "no");
	ck_assert_str_eq(text(get("/v1/objects/2"), "verified"), "pending");
	open = json_object_get(json_object_get(get("/v1/status"), "verified"), "open");
	ck_assert_int_eq(number(open, "no"), 1);
	ck_assert_int_eq(number(open, "pending"), 1);
	ck_assert_int_eq(number(open, "failed"), 0);
	for (int i = 0; i < 2; i++)
		rig_umount(mounts[i]);
}
END_TEST

START_TEST(who_waits_for_the_longest_is_told)
{
	struct fake_origin *slow = rig_serve("slow", 4 * MIB);
	struct emu_mount *mount;
	struct emu_reader *reader;
	json_t *oldest;

	ck_assert(json_is_null(json_object_get(get("/v1/status"), "oldest")));
	mount = rig_mount(slow);
	slow->stall_always = true;
	reader = emu_read(mount, 2 * MIB, 4 * KIB);
	rig_run(3 * SEC);
	oldest = json_object_get(get("/v1/status"), "oldest");
	ck_assert_str_eq(text(oldest, "kind"), "read");
	ck_assert_str_eq(text(oldest, "cookie"), "slow");
	ck_assert_int_eq(number(oldest, "offset"), 2 * MIB);
	ck_assert_ptr_nonnull(strstr(text(oldest, "waits_for"), "origin"));
	ck_assert(json_real_value(json_object_get(oldest, "age")) >= 3);
	ck_assert_int_eq(ask("/metrics"), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "cachefilld_oldest_request_age_seconds 3."));
	fake_unstall(rig.fake, slow);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert(json_is_null(json_object_get(get("/v1/status"), "oldest")));
	rig_umount(mount);
}
END_TEST

static json_t *first_place(void)
{
	json_t *origins = json_object_get(get("/v1/origins"), "origins");
	json_t *places = json_object_get(json_array_get(origins, 0), "places");

	ck_assert_uint_eq(json_array_size(places), 1);
	return json_array_get(places, 0);
}

START_TEST(how_origins_do_is_told)
{
	json_t *place = first_place();

	ck_assert_str_eq(text(place, "place"), "https://h/");
	ck_assert_str_eq(text(place, "state"), "works");
	ck_assert_int_eq(number(place, "requests"), 7);
	ck_assert_ptr_null(json_object_get(place, "last_failure"));
	for (int i = 0; i < HEALTH_FAILURES; i++)
		health_end(&health, loop_now(rig.loop), -EAGAIN, 90 * SEC, "h: status 503");
	rig_run(2 * SEC);
	place = first_place();
	ck_assert_str_eq(text(place, "state"), "avoided");
	ck_assert(json_real_value(json_object_get(place, "avoided_for")) <= 88);
	ck_assert_str_eq(text(json_object_get(place, "last_failure"), "what"), "h: status 503");
	ck_assert(json_real_value(json_object_get(json_object_get(place, "last_failure"), "age")) >=
		  2);
	ck_assert_int_eq(ask("/metrics"), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "cachefilld_origin_avoided{source=\"fake\","
						  "place=\"https://h/\"} 1\n"));
}
END_TEST

START_TEST(images_are_listed_in_pages)
{
	json_t *page = get("/v1/images"), *image;

	ck_assert_uint_eq(json_array_size(json_object_get(page, "images")), 0);
	n_images = 4;
	page = get("/v1/images?limit=3");
	ck_assert_uint_eq(json_array_size(json_object_get(page, "images")), 3);
	ck_assert_int_eq(number(page, "next"), 3);
	image = json_array_get(json_object_get(page, "images"), 0);
	ck_assert_str_eq(text(image, "name"), "image-1");
	ck_assert_int_eq(number(image, "layers"), 2);
	image = json_array_get(json_object_get(page, "images"), 1);
	ck_assert_str_eq(text(image, "name"), "https://h/x");
	page = get("/v1/images?limit=3&after=3");
	ck_assert_uint_eq(json_array_size(json_object_get(page, "images")), 1);
	ck_assert_ptr_null(json_object_get(page, "next"));
	page = get("/v1/images?limit=4");
	ck_assert_ptr_null(json_object_get(page, "next"));
	ck_assert_int_eq(ask("/v1/images?limit=101"), 400);
	n_images = 2000;
	ck_assert_int_eq(ask("/v1/images"), 503);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control-health");
	TCase *tc = tcase_create("health");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, how_far_objects_are_verified_is_told);
	tcase_add_test(tc, who_waits_for_the_longest_is_told);
	tcase_add_test(tc, how_origins_do_is_told);
	tcase_add_test(tc, images_are_listed_in_pages);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
