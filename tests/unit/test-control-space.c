/* SPDX-License-Identifier: MIT */
/*
 * What the control socket drops from the cache: an object that nobody uses, and what nobody needs.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "tests/lib/control-client.h"
#include "tests/lib/log-about.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static struct control *control;
static struct client_answer answer;

static void begin(enum loop_backend backend)
{
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };

	rig_setup();
	rig.backend = backend;
	rig.culls = true;
	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	config.space = rig.space;
	ck_assert_int_eq(control_new(&control, &config), 0);
}

static void setup(void)
{
	begin(LOOP_VIRTUAL);
}

/* A pass takes several turns. */
static void setup_thread(void)
{
	begin(LOOP_POLL);
}

static void teardown(void)
{
	control_client_end(&answer);
	control = control_free(control);
	rig_end();
}

/* The status. */
static int post(const char *uri, const char *body)
{
	control_client_end(&answer);
	control_client_ask(control, rig.loop, "POST", uri, body, &answer);
	return answer.status;
}

static int evict(const char *cookie)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"volume\":\"%s\",\"cookie\":\"%s\"}", RIG_VOLUME, cookie);
	return post("/v1/evict", body);
}

static void assert_says(const char *text)
{
	ck_assert_msg(strstr(answer.body, text) != NULL, "no '%s' in %s", text, answer.body);
}

START_TEST(test_evict)
{
	struct fake_origin *origin = rig_serve("blob", 1 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	ck_assert_int_eq(evict("blob"), 409);
	assert_says("blob is in use");
	rig_umount(mount);
	ck_assert_int_eq(evict("blob"), 200);
	assert_says("\"freed_bytes\":");
	ck_assert_uint_eq(rig_present(origin), 0);
	ck_assert_ptr_nonnull(strstr(log_about_told(), "VOLUME=" RIG_VOLUME " COOKIE=blob cache/"));
	/* Once more: nothing is there any more, as is wanted. */
	ck_assert_int_eq(evict("blob"), 200);
	assert_says("\"freed_bytes\":0");
}
END_TEST

START_TEST(test_what_is_no_object)
{
	ck_assert_int_eq(post("/v1/evict", "{\"volume\":\"v\"}"), 400);
	ck_assert_int_eq(evict("none"), 200);
	ck_assert_int_eq(post("/v1/gc", "{\"dry_run\":\"yes\"}"), 400);
}
END_TEST

/* A cache file of which nobody knows the version, and one that is in use. */
START_TEST(test_collect)
{
	struct fake_origin *used = rig_serve("used", 1 * MIB), *old = rig_serve("old", 1 * MIB);
	struct emu_mount *mount = rig_mount(used);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	emu_populate(rig.emu, bytes_str(RIG_VOLUME), bytes_str("old"), &old->bytes, 0, 64 * KIB);
	ck_assert_int_eq(post("/v1/gc", "{\"dry_run\":true}"), 200);
	assert_says("\"culled\":1,");
	assert_says("\"cookie\":\"old\"");
	assert_says("\"why\":\"unknown\"");
	ck_assert_uint_eq(rig_present(old), 64 * KIB);
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"culled\":1,");
	ck_assert_uint_eq(rig_present(old), 0);
	ck_assert_uint_ge(rig_present(used), 64 * KIB);
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"culled\":0,");
	assert_says("\"objects\":[]");
}
END_TEST

/* The kernel alone knows who still uses it. */
START_TEST(test_collect_in_use)
{
	struct fake_origin *origin = rig_serve("blob", 1 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	ck_assert_int_eq(state_forget(rig.state, bytes_str(RIG_VOLUME), bytes_str("blob")), 0);
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"culled\":0,");
	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	rig_umount(mount);
}
END_TEST

static bool metric_is(const char *line)
{
	control_client_end(&answer);
	control_client_ask(control, rig.loop, "GET", "/metrics", NULL, &answer);
	return strstr(answer.body, line) != NULL;
}

