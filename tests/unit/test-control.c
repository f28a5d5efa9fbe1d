/* SPDX-License-Identifier: MIT */
/*
 * The routes of the control socket against an engine on the emulated kernel: what is said, and what
 * is refused how.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/util/log.h"
#include "tests/lib/control-client.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"

static struct control *control;
static struct client_answer answer;
static struct control_trace trace;

static int fake_trace_start(void *arg, const char *path, char *error)
{
	if (!path)
		return -ENOENT;
	if (strcmp(path, "/refused") == 0) {
		strcpy(error, "/refused: Permission denied");
		return -EACCES;
	}
	if (trace.recording)
		return -EALREADY;
	trace = (struct control_trace){ .recording = true, .path = "/t.1", .records = 3 };
	return 0;
}

static void fake_trace_stop(void *arg)
{
	trace.recording = false;
}

static void fake_trace(void *arg, struct control_trace *ret)
{
	*ret = trace;
}

static int reload_verdict;
static unsigned int reloads;

static int fake_reload_check(void *arg, struct control_reload *ret,
			     void (*visit)(void *to, const char *key), void *to, char *error)
{
	strcpy(error, "F:3: bad");
	if (reload_verdict < 0)
		return reload_verdict;
	*ret = (struct control_reload){ .sources = 2, .socket = "/new.sock" };
	visit(to, "tag");
	return 0;
}

static void fake_reload(void *arg)
{
	ck_assert_int_eq(reload_verdict, 0);
	reloads++;
}

static const struct control_ops ops = {
	.trace_start = fake_trace_start,
	.trace_stop = fake_trace_stop,
	.trace = fake_trace,
	.reload_check = fake_reload_check,
	.reload = fake_reload,
};

static void begin(void)
{
	struct control_config config = { .cache_dir = "/cache",
					 .state_dir = "/state",
					 .ops = &ops };

	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	ck_assert_int_eq(control_new(&control, &config), 0);
}

static void end(void)
{
	control_client_end(&answer);
	control = control_free(control);
	rig_end();
}

static void setup(void)
{
	rig_setup();
	trace = (struct control_trace){ 0 };
	begin();
}

static void ask(const char *method, const char *uri, const char *body)
{
	control_client_end(&answer);
	control_client_ask(control, rig.loop, method, uri, body, &answer);
}

static json_t *get(const char *uri)
{
	ask("GET", uri, NULL);
	ck_assert_msg(answer.status == 200, "%s: %d %s", uri, answer.status, answer.body);
	ck_assert_ptr_nonnull(answer.json);
	return answer.json;
}

/* It is refused as JSON that says what is wrong, and what to do. */
static void refused(const char *method, const char *uri, const char *body, int status,
		    const char *says)
{
	json_t *error;

	ask(method, uri, body);
	ck_assert_msg(answer.status == status, "%s: %d %s", uri, answer.status, answer.body);
	ck_assert_ptr_nonnull(strstr(answer.head, "application/json"));
	error = json_object_get(answer.json, "error");
	ck_assert_msg(error && strstr(json_string_value(error), says), "%s", answer.body);
	ck_assert(json_is_string(json_object_get(answer.json, "hint")));
	ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "status")), status);
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

/* ---- what there is ------------------------------------------------------------------------ */

START_TEST(every_route_is_listed)
{
	json_t *routes = json_object_get(get("/v1"), "routes");

	ck_assert_uint_ge(json_array_size(routes), 16);
	ck_assert_str_eq(text(json_array_get(routes, 0), "path"), "/v1");
}
END_TEST

START_TEST(status_counts_what_was_served)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", MIB));
	json_t *status, *counters;

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	status = get("/v1/status");
	ck_assert_str_eq(text(status, "cache_dir"), "/cache");
	counters = json_object_get(status, "counters");
	ck_assert_int_eq(number(counters, "opens"), 1);
	ck_assert_int_ge(number(counters, "reads"), 0);
	ck_assert_int_eq(number(json_object_get(status, "now"), "objects"), 1);
	ck_assert_int_eq(number(json_object_get(status, "now"), "reads"), 0);
	ck_assert_int_gt(number(json_object_get(status, "process"), "resident_bytes"), 0);
	rig_umount(mount);
}
END_TEST

