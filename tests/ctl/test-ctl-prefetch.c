/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl prefetch and warm, against the engine, its jobs and its real control socket in
 * another process; below it is the emulated kernel.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/prefetch/prefetch.h"
#include "tests/ctl/ctl.h"
#include "tests/lib/run-suite.h"
#undef MS /* it is the same one */
#include "tests/lib/rig.h"

/* ---- the daemon ---------------------------------------------------------------------------- */

/* One object is open, whose first 128 KiB came with the look. */
static _Noreturn void serve(int ready)
{
	struct prefetch_config jobs = { .dir = NULL };
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };
	struct control *control;
	char error[CONTROL_ERROR_MAX];

	rig_setup();
	rig.backend = LOOP_POLL;
	rig_begin();
	jobs.loop = config.loop = rig.loop;
	jobs.engine = config.engine = rig.engine;
	ck_assert_int_eq(prefetch_new(&config.prefetch, &jobs), 0);
	ck_assert_int_eq(control_new(&control, &config), 0);
	rig_mount(rig_serve("blob", 4 * MIB));
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

#define PLACE	      "--state-dir", "state", "--socket", "sock"
#define PREFETCH(...) RUN("prefetch", __VA_ARGS__, PLACE)

static void says(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "no '%s' in:\n%s", what, text);
}

static void prints(const struct ctl_result *r, const char *text)
{
	ctl_assert_ok(r);
	says(r->out, text);
}

static void fails(const struct ctl_result *r, int status, const char *text)
{
	ck_assert_msg(r->status == status, "%d: %s", r->status, r->err);
	says(r->err, text);
}

/* The jobs that there are, as text. */
static const char *listed(void)
{
	const struct ctl_result *r = PREFETCH("--list");

	ctl_assert_ok(r);
	return r->out;
}

/* A member of a job; "" where it is not there. */
static json_int_t number(const char *text, const char *name)
{
	json_t *value = json_loads(text, 0, NULL);
	json_int_t n;

	ck_assert_msg(value != NULL, "no JSON: %s", text);
	n = json_integer_value(json_object_get(value, name));
	json_decref(value);
	return n;
}

/* ---- tests -------------------------------------------------------------------------------- */

#define BLOB RIG_VOLUME "/blob"

START_TEST(test_all)
{
	prints(PREFETCH(BLOB), "fetched 4 MiB of 4 MiB; the rest was cached, in ");
	prints(PREFETCH(BLOB, "--all"), "fetched 0 B of 4 MiB; the rest was cached");
	says(listed(), "    1 done      100%");
}
END_TEST

START_TEST(test_ranges)
{
	const struct ctl_result *r = PREFETCH(BLOB, "1M+64K", "512K+4096", "--json");

	ctl_assert_ok(r);
	ck_assert_int_eq(number(r->out, "fetched_bytes"), 68 * 1024);
	ck_assert_int_eq(number(r->out, "bytes"), 68 * 1024);
	ck_assert_int_eq(number(r->out, "ranges"), 2);
	fails(PREFETCH(BLOB, "1M"), 2, "OFFSET+LENGTH");
	fails(PREFETCH(BLOB, "1M+0"), 2, "OFFSET+LENGTH");
	fails(PREFETCH(BLOB, "8E+8E"), 2, "OFFSET+LENGTH");
	fails(PREFETCH(BLOB, "0+1", "--all"), 2, "exclude each other");
	fails(PREFETCH("nothing"), 1, "no image that is known");
	fails(PREFETCH("--rate", "0", BLOB), 2, "--rate needs");
	fails(PREFETCH("--requests", "17", BLOB), 2, "--requests needs");
}
END_TEST

START_TEST(test_background)
{
	prints(PREFETCH(RIG_VOLUME "/closed", "--background"), "job 1\n");
	says(listed(), "    1 waiting");
	RUN_OK("prefetch", "--cancel", "1", "--socket", "sock");
	says(listed(), "    1 canceled");
	fails(PREFETCH("--cancel", "1"), 1, "ended already");
	fails(PREFETCH("--cancel", "x"), 2, "number of a job");
	fails(PREFETCH("--cancel", "1", "--list"), 2, "stand alone");
	ck_assert_int_eq(number(PREFETCH(BLOB, "--background", "--json")->out, "job"), 2);
}
END_TEST

static void write_plan(const char *path, unsigned int n)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs("cachefill-plan 1\n", file);
	/* From the end, so that none touches what is cached. */
	for (unsigned int i = n; i-- > 0;)
		fprintf(file, "%u+4096 " RIG_VOLUME "/%s\n", (128 + 2 * (i % 256)) * 1024 * 4,
			i % 2 ? "blob" : "other");
	fputs("# total: nobody counts\n", file);
	fclose(file);
}

