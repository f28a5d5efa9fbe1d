/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl doctor, on configurations of its own. What it says of the kernel, the device and the
 * clock depends on the host; that it says something is looked at here, the rest on the real kernel.
 */
#include <check.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/database.h"
#include "tests/ctl/ctl.h"
#include "tests/lib/nginx.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/server.h"
#include "tests/lib/shell.h"

__attribute__((format(printf, 1, 2))) static void configure(const char *fmt, ...)
{
	char here[256], text[2048];
	va_list ap;
	int n;

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	n = snprintf(text, sizeof(text),
		     "dir %s/cache\nstate-dir = %s/state\ncontrol-socket = %s/sock\n", here, here,
		     here);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	file_write("conf", text, strlen(text));
}

static void enter(void)
{
	ctl_enter();
	mkdir("cache", 0700);
	mkdir("state", 0700);
	configure("%s", "");
}

/* All that it has said; the caller's. */
static json_t *examine(int status)
{
	struct ctl_result *r = RUN("doctor", "--json", "--config", "conf");
	json_t *answer = json_loads(r->out, 0, NULL);

	ck_assert_msg(r->status == status && r->err[0] == '\0', "%d: %s%s", r->status, r->out,
		      r->err);
	ck_assert_msg(answer != NULL, "no JSON: %s", r->out);
	return answer;
}

static const char *word(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text ? text : "";
}

/* A line of this check with this verdict, and with these words in it. */
static void says(const json_t *answer, const char *check, const char *verdict, const char *text)
{
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(answer, "checks"), i,
			   line) if (strcmp(word(line, "check"), check) == 0 &&
				     strcmp(word(line, "verdict"), verdict) == 0 &&
				     strstr(word(line, "text"), text)) return;
	ck_abort_msg("no %s of %s with '%s' in: %.3000s", verdict, check, text,
		     json_dumps(answer, JSON_INDENT(1)));
}

START_TEST(a_bad_configuration_is_no_end)
{
	json_t *answer;

	configure("brun 3%%\nnonsense = 1\n");
	answer = examine(1);
	ck_assert_str_eq(word(answer, "verdict"), "fail");
	says(answer, "configuration", "fail", "conf:5: ");
	says(answer, "cache", "warn", "not looked at");
	says(answer, "origins", "warn", "not looked at");
	json_decref(answer);
}
END_TEST

START_TEST(every_check_says_something)
{
	static const char *const checks[] = {
		"configuration", "kernel", "user",    "device", "cache",   "space",
		"databases",	 "limits", "denials", "daemon", "origins", "clock",
	};
	json_t *answer = examine(1), *line;
	size_t i;

	for (size_t n = 0; n < sizeof(checks) / sizeof(checks[0]); n++) {
		bool found = false;

		json_array_foreach(json_object_get(answer, "checks"), i, line) found =
			found || strcmp(word(line, "check"), checks[n]) == 0;
		ck_assert_msg(found, "nothing of %s", checks[n]);
	}
	says(answer, "configuration", "ok", "good");
	says(answer, "daemon", "fail", "there is no such socket");
	says(answer, "databases", "ok", "state.db is not there yet");
	json_decref(answer);
}
END_TEST

/* What it says of this source, or "". */
static const char *verdict_of(const json_t *answer, const char *source, const char **ret_text)
{
	json_t *line;
	size_t i;

	*ret_text = "";
	json_array_foreach(json_object_get(answer, "checks"), i, line)
	{
		*ret_text = word(line, "text");
		if (strcmp(word(line, "check"), "origins") == 0 &&
		    strncmp(*ret_text, source, strlen(source)) == 0)
			return word(line, "verdict");
	}
	return "";
}

static json_t *examine_with(rlim_t descriptors)
{
	struct rlimit before, limit;
	struct ctl_result *r;
	json_t *answer;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = descriptors;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	r = RUN("doctor", "--json", "--config", "conf");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	answer = json_loads(r->out, 0, NULL);
	ck_assert_msg(answer != NULL, "%s%s", r->out, r->err);
	return answer;
}

/* How many are enough to begin, and too few to ask, is not known here. */
START_TEST(lack_of_descriptors_is_no_trouble_of_origins)
{
	bool file = false, http = false;
	char here[256];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	mkdir("files", 0700);
	configure("source here {\n url = file:%s/files/{cookie}\n}\n"
		  "source away {\n url = http://127.0.0.1:%u/{cookie}\n}\n",
		  here, server_free_port());
	for (rlim_t n = 24; n < 80 && !(file && http); n += 2) {
		json_t *answer = examine_with(n);
		const char *verdict, *text;

		verdict = verdict_of(answer, "here ", &text);
		ck_assert_msg(strcmp(verdict, "fail") != 0, "%s", text);
		file = file || (strcmp(verdict, "warn") == 0 && strstr(text, "no descriptor"));
		verdict = verdict_of(answer, "away ", &text);
		http = http || (strcmp(verdict, "warn") == 0 && strstr(text, "no descriptor"));
		json_decref(answer);
	}
	ck_assert_msg(file && http, "%d, %d", file, http);
}
END_TEST