START_TEST(test_metrics)
{
	struct fake_origin *origin = rig_serve("blob", 1 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	rig_umount(mount);
	ck_assert(metric_is("\ncachefilld_culled_objects_total 0\n"));
	ck_assert(!metric_is("\ncachefilld_cache_bytes 0\n"));
	ck_assert(!metric_is("\ncachefilld_disk_free_bytes 0\n"));
	ck_assert(metric_is("\ncachefilld_disk_full 0\n"));
	ck_assert_int_eq(evict("blob"), 200);
	ck_assert(metric_is("\ncachefilld_culled_objects_total 1\n"));
	ck_assert(!metric_is("\ncachefilld_culled_bytes_total 0\n"));
	ck_assert(metric_is("\ncachefilld_cache_bytes 0\n"));
}
END_TEST

/* ---- records of nothing ------------------------------------------------------------------- */

static void record(const char *volume, const char *cookie)
{
	const struct state_object o = { .size = 4096, .locator = "fake:x" };

	ck_assert_int_eq(state_put(rig.state, bytes_str(volume), bytes_str(cookie), &o), 0);
}

static bool is_on_record(const char *volume, const char *cookie)
{
	struct state_object o;

	return state_get(rig.state, bytes_str(volume), bytes_str(cookie), &o) == 0;
}

START_TEST(test_collect_records)
{
	struct fake_origin *origin = rig_serve("kept", 1 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	rig_umount(mount);
	record(RIG_VOLUME, "gone");
	record("erofs,other", "gone");
	record("erofs/no", "file"); /* can be the name of none */
	ck_assert_int_eq(post("/v1/gc", "{\"dry_run\":true}"), 200);
	assert_says("\"culled\":0,");
	assert_says("\"records\":3,");
	assert_says("\"why\":\"record\"");
	ck_assert(is_on_record("erofs,other", "gone"));
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"records\":3,");
	ck_assert(!is_on_record(RIG_VOLUME, "gone"));
	ck_assert(!is_on_record("erofs,other", "gone"));
	ck_assert(!is_on_record("erofs/no", "file"));
	ck_assert(is_on_record(RIG_VOLUME, "kept"));
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"records\":0,");
}
END_TEST

/* The file of a first use has no name yet, and who began it may have been another daemon. */
START_TEST(test_records_of_a_volume_in_use)
{
	struct emu_mount *mount = rig_mount(rig_serve("used", 1 * MIB));

	record(RIG_VOLUME, "blob");
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"records\":0,");
	ck_assert(is_on_record(RIG_VOLUME, "blob"));
	rig_umount(mount);
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"records\":1,");
}
END_TEST

/* An open that is under way has its record before its file. */
START_TEST(test_record_of_what_is_being_opened)
{
	struct fake_origin *origin = rig_serve("blob", 1 * MIB);
	struct emu_mount *mount;

	record(RIG_VOLUME, "blob");
	origin->look_stalls = true;
	mount = rig_open(origin);
	rig_wait(origin->looks == 1);
	ck_assert_int_eq(post("/v1/gc", NULL), 200);
	assert_says("\"records\":0,");
	ck_assert(is_on_record(RIG_VOLUME, "blob"));
	fake_unstall(rig.fake, origin);
	rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	rig_umount(mount);
}
END_TEST

/* A client that waits for a pass that has begun. */
static int begin_collection(void)
{
	static const char request[] = "POST /v1/gc HTTP/1.1\r\nHost: d\r\n"
				      "Content-Length: 0\r\n\r\n";
	int fd = control_client_connect(control, rig.loop);

	rig_wait(!space_stats(rig.space).busy); /* that of the start */
	control_client_send(fd, request, strlen(request));
	rig_wait(space_stats(rig.space).busy);
	return fd;
}

/* Who waits is told, and nothing of it stays. */
START_TEST(test_stopped_meanwhile)
{
	int fd = begin_collection();

	space_stop(rig.space);
	control_client_receive(fd, rig.loop, &answer);
	ck_assert_int_eq(answer.status, 503);
	assert_says("stopping");
	close(fd);
}
END_TEST

START_TEST(test_ended_meanwhile)
{
	int fd = begin_collection();

	control = control_free(control);
	close(fd);
	rig_wait(!space_stats(rig.space).busy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control-space");
	TCase *tc = tcase_create("space");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_evict);
	tcase_add_test(tc, test_what_is_no_object);
	tcase_add_test(tc, test_collect);
	tcase_add_test(tc, test_collect_in_use);
	tcase_add_test(tc, test_metrics);
	tcase_add_test(tc, test_collect_records);
	tcase_add_test(tc, test_records_of_a_volume_in_use);
	tcase_add_test(tc, test_record_of_what_is_being_opened);
	suite_add_tcase(suite, tc);
	tc = tcase_create("meanwhile");
	tcase_add_checked_fixture(tc, setup_thread, teardown);
	tcase_add_test(tc, test_stopped_meanwhile);
	tcase_add_test(tc, test_ended_meanwhile);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
