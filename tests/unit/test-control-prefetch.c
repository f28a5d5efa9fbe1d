/* SPDX-License-Identifier: MIT */
/*
 * Jobs that prefetch, over the control socket.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/control.h"
#include "tests/lib/control-client.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/prefetch-fixture.h"

static struct control *control;
static struct client_answer answer;

static void setup(void)
{
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };

	rig_setup();
	jobs_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	config.prefetch = jobs.prefetch;
	ck_assert_int_eq(control_new(&control, &config), 0);
}

static void teardown(void)
{
	control_client_end(&answer);
	control = control_free(control);
	jobs_end();
}

static int ask(const char *method, const char *uri, const char *body)
{
	control_client_end(&answer);
	control_client_ask(control, rig.loop, method, uri, body, &answer);
	return answer.status;
}

static json_int_t number(const char *name)
{
	const json_t *value = json_object_get(answer.json, name);

	ck_assert_msg(json_is_integer(value), "%s is no number in %s", name, answer.body);
	return json_integer_value(value);
}

static const char *text(const char *name)
{
	const json_t *value = json_object_get(answer.json, name);

	ck_assert_msg(json_is_string(value), "%s is no text in %s", name, answer.body);
	return json_string_value(value);
}

/* It is refused with a sentence that has `says` in it, and no job has come of it. */
static void refused(const char *body, int status, const char *says)
{
	ck_assert_msg(ask("POST", "/v1/prefetch", body) == status, "%s: %s", body, answer.body);
	ck_assert_msg(strstr(text("error"), says), "%s: %s", body, answer.body);
	ck_assert_int_eq(ask("GET", "/v1/prefetch", NULL), 200);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "jobs")), 0);
}

#define BLOB "\"volume\": \"" RIG_VOLUME "\", \"cookie\": \"blob\""

START_TEST(a_job_is_begun_and_seen)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	origin->stall_at = 3 * MIB; /* within the third fetch */
	ck_assert_int_eq(ask("POST", "/v1/prefetch",
			     "{\"name\": \"an image\", \"requests\": 1, \"rate\": 100000000, "
			     "\"objects\": [{" BLOB "}]}"),
			 200);
	ck_assert_int_eq(number("job"), 1);
	ck_assert_int_eq(number("unopened"), 0);
	rig_run(SEC);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/1", NULL), 200);
	ck_assert_str_eq(text("name"), "an image");
	ck_assert_str_eq(text("state"), "running");
	ck_assert(json_is_false(json_object_get(answer.json, "ended")));
	ck_assert_int_eq(number("running"), 1);
	ck_assert_int_eq(number("bytes"), 8 * MIB);
	ck_assert_int_eq(number("done_bytes"), JOBS_HEAD + 2 * MIB);
	ck_assert_int_eq(number("fetched_bytes"), 2 * MIB);
	ck_assert_int_eq(ask("GET", "/v1/flights", NULL), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "\"class\":\"prefetch\""));
	origin->stall_at = FAKE_NOWHERE;
	fake_unstall(rig.fake, origin);
	rig_run(SEC);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/1", NULL), 200);
	ck_assert_str_eq(text("state"), "done");
	ck_assert(json_is_true(json_object_get(answer.json, "ended")));
	ck_assert_int_eq(number("done_bytes"), 8 * MIB);
	jobs_assert_whole(origin);
	ck_assert_int_eq(ask("GET", "/metrics", NULL), 200);
	ck_assert_ptr_nonnull(
		strstr(answer.body, "cachefilld_prefetch_jobs_total{result=\"done\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(
		answer.body, "fetched_bytes_total{source=\"fake\",class=\"prefetch\"} 8376320\n"));
	ck_assert_ptr_nonnull(strstr(
		answer.body, "stored_bytes_total{source=\"fake\",class=\"prefetch\"} 8376320\n"));
	rig_umount(mount);
}
END_TEST