START_TEST(an_object_is_found_by_number_and_by_name)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", MIB));
	json_t *object = get("/v1/objects/1");

	ck_assert_str_eq(text(object, "cookie"), "blob");
	ck_assert_str_eq(text(object, "volume"), RIG_VOLUME);
	ck_assert_int_eq(number(object, "size"), MIB);
	ck_assert_int_eq(number(object, "opens"), 1);
	ck_assert_str_eq(text(object, "source"), "fake");
	ck_assert_int_eq(number(get("/v1/objects?volume=erofs,v&cookie=b%6Cob"), "object"), 1);
	rig_umount(mount);
	refused("GET", "/v1/objects/1", NULL, 404, "no such object");
	refused("GET", "/v1/objects?volume=erofs,v&cookie=blob", NULL, 404, "no such object");
}
END_TEST

START_TEST(a_name_may_hold_any_bytes)
{
	static const char cookie[] = "a\\b \xff";
	const struct fake_origin *origin = rig_serve("a%5Cb%20%FF", MIB);
	struct emu_mount *mount = emu_open(rig.emu, RIG_VOLUME, cookie, &origin->bytes);
	json_t *object;

	rig_wait(emu_mount_state(mount) == EMU_MOUNT_OPEN);
	object = get("/v1/objects?volume=erofs,v&cookie=a%5Cx5cb%5Cx20%5Cxff");
	ck_assert_str_eq(text(object, "cookie"), "a\\x5cb\\x20\\xff");
	ck_assert_str_eq(text(object, "cookie_hex"), "615c6220ff");
	rig_umount(mount);
}
END_TEST

START_TEST(objects_come_in_pages)
{
	struct emu_mount *mounts[5];
	json_t *page;
	char name[16];

	for (unsigned int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "blob%u", i);
		mounts[i] = rig_mount(rig_serve(name, MIB));
	}
	page = get("/v1/objects?limit=2");
	ck_assert_uint_eq(json_array_size(json_object_get(page, "objects")), 2);
	ck_assert_int_eq(number(page, "next"), 2);
	page = get("/v1/objects?limit=2&after=2");
	ck_assert_int_eq(number(json_array_get(json_object_get(page, "objects"), 0), "object"), 3);
	page = get("/v1/objects?limit=2&after=4");
	ck_assert_uint_eq(json_array_size(json_object_get(page, "objects")), 1);
	ck_assert_ptr_null(json_object_get(page, "next"));
	for (unsigned int i = 0; i < 5; i++)
		rig_umount(mounts[i]);
}
END_TEST