START_TEST(origins_are_asked_one_by_one)
{
	unsigned int port = server_free_port();
	char here[256];
	json_t *answer;

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	mkdir("files", 0700);
	configure("source here {\n url = file:%s/files/{cookie}\n"
		  " alternative = file:%s/gone/{cookie}\n}\n"
		  "source away {\n url = http://user:hunter2@127.0.0.1:%u/{cookie}\n retries = "
		  "5\n}\n",
		  here, here, port);
	answer = examine(1);
	says(answer, "origins", "ok", "here answers: ");
	says(answer, "origins", "fail", "here: no such directory: ");
	says(answer, "origins", "fail", "away does not answer: ");
	json_decref(answer);
	ck_assert_ptr_null(strstr(RUN("doctor", "--config", "conf")->out, "hunter2"));
}
END_TEST

/* A server for each of what certificates.sh makes. */
static const char *const certificates[] = { "good", "soon", "expired", "wrongname", "unknownca" };
#define CERTIFICATES_N (sizeof(certificates) / sizeof(certificates[0]))

static pid_t start_servers(const char *dir, unsigned int ports[static CERTIFICATES_N])
{
	char text[2048];
	size_t n;
	pid_t nginx;

	do {
		n = (size_t)snprintf(text, sizeof(text), "access_log off;\n");
		for (size_t i = 0; i < CERTIFICATES_N; i++) {
			ports[i] = server_free_port();
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "server { listen 127.0.0.1:%u ssl; root %s/www;\n"
					      " ssl_certificate %s/%s.pem;\n"
					      " ssl_certificate_key %s/%s.key; }\n",
					      ports[i], dir, dir, certificates[i], dir,
					      certificates[i]);
		}
		nginx = nginx_start(dir, "nginx", "%s", text);
	} while (!server_listens(nginx, ports[CERTIFICATES_N - 1]));
	return nginx;
}

START_TEST(certificates_are_looked_at)
{
	unsigned int ports[CERTIFICATES_N];
	char here[256], text[2048];
	json_t *answer;
	size_t n = 0;
	pid_t nginx;

	if (nginx_missing())
		return;
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	sh(CERTIFICATES " %s", here);
	nginx = start_servers(here, ports);
	for (size_t i = 0; i < CERTIFICATES_N; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "source %s {\n url = https://127.0.0.1:%u/{cookie}\n"
				      " ca-file = %s/ca.pem\n retries = 0\n}\n",
				      certificates[i], ports[i], here);
	configure("%s", text);
	answer = examine(1);
	nginx_stop(nginx);
	says(answer, "origins", "ok", "good answers: ");
	snprintf(text, sizeof(text), "127.0.0.1:%u: its certificate is good for ", ports[0]);
	says(answer, "origins", "ok", text);
	says(answer, "origins", "ok", "soon answers: ");
	snprintf(text, sizeof(text), "127.0.0.1:%u: its certificate is good for ", ports[1]);
	says(answer, "origins", "warn", text);
	says(answer, "origins", "fail", "expired cannot be used: SSL certificate problem: ");
	says(answer, "origins", "fail", "wrongname cannot be used: SSL: no alternative ");
	says(answer, "origins", "fail", "unknownca cannot be used: SSL certificate problem: ");
	json_decref(answer);
}
END_TEST

START_TEST(databases_are_looked_at)
{
	char *page = calloc(1, 8192);
	json_t *answer;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open("state/images.db", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	file_write("state/state.db", page, 8192);
	free(page);
	answer = examine(1);
	says(answer, "databases", "ok", "images.db is sound");
	says(answer, "databases", "fail", "state.db is damaged");
	json_decref(answer);
}
END_TEST

START_TEST(room_is_measured)
{
	json_t *answer;

	configure("brun 99%%\nbcull 98%%\nbstop 97%%\nsize-limit = 1000000GiB\n");
	answer = examine(1);
	says(answer, "space", "fail", "below bstop = 97 %");
	says(answer, "space", "warn", "means nothing");
	json_decref(answer);
}
END_TEST

START_TEST(colours_are_for_terminals)
{
	static const char *const words[] = { "doctor", "--config", "conf", NULL };

	unsetenv("NO_COLOR");
	ck_assert_ptr_nonnull(strstr(ctl_run_terminal(words)->out, "\033[31mfail"));
	setenv("NO_COLOR", "1", 1);
	ck_assert_ptr_null(strchr(ctl_run_terminal(words)->out, '\033'));
	unsetenv("NO_COLOR");
	ck_assert_ptr_null(strchr(ctl_run(words)->out, '\033'));
	ck_assert_int_eq(RUN("doctor", "now")->status, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("what is wrong");
	TCase *tc = tcase_create("doctor");

	tcase_add_checked_fixture(tc, enter, ctl_leave);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, a_bad_configuration_is_no_end);
	tcase_add_test(tc, every_check_says_something);
	tcase_add_test(tc, origins_are_asked_one_by_one);
	tcase_add_test(tc, lack_of_descriptors_is_no_trouble_of_origins);
	tcase_add_test(tc, certificates_are_looked_at);
	tcase_add_test(tc, databases_are_looked_at);
	tcase_add_test(tc, room_is_measured);
	tcase_add_test(tc, colours_are_for_terminals);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