/* More than one request can have. */
START_TEST(test_long_plan)
{
	const struct ctl_result *r;

	write_plan("plan", 2000);
	r = PREFETCH("--plan", "plan", BLOB, "--json");
	ctl_assert_ok(r);
	ck_assert_int_eq(number(r->out, "ranges"), 1000);
	ck_assert_int_eq(number(r->out, "fetched_bytes"), 128 * 4096);
	prints(PREFETCH("--plan", "plan", "--background", "--json"), "\"job\"");
	r = PREFETCH("--list", "--json");
	says(r->out, "\"ranges\":2000");
	says(r->out, "\"state\":\"waiting\"");
	says(r->out, "\"done_bytes\":4096000");
}
END_TEST

/* What was begun with an image, as the daemon lists it; without a kernel it cannot be mounted. */
static const char *begun(const char *option)
{
	PREFETCH("app", option, "--run-dir", "run", "--background");
	return PREFETCH("--list", "--json")->out;
}

START_TEST(test_plan_of_an_image)
{
	uint8_t image[4 * 4096] = { 0 };
	char cookie[128], plan[512];
	const char *at;

	memcpy(image + 1024, "\xe2\xe1\xf5\xe0\0\0\0\0\0\0\0\0\x0c", 13);
	image[1024 + 36] = 4;
	file_write("image", image, sizeof(image));
	RUN_OK("image", "add", "app", "./image", "--state-dir", "state");
	says(begun("--json"), "\"ranges\":1");
	at = strstr(RUN("image", "inspect", "--json", "app", "--state-dir", "state")->out, "x:");
	snprintf(cookie, sizeof(cookie), "%.*s", (int)strcspn(at, "\""), at);
	snprintf(plan, sizeof(plan), "cachefill-plan 1\n0+1 v/%s\n8192+1 v/%s\n", cookie, cookie);
	file_write("plan", plan, strlen(plan));
	RUN_OK("image", "plan", "app", "plan", "--state-dir", "state");
	at = begun("--json");
	says(at, "\"ranges\":2");
	says(at, "\"plan\":true");
	RUN_OK("prefetch", "--cancel", "2", "--socket", "sock");
	at = strstr(begun("--all"), "\"job\":3");
	ck_assert_ptr_nonnull(at);
	says(at, "\"plan\":false");
	says(at, "\"ranges\":1");
}
END_TEST

START_TEST(test_bad_plans)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "there is nothing in it" },
		{ "cachefill-plan 1\n# nothing\n", "there is nothing in it" },
		{ "cachefill-plan 2\n0+1 v/c\n", "is no plan" },
		{ "0+1 v/c\n", "is no plan" },
		{ "cachefill-plan 1\n0+1 v/c\n0+0 v/c\n", "plan:3: the range is empty" },
		{ "cachefill-plan 1\n0+1 v\n", "plan:2: there is no VOLUME/COOKIE" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		file_write("plan", bad[i].text, strlen(bad[i].text));
		fails(PREFETCH("--plan", "plan"), 1, bad[i].says);
	}
	write_plan("plan", 10);
	fails(PREFETCH("--plan", "plan", RIG_VOLUME "/third"), 1, "nothing in it of this");
	fails(PREFETCH("--plan", "none"), 1, "No such file");
}
END_TEST

START_TEST(test_warm)
{
	trace_write_sample("t");
	prints(RUN("warm", "t", "--background", "--socket", "sock"), "job 1\n");
	says(listed(), "t\n");
	fails(RUN("warm", "--socket", "sock"), 2, "a trace is needed");
	fails(RUN("warm", "t", "--share", "2", "--socket", "sock"), 2, "--share needs");
}
END_TEST

/* Whoever waits goes, the job stays. */
START_TEST(test_interrupt)
{
	int status, fds[2];
	char err[4096];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(fds[1], 2);
		close(fds[0]);
		execl(getenv("CACHEFILLCTL"), "cachefillctl", "prefetch", RIG_VOLUME "/closed",
		      PLACE, NULL);
		_exit(127);
	}
	close(fds[1]);
	/* It says that it waits: from then on it can be interrupted. */
	while ((got = read(fds[0], err + n, sizeof(err) - 1 - n)) > 0) {
		n += (size_t)got;
		err[n] = '\0';
		if (strstr(err, "is mounted\n"))
			kill(pid, SIGINT);
	}
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	says(err, "the job waits until what is left of it is mounted");
	says(err, "the job goes on");
	says(err, "prefetch --cancel 1'");
	says(listed(), "    1 waiting");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl prefetch");
	TCase *tc = tcase_create("commands");

	tcase_add_checked_fixture(tc, enter, leave);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_all);
	tcase_add_test(tc, test_ranges);
	tcase_add_test(tc, test_background);
	tcase_add_test(tc, test_long_plan);
	tcase_add_test(tc, test_plan_of_an_image);
	tcase_add_test(tc, test_bad_plans);
	tcase_add_test(tc, test_warm);
	tcase_add_test(tc, test_interrupt);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