START_TEST(a_failure_is_told_of_its_object)
{
	struct fake_origin *origin = rig_serve("blob", 4 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	json_t *failure;

	origin->fail_always = true;
	origin->read_error = -EIO;
	ck_assert_int_ne(rig_read(mount, 2 * MIB, 4 * KIB), 0);
	failure = json_object_get(get("/v1/objects/1"), "last_failure");
	ck_assert_str_eq(text(failure, "error"), strerror(EIO));
	ck_assert_ptr_nonnull(strstr(text(failure, "what"), "cannot fill"));
	rig_umount(mount);
}
END_TEST

START_TEST(flights_are_seen_while_they_fly)
{
	struct fake_origin *origin = rig_serve("blob", 4 * MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *reader;
	json_t *flight, *origins;

	origin->stall_always = true;
	reader = emu_read(mount, 2 * MIB, 4 * KIB);
	rig_run(MS);
	flight = json_array_get(json_object_get(get("/v1/flights"), "flights"), 0);
	ck_assert_str_eq(text(flight, "state"), "fetching");
	ck_assert_str_eq(text(flight, "class"), "demand");
	ck_assert_int_eq(number(flight, "reads"), 1);
	origins = json_object_get(get("/v1/origins"), "origins");
	ck_assert_int_eq(number(json_array_get(origins, 0), "requests"), 1);
	ck_assert_str_eq(text(json_array_get(origins, 0), "name"), "fake");
	origin->stall_always = false;
	fake_unstall(rig.fake, origin);
	ck_assert_int_eq(rig_finish(reader), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(get("/v1/flights"), "flights")), 0);
	rig_umount(mount);
}
END_TEST

/* ---- names -------------------------------------------------------------------------------- */

START_TEST(things_are_asked_for_their_names)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", MIB));
	json_t *object = get("/v1/objects/1"), *found;
	char uri[64];

	snprintf(uri, sizeof(uri), "/v1/names?id=%d", (int)number(object, "id"));
	found = get(uri);
	ck_assert_int_eq(number(found, "found"), 1);
	ck_assert_str_eq(text(json_array_get(json_object_get(found, "names"), 0), "cookie"),
			 "blob");
	ck_assert_int_eq(number(get("/v1/names?image=blob"), "found"), 1);
	ck_assert_int_eq(number(get("/v1/names?validator=nobody"), "found"), 0);
	refused("GET", "/v1/names", NULL, 400, "one of id, validator and image");
	refused("GET", "/v1/names?id=1&image=b", NULL, 400, "one of id, validator and image");
	refused("GET", "/v1/names?id=-1", NULL, 400, "id needs a number");
	rig_umount(mount);
}
END_TEST

START_TEST(a_purge_forgets_names)
{
	rig_umount(rig_mount(rig_serve("blob", MIB)));
	ask("POST", "/v1/purge", "{\"volume\": \"erofs,v\", \"cookie\": \"blob\"}");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_int_eq(number(answer.json, "forgotten"), 1);
	ask("POST", "/v1/purge", "{\"volume\": \"erofs,v\"}");
	ck_assert_int_eq(number(answer.json, "forgotten"), 0);
	refused("POST", "/v1/purge", NULL, 400, "\"volume\" is missing");
	refused("POST", "/v1/purge", "{\"volume\": 1}", 400, "has to be a text");
	refused("POST", "/v1/purge", "{\"volume\": \"a b\"}", 400, "no key");
}
END_TEST

/* ---- settings ----------------------------------------------------------------------------- */

START_TEST(the_log_level_is_changed)
{
	ask("PUT", "/v1/log-level", "{\"level\": \"error\"}");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_int_eq(log_level(), LOG_ERR);
	ck_assert_str_eq(text(get("/v1/log-level"), "level"), "error");
	refused("PUT", "/v1/log-level", "{\"level\": \"loud\"}", 400, "no such log level");
	refused("PUT", "/v1/log-level", "{}", 400, "\"level\" is missing");
}
END_TEST

START_TEST(a_recording_is_started_and_stopped)
{
	ck_assert(json_is_false(json_object_get(get("/v1/trace"), "recording")));
	refused("POST", "/v1/trace/stop", NULL, 409, "nothing is recorded");
	refused("POST", "/v1/trace/start", NULL, 400, "not known where");
	refused("POST", "/v1/trace/start", "{\"path\": \"t\"}", 400, "not absolute");
	refused("POST", "/v1/trace/start", "{\"path\": \"/refused\"}", 400, "Permission denied");
	ask("POST", "/v1/trace/start", "{\"path\": \"/t\"}");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(text(answer.json, "path"), "/t.1");
	refused("POST", "/v1/trace/start", "{\"path\": \"/t\"}", 409, "under way");
	ask("POST", "/v1/trace/stop", NULL);
	ck_assert(json_is_false(json_object_get(answer.json, "recording")));
}
END_TEST

