/* SPDX-License-Identifier: MIT */
/*
 * The commands that ask a daemon, against the engine and its real control socket in another
 * process; below it is the emulated kernel.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/util/log.h"
#include "tests/ctl/ctl.h"
#include "tests/lib/run-suite.h"
#undef MS /* it is the same one */
#include "tests/lib/rig.h"

/* ---- the daemon ---------------------------------------------------------------------------- */

static struct control_trace trace;

static int trace_start(void *arg, const char *path, char *error)
{
	if (trace.recording)
		return -EALREADY;
	trace.recording = true;
	trace.path = strdup(path ? path : "/configured");
	return 0;
}

static void trace_stop(void *arg)
{
	trace.recording = false;
}

static void trace_look(void *arg, struct control_trace *ret)
{
	*ret = trace;
}

static void each_health(void *arg,
			void (*visit)(void *to, uint32_t source, const struct fetch_health *health),
			void *to)
{
	struct fetch_health health = {
		.name = "https://h/",
		.state = HEALTH_AVOIDED_NOW,
		.avoided_until = loop_now(rig.loop) + 3600 * SEC,
		.requests = 9,
		.failed = 4,
		.last_err = -EAGAIN,
		.failed_at = loop_now(rig.loop),
		.last_error = "https://h/: status 503",
	};

	visit(to, 0, &health);
}

static bool reloaded;

/* Good once; nobody goes on, so that nobody is to be waited for. */
static int reload_check(void *arg, struct control_reload *ret,
			void (*visit)(void *to, const char *key), void *to, char *error)
{
	strcpy(error, "conf:3: bad");
	if (reloaded)
		return -EINVAL;
	*ret = (struct control_reload){ .sources = 2, .socket = "none" };
	visit(to, "tag");
	return 0;
}

static void reload(void *arg)
{
	reloaded = true;
}

static const struct control_ops ops = { .trace_start = trace_start,
					.trace_stop = trace_stop,
					.trace = trace_look,
					.each_health = each_health,
					.reload_check = reload_check,
					.reload = reload };