START_TEST(ranges_come_in_pages)
{
	struct fake_origin *origin = rig_serve("blob", 8 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(ask("POST", "/v1/prefetch",
			     "{\"more\": true, \"plan\": true, \"objects\": [{" BLOB
			     ", \"ranges\": [1048576, 4096, 4194304, 1]}]}"),
			 200);
	rig_run(SEC);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/1", NULL), 200);
	ck_assert_str_eq(text("state"), "running");
	ck_assert_int_eq(number("ranges"), 2);
	ck_assert_int_eq(ask("POST", "/v1/prefetch",
			     "{\"job\": 1, \"objects\": [{" BLOB ", \"ranges\": [0, 4096]}, {" BLOB
			     ", \"ranges\": [2097152, 4096]}]}"),
			 200);
	rig_run(SEC);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/1", NULL), 200);
	ck_assert_str_eq(text("state"), "done");
	ck_assert_int_eq(number("ranges"), 4);
	ck_assert_uint_eq(rig_present(origin), JOBS_HEAD + 3 * 4 * KIB);
	ck_assert_int_eq(ask("POST", "/v1/prefetch", "{\"job\": 1, \"objects\": [{" BLOB "}]}"),
			 409);
	ck_assert_int_eq(ask("POST", "/v1/prefetch", "{\"job\": 2, \"objects\": [{" BLOB "}]}"),
			 404);
	rig_umount(mount);
}
END_TEST

/* Whoever has promised more is not waited for without end. */
START_TEST(more_that_does_not_come_is_given_up)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", MIB));

	ck_assert_int_eq(ask("POST", "/v1/prefetch", "{\"more\": true, \"objects\": [{" BLOB "}]}"),
			 200);
	rig_run(5 * SEC);
	ck_assert_int_eq(jobs_state(1), PREFETCH_RUNNING);
	rig_run(6 * SEC);
	ck_assert_int_eq(jobs_state(1), PREFETCH_DONE);
	rig_umount(mount);
}
END_TEST

START_TEST(a_job_is_canceled)
{
	ck_assert_int_eq(ask("POST", "/v1/prefetch", "{\"objects\": [{" BLOB "}]}"), 200);
	ck_assert_int_eq(number("unopened"), 1);
	rig_run(MS);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/1", NULL), 200);
	ck_assert_str_eq(text("state"), "waiting");
	ck_assert_ptr_null(json_object_get(answer.json, "bytes"));
	ck_assert_int_eq(ask("POST", "/v1/prefetch/cancel", "{\"job\": 1}"), 200);
	ck_assert_int_eq(ask("GET", "/v1/prefetch", NULL), 200);
	ck_assert_ptr_nonnull(strstr(answer.body, "\"state\":\"canceled\""));
	ck_assert_int_eq(ask("POST", "/v1/prefetch/cancel", "{\"job\": 1}"), 409);
	ck_assert_int_eq(ask("POST", "/v1/prefetch/cancel", "{\"job\": 2}"), 404);
	ck_assert_int_eq(ask("POST", "/v1/prefetch/cancel", "{}"), 404);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/2", NULL), 404);
	ck_assert_int_eq(ask("GET", "/v1/prefetch/x", NULL), 400);
}
END_TEST

START_TEST(what_is_wrong_begins_nothing)
{
	refused("{}", 400, "\"objects\" is missing");
	refused("{\"objects\": []}", 400, "\"objects\" is missing");
	refused("{\"objects\": [{" BLOB "}, {\"volume\": \"v\"}]}", 400,
		"\"volume\" and \"cookie\"");
	refused("{\"objects\": [{\"volume\": \"v\", \"cookie\": 1}]}", 400, "\"cookie\"");
	refused("{\"objects\": [{" BLOB ", \"ranges\": []}]}", 400, "no range");
	refused("{\"objects\": [{" BLOB ", \"ranges\": [0]}]}", 400, "no range");
	refused("{\"objects\": [{" BLOB ", \"ranges\": [0, 0]}]}", 400, "no range");
	refused("{\"objects\": [{" BLOB ", \"ranges\": [-1, 1]}]}", 400, "no range");
	refused("{\"objects\": [{" BLOB ", \"ranges\": \"all\"}]}", 400, "no range");
	refused("{\"requests\": 0, \"objects\": [{" BLOB "}]}", 400, "\"requests\" has to be");
	refused("{\"requests\": 17, \"objects\": [{" BLOB "}]}", 400, "\"requests\" has to be");
	refused("{\"rate\": \"1M\", \"objects\": [{" BLOB "}]}", 400, "\"rate\" has to be");
	refused("{\"plan\": 1, \"objects\": [{" BLOB "}]}", 400, "true or false");
	refused("{\"force\": true, \"objects\": [{" BLOB "}]}", 400, "\"force\"");
	ck_assert_int_eq(ask("DELETE", "/v1/prefetch", NULL), 405);
	ck_assert_ptr_nonnull(strstr(answer.head, "Allow: GET, POST\r\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control prefetch");
	TCase *jobs_case = tcase_create("jobs");

	tcase_add_checked_fixture(jobs_case, setup, teardown);
	tcase_add_test(jobs_case, a_job_is_begun_and_seen);
	tcase_add_test(jobs_case, ranges_come_in_pages);
	tcase_add_test(jobs_case, more_that_does_not_come_is_given_up);
	tcase_add_test(jobs_case, a_job_is_canceled);
	tcase_add_test(jobs_case, what_is_wrong_begins_nothing);
	suite_add_tcase(suite, jobs_case);
	return run_suite(suite);
}