START_TEST(a_good_configuration_is_reloaded_after_the_answer)
{
	json_t *later;

	reload_verdict = 0;
	reloads = 0;
	ask("POST", "/v1/reload", NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_uint_eq(number(answer.json, "sources"), 2);
	ck_assert_str_eq(text(answer.json, "control_socket"), "/new.sock");
	later = json_object_get(answer.json, "restart");
	ck_assert_uint_eq(json_array_size(later), 1);
	ck_assert_str_eq(json_string_value(json_array_get(later, 0)), "tag");
	ck_assert_uint_eq(reloads, 1);
	ask("GET", "/v1/status", NULL);
	ck_assert_uint_eq(reloads, 1);
}
END_TEST

START_TEST(a_bad_configuration_is_refused)
{
	reloads = 0;
	reload_verdict = -EINVAL;
	refused("POST", "/v1/reload", NULL, 422, "F:3: bad");
	reload_verdict = -EBUSY;
	refused("POST", "/v1/reload", NULL, 409, "F:3: bad");
	reload_verdict = -EACCES;
	refused("POST", "/v1/reload", NULL, 500, "F:3: bad");
	reload_verdict = -EOPNOTSUPP;
	refused("POST", "/v1/reload", NULL, 501, "F:3: bad");
	ck_assert_uint_eq(reloads, 0);
}
END_TEST

/* ---- bad requests ------------------------------------------------------------------------- */

START_TEST(what_is_asked_wrongly_is_refused)
{
	refused("GET", "/", NULL, 404, "there is no /");
	refused("GET", "/v2/status", NULL, 404, "there is no");
	refused("GET", "/v1/objects/1/x", NULL, 404, "there is no");
	refused("GET", "/v1/objects/x", NULL, 400, "numbers from 1");
	refused("GET", "/v1/objects/0", NULL, 400, "numbers from 1");
	refused("GET", "/v1/objects?color=red", NULL, 400, "parameter \"color\"");
	refused("GET", "/v1/objects?limit=0", NULL, 400, "limit needs");
	refused("GET", "/v1/objects?limit=1&limit=2", NULL, 400, "twice");
	refused("GET", "/v1/objects?volume=a", NULL, 400, "one name");
	refused("GET", "/v1/%zz", NULL, 400, "hexadecimal");
	refused("GET", "/v1/%00", NULL, 400, "zero");
	refused("GET", "status", NULL, 400, "slash");
	refused("POST", "/v1/status", "{}", 405, "GET alone");
	ck_assert_ptr_nonnull(strstr(answer.head, "Allow: GET\r\n"));
	refused("DELETE", "/v1/log-level", NULL, 405, "GET, PUT");
}
END_TEST

START_TEST(a_bad_body_is_refused)
{
	char *big = malloc(32 << 10);

	refused("POST", "/v1/purge", "{", 400, "no JSON");
	refused("POST", "/v1/purge", "[]", 400, "no JSON object");
	refused("POST", "/v1/purge", "{\"volume\": \"a\", \"volume\": \"b\"}", 400, "no JSON");
	refused("POST", "/v1/purge", "{\"volume\": \"a\", \"force\": true}", 400, "\"force\"");
	refused("POST", "/v1/purge", "\xff", 400, "no JSON");
	memset(big, ' ', (32 << 10) - 1);
	big[(32 << 10) - 1] = '\0';
	refused("POST", "/v1/purge", big, 413, "longer than");
	free(big);
}
END_TEST

/* ---- metrics ------------------------------------------------------------------------------ */

START_TEST(metrics_have_both_forms)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", MIB));
	static const char open_metrics[] =
		"GET /metrics HTTP/1.1\r\nHost: c\r\n"
		"Accept: application/openmetrics-text; version=1.0.0\r\n\r\n";
	int fd;

	ck_assert_int_eq(rig_read(mount, 512 * KIB, 4 * KIB), 0);
	ask("GET", "/metrics", NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_ptr_nonnull(strstr(answer.head, "text/plain; version=0.0.4"));
	ck_assert_ptr_nonnull(
		strstr(answer.body, "\ncachefilld_requests_total{op=\"open\",result=\"ok\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(answer.body, "# TYPE cachefilld_requests_total counter\n"));
	ck_assert_ptr_nonnull(strstr(answer.body,
				     "cachefilld_origin_request_duration_seconds_bucket{source="
				     "\"fake\",op=\"fetch\",le=\"+Inf\"} 1\n"));

	control_client_end(&answer);
	fd = control_client_connect(control, rig.loop);
	control_client_send(fd, open_metrics, sizeof(open_metrics) - 1);
	control_client_receive(fd, rig.loop, &answer);
	close(fd);
	ck_assert_ptr_nonnull(strstr(answer.head, "application/openmetrics-text"));
	ck_assert_ptr_nonnull(strstr(answer.body, "# TYPE cachefilld_requests counter\n"));
	ck_assert_str_eq(answer.body + answer.len - 6, "# EOF\n");
	rig_umount(mount);
}
END_TEST

/* Whoever asks for a rate sees the first failure only if there was a 0 before. */
START_TEST(metrics_are_there_before_they_count)
{
	ask("GET", "/metrics", NULL);
	ck_assert_ptr_nonnull(strstr(
		answer.body, "\ncachefilld_requests_total{op=\"read\",result=\"timeout\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(answer.body,
				     "\ncachefilld_origin_requests_total{source=\"fake\",op="
				     "\"fetch\",result=\"error\"} 0\n"));
	ck_assert_ptr_nonnull(
		strstr(answer.body, "\ncachefilld_stores_total{result=\"no_space\"} 0\n"));
	ck_assert_ptr_nonnull(
		strstr(answer.body, "\ncachefilld_oldest_request_age_seconds 0.000\n"));
}
END_TEST

START_TEST(metrics_tell_how_long_somebody_waits)
{
	struct fake_origin *origin = rig_serve("blob", MIB);
	struct emu_mount *mount = rig_mount(origin);
	struct emu_reader *readers[2];

	origin->stall_always = true;
	readers[0] = emu_read(mount, 512 * KIB, 4 * KIB);
	rig_run(3 * SEC);
	readers[1] = emu_read(mount, 768 * KIB, 4 * KIB);
	rig_run(4 * SEC);
	ask("GET", "/metrics", NULL);
	ck_assert_ptr_nonnull(
		strstr(answer.body, "\ncachefilld_oldest_request_age_seconds 7.000\n"));
	origin->stall_always = false;
	fake_unstall(rig.fake, origin);
	ck_assert_int_eq(rig_finish(readers[0]), 0);
	ck_assert_int_eq(rig_finish(readers[1]), 0);
	rig_umount(mount);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *what = tcase_create("what there is"), *change = tcase_create("what is changed");
	TCase *bad = tcase_create("bad requests");

	tcase_add_checked_fixture(what, setup, end);
	tcase_add_test(what, every_route_is_listed);
	tcase_add_test(what, status_counts_what_was_served);
	tcase_add_test(what, an_object_is_found_by_number_and_by_name);
	tcase_add_test(what, a_name_may_hold_any_bytes);
	tcase_add_test(what, objects_come_in_pages);
	tcase_add_test(what, a_failure_is_told_of_its_object);
	tcase_add_test(what, flights_are_seen_while_they_fly);
	tcase_add_test(what, things_are_asked_for_their_names);
	tcase_add_test(what, metrics_have_both_forms);
	tcase_add_test(what, metrics_are_there_before_they_count);
	tcase_add_test(what, metrics_tell_how_long_somebody_waits);
	suite_add_tcase(suite, what);
	tcase_add_checked_fixture(change, setup, end);
	tcase_add_test(change, a_purge_forgets_names);
	tcase_add_test(change, the_log_level_is_changed);
	tcase_add_test(change, a_recording_is_started_and_stopped);
	tcase_add_test(change, a_good_configuration_is_reloaded_after_the_answer);
	tcase_add_test(change, a_bad_configuration_is_refused);
	suite_add_tcase(suite, change);
	tcase_add_checked_fixture(bad, setup, end);
	tcase_add_test(bad, what_is_asked_wrongly_is_refused);
	tcase_add_test(bad, a_bad_body_is_refused);
	suite_add_tcase(suite, bad);
	return run_suite(suite);
}