/* One object is open, and a read of it has failed; one is not there. */
static void make_something(void)
{
	struct fake_origin *origin = rig_serve("blob", 4 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	origin->fail_always = true;
	origin->read_error = -EIO;
	ck_assert_int_ne(rig_read(mount, 2 * MIB, 4 * KIB), 0);
}

static _Noreturn void serve(int ready)
{
	struct control_config config = { .cache_dir = "/cache",
					 .state_dir = "/state",
					 .ops = &ops };
	struct control *control;
	char error[CONTROL_ERROR_MAX];

	rig_setup();
	rig.backend = LOOP_POLL;
	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	ck_assert_int_eq(control_new(&control, &config), 0);
	make_something();
	ck_assert_int_eq(control_listen(control, "sock", "root", error), 0);
	close(ready); /* all is there */
	loop_run(rig.loop);
	_exit(0);
}

static void enter(void)
{
	ctl_enter();
	ctl_daemon_begin(serve);
}

static void leave(void)
{
	ctl_daemon_end();
	ctl_leave();
}

#define ASK(...) RUN(__VA_ARGS__, "--socket", "sock")

static const struct ctl_result *good(const struct ctl_result *r)
{
	ctl_assert_ok(r);
	return r;
}

static void says(const struct ctl_result *r, const char *text)
{
	ck_assert_msg(strstr(r->out, text) != NULL, "no '%s' in:\n%s", text, r->out);
}

static void fails(const struct ctl_result *r, int status, const char *text)
{
	ck_assert_msg(r->status == status, "%d: %s", r->status, r->err);
	ck_assert_msg(strstr(r->err, text) != NULL, "no '%s' in:\n%s", text, r->err);
	ck_assert_str_eq(r->out, "");
}

static json_t *json_of(const struct ctl_result *r)
{
	json_t *value = json_loads(good(r)->out, 0, NULL);

	ck_assert_msg(value != NULL, "no JSON: %s", r->out);
	return value;
}

/* For people: on 80 columns. */
static void is_narrow(const struct ctl_result *r)
{
	for (const char *line = r->out; *line; line = strchr(line, '\n') + 1)
		ck_assert_msg(strcspn(line, "\n") <= 80, "%s", line);
}

/* ---- looking ------------------------------------------------------------------------------- */

START_TEST(status_is_told)
{
	const struct ctl_result *r = good(ASK("status"));
	json_t *status, *counters;

	says(r, "cache      /cache\n");
	says(r, "opens      1;");
	says(r, " failed; ");
	says(r, "verified   open now: 0 blocks, 0 whole, 0 pending, 1 no, 0 failed\n");
	is_narrow(r);
	status = json_of(ASK("status", "--json"));
	counters = json_object_get(status, "counters");
	ck_assert_int_ge(json_integer_value(json_object_get(counters, "reads_failed")), 1);
	json_decref(status);
}
END_TEST

START_TEST(objects_are_listed_and_shown)
{
	const struct ctl_result *r = good(ASK("objects"));

	says(r, "! erofs,v/blob\n");
	says(r, "% no  ");
	is_narrow(r);
	r = good(ASK("objects", "1"));
	says(r, "size       4 MiB, ");
	says(r, "cannot fill");
	says(good(ASK("objects", "erofs,v/blob")), "cookie     blob\n");
	json_decref(json_of(ASK("objects", "--json")));
	json_decref(json_of(ASK("objects", "--json", "1")));
	fails(ASK("objects", "7"), 1, "no such object is open");
	fails(ASK("objects", "blob"), 2, "neither a number nor");
}
END_TEST

START_TEST(origins_and_flights_are_listed)
{
	const struct ctl_result *r = good(ASK("origins"));

	says(r, "fetches");
	says(r, "looks     1, 0 failed");
	says(r, "place     https://h/: avoided for ");
	says(r, " more, 4 of 9 requests failed\n");
	says(r, " ago: https://h/: status 503: ");
	is_narrow(r);
	r = good(ASK("flights"));
	says(r, "STATE");
	is_narrow(r);
	json_decref(json_of(ASK("origins", "--json")));
	json_decref(json_of(ASK("flights", "--json")));
}
END_TEST

START_TEST(names_are_found)
{
	says(good(ASK("whois", "blob")), "erofs,v/blob\n");
	fails(ASK("whois", "nobody"), 1, "nothing that is open or remembered");
	json_decref(json_of(ASK("whois", "--json", "blob")));
	fails(ASK("whois"), 2, "one thing");
}
END_TEST

START_TEST(metrics_are_printed)
{
	json_t *samples;

	says(good(ASK("metrics")), "cachefilld_requests_total{op=\"open\",result=\"ok\"} 1\n");
	samples = json_of(ASK("metrics", "--json"));
	ck_assert(json_real_value(json_object_get(samples, "cachefilld_objects")) == 1);
	json_decref(samples);
}
END_TEST

START_TEST(top_prints_lines_where_there_is_no_terminal)
{
	const struct ctl_result *r = good(ASK("top", "--interval", "10ms", "--count", "3"));

	ck_assert_uint_eq(ctl_lines(r->out), 4);
	is_narrow(r);
	ck_assert_uint_eq(
		ctl_lines(good(ASK("top", "--json", "--interval", "10ms", "--count", "2"))->out),
		2);
	fails(ASK("top", "--interval", "soon"), 2, "--interval needs");
}
END_TEST

static const struct ctl_result *view(const char *name)
{
	const struct ctl_result *r =
		good(ASK("top", "--interval", "10ms", "--count", "2", "--view", name));

	is_narrow(r);
	ck_assert_ptr_null(strchr(r->out, '\033'));
	return r;
}

START_TEST(top_prints_views_where_there_is_no_terminal)
{
	json_t *slowest;

	says(view("images"), "\nerofs,v                         0       0 B");
	says(view("origins"), "\n! ");
	says(view("slowest"), "\n! read ");
	says(view("fetches"), "\nSTATE ");
	says(view("all"), "\n\n  SLOW ");
	slowest = json_of(
		ASK("top", "--json", "--interval", "10ms", "--count", "1", "--view", "slowest"));
	ck_assert(json_is_array(json_object_get(slowest, "slowest")));
	json_decref(slowest);
	fails(ASK("top", "--view", "nothing"), 2, "--view is all, images,");
}
END_TEST

START_TEST(top_draws_on_a_terminal)
{
	static const char *const words[] = { "top", "--interval", "10ms", "--count",
					     "2",   "--socket",	  "sock", NULL };

	unsetenv("NO_COLOR");
	ck_assert_int_eq(ctl_run_terminal(words)->status, 0);
}
END_TEST

START_TEST(top_listens_to_keys)
{
	static const char *const once[] = { "top", "--interval", "10ms", "--count",
					    "1",   "--socket",	 "sock", NULL };
	static const char *const for_ever[] = { "top", "--socket", "sock", NULL };
	const struct ctl_result *r;

	unsetenv("NO_COLOR");
	says(ctl_run_keys(once, "2x"), "[2 images]");
	says(ctl_run_keys(once, "2\t"), "[3 origins]");
	says(ctl_run_keys(once, "\t\t\t\t\t"), "[1 all]");
	ck_assert_int_eq(ctl_run_keys(for_ever, "q")->status, 0);
	r = ctl_run_terminal((const char *const[]){ "top", "--socket", "nowhere", NULL });
	ck_assert_int_eq(r->status, 3);
	ck_assert_ptr_nonnull(strstr(r->err, "cachefilld does not run"));
}
END_TEST

/* What the doctor says of the daemon: the rest is test-ctl-doctor's. */
START_TEST(the_doctor_asks_it)
{
	const char conf[] = "dir /nonexistent/cache\nstate-dir = /nonexistent/state\n";
	const struct ctl_result *r;

	file_write("conf", conf, sizeof(conf) - 1);
	r = ASK("doctor", "--config", "conf");
	ck_assert_int_eq(r->status, 1); /* for the cache directory */
	says(r, "ok    daemon         cachefilld ");
	says(r, "ok    daemon         no request waits\n");
	says(r, " limits         the daemon ");
	ctl_daemon_end();
	says(ASK("doctor", "--config", "conf"), "fail  daemon         sock: nobody listens there");
}
END_TEST

/* Nothing of it is known but by the daemon. */
START_TEST(it_is_asked_what_it_knows_of_an_object)
{
	const char conf[] = "dir /nonexistent/cache\nstate-dir = /nonexistent/state\n";
	const struct ctl_result *r;

	file_write("conf", conf, sizeof(conf) - 1);
	r = ASK("explain", "--config", "conf", "erofs,v/blob");
	ck_assert_int_eq(r->status, 1);
	says(r, "resolved    by nothing: no source");
	says(r, "remembered  4 MiB, ");
	says(r, "open        1 times; 0 reads wait");
	says(r, "failed      ");
	says(r, "recorded    no\n");
	says(ASK("explain", "--config", "conf", "erofs,v/other"), "remembered  no\n");
}
END_TEST

static void report_holds(const char *text, bool wanted)
{
	size_t len;
	uint8_t *bytes = file_read("r.tar", &len);

	ck_assert_msg((memmem(bytes, len, text, strlen(text)) != NULL) == wanted, "%s '%s'",
		      wanted ? "no" : "there is", text);
	free(bytes);
}

START_TEST(a_report_has_what_it_says)
{
	const char conf[] = "dir /nonexistent/cache\nstate-dir = /nonexistent/state\n";

	file_write("conf", conf, sizeof(conf) - 1);
	good(ASK("bugreport", "-o", "r.tar", "--config", "conf"));
	report_holds("erofs,v", true);
	unlink("r.tar");
	good(ASK("bugreport", "-o", "r.tar", "--anonymise", "--config", "conf"));
	report_holds("\"cached_bytes\":", true);
	report_holds("cachefilld_requests_total{op=\"open\",result=\"ok\"} 1\n", true);
	report_holds("source=\"name-", true);
	report_holds("\"volume\":\"name-", true);
	report_holds("erofs,v", false);
	report_holds("\"blob\"", false);
}
END_TEST

/* ---- changing ------------------------------------------------------------------------------ */

START_TEST(names_are_forgotten)
{
	says(good(ASK("purge", "erofs,v/blob")), "1 forgotten\n");
	says(good(ASK("purge", "erofs,v")), "0 forgotten\n");
	json_decref(json_of(ASK("purge", "--json", "erofs,v")));
	fails(ASK("purge"), 2, "one key");
}
END_TEST

START_TEST(the_log_level_is_changed)
{
	says(good(ASK("log-level", "debug")), "debug\n");
	says(good(ASK("log-level")), "debug\n");
	fails(ASK("log-level", "loud"), 1, "no such log level. It is one of error");
}
END_TEST

START_TEST(the_configuration_is_reloaded)
{
	const struct ctl_result *r = good(ASK("reload"));

	says(r, "reloaded: 2 sources\n");
	says(r, "tag: another value comes into force when the service is stopped");
	fails(ASK("reload"), 1, "conf:3: bad. Nothing has changed.");
	fails(ASK("reload", "now"), 2, "takes no arguments");
}
END_TEST

START_TEST(a_recording_is_begun_and_ended)
{
	char want[600], here[512];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(want, sizeof(want), "recording into %s/t\n", here);
	says(good(ASK("trace", "start", "t")), want);
	fails(ASK("trace", "start"), 1, "under way. Stop it first");
	says(good(ASK("trace", "stop")), "recorded into ");
	fails(ASK("trace", "stop"), 1, "nothing is recorded");
	says(good(ASK("trace", "start")), "recording into /configured\n");
}
END_TEST

/* ---- no daemon ----------------------------------------------------------------------------- */

START_TEST(a_daemon_that_is_not_there_is_no_riddle)
{
	fails(RUN("status", "--socket", "nowhere"), 3, "cachefilld does not run");
	ctl_daemon_end();
	fails(ASK("status"), 3, "nobody listens there");
	fails(ASK("events"), 3, "nobody listens there");
	fails(RUN("status", "--socket", "/tmp"), 3, "/tmp: ");
	file_write("file", "", 0);
	fails(RUN("status", "--socket", "file"), 3, "nobody listens there");
}
END_TEST

/* Something else listens there. */
START_TEST(what_is_no_daemon_is_no_riddle)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "other" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	pid = fork();
	if (pid == 0) {
		for (;;) {
			int client = accept(fd, NULL, NULL);
			char buf[4096];

			if (read(client, buf, sizeof(buf)) > 0)
				(void)!write(client, "220 hello\r\n", 11);
			close(client);
		}
	}
	fails(RUN("status", "--socket", "other"), 1, "does not answer");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commands that ask a daemon");
	TCase *look = tcase_create("looking"), *change = tcase_create("changing");

	tcase_add_checked_fixture(look, enter, leave);
	tcase_set_timeout(look, 60);
	tcase_add_test(look, status_is_told);
	tcase_add_test(look, objects_are_listed_and_shown);
	tcase_add_test(look, origins_and_flights_are_listed);
	tcase_add_test(look, names_are_found);
	tcase_add_test(look, metrics_are_printed);
	tcase_add_test(look, top_prints_lines_where_there_is_no_terminal);
	tcase_add_test(look, top_prints_views_where_there_is_no_terminal);
	tcase_add_test(look, top_draws_on_a_terminal);
	tcase_add_test(look, top_listens_to_keys);
	tcase_add_test(look, the_doctor_asks_it);
	tcase_add_test(look, a_report_has_what_it_says);
	tcase_add_test(look, it_is_asked_what_it_knows_of_an_object);
	tcase_add_test(look, a_daemon_that_is_not_there_is_no_riddle);
	tcase_add_test(look, what_is_no_daemon_is_no_riddle);
	suite_add_tcase(suite, look);
	tcase_add_checked_fixture(change, enter, leave);
	tcase_set_timeout(change, 60);
	tcase_add_test(change, names_are_forgotten);
	tcase_add_test(change, the_log_level_is_changed);
	tcase_add_test(change, the_configuration_is_reloaded);
	tcase_add_test(change, a_recording_is_begun_and_ended);
	suite_add_tcase(suite, change);
	return run_suite(suite);
}
