/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl bugreport: what is in the archive, and what is not. Archives of tar are looked at as
 * bytes, which are those of their files.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/ctl/ctl.h"
#include "tests/lib/run-suite.h"

static uint8_t *report;
static size_t report_len;

/* Passwords wherever a configuration can have some. */
static const char conf[] =
	"dir /nonexistent/cache-of-acme\n"
	"state-dir = /nonexistent/state-of-acme\n"
	"control-socket = /nonexistent/acme.sock\n"
	"max-requests = 7\n"
	"source acme {\n"
	"	volume = erofs,acme*\n"
	"	url = http://me:hunter2@127.0.0.1:1/acme/{cookie}?token=hunter2\n"
	"	alternative = http://you:hunter2@127.0.0.1:2/acme/{cookie}?token=hunter2\n"
	"	header = \"Authorization: Bearer hunter2\"\n"
	"	header = \"X-Hunter: hunter2\"\n"
	"	proxy = http://proxy:hunter2@127.0.0.1:3\n"
	"	user-agent = hunter2\n"
	"	connect-timeout = 3s\n"
	"	retries = 0\n"
	"}\n";

static void enter(void)
{
	ctl_enter();
	file_write("conf", conf, sizeof(conf) - 1);
}

static void leave(void)
{
	free(report);
	report = NULL;
	ctl_leave();
}

static void make(const struct ctl_result *result, const char *path)
{
	ck_assert_msg(result->status == 0, "%d: %s", result->status, result->err);
	ck_assert_msg(result->err[0] == '\0', "%s", result->err);
	free(report);
	report = file_read(path, &report_len);
}

static bool has(const char *text)
{
	return memmem(report, report_len, text, strlen(text)) != NULL;
}

static void holds(const char *text)
{
	ck_assert_msg(has(text), "no '%s' in the archive", text);
}

static void lacks(const char *text)
{
	ck_assert_msg(!has(text), "'%s' is in the archive", text);
}

static const char *const files[] = {
	"version.txt",	"probe.txt",   "doctor.json", "status.json", "objects.json", "origins.json",
	"flights.json", "metrics.txt", "config.json", "log.txt",     "trouble.txt",
};

START_TEST(all_of_it_and_no_secret)
{
	char name[64];
	struct stat st;

	umask(0);
	make(RUN("bugreport", "-o", "r.tar", "--config", "conf"), "r.tar");
	ck_assert_int_eq(stat("r.tar", &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "cachefilld-bugreport/%s", files[i]);
		holds(name);
	}
	lacks("hunter2");
	holds("\"max-requests\":\"7\"");
	holds("\"connect-timeout\":\"3s\"");
	holds("\"header\":[\"(set)\",\"(set)\"]");
	holds("\"proxy\":\"(set)\"");
	holds("http://127.0.0.1:1/acme/{cookie}");
	holds("status.json: status 3\ncachefillctl: /nonexistent/acme.sock: there is no such");
	holds("\"check\":\"daemon\"");
}
END_TEST

START_TEST(no_name_either)
{
	make(RUN("bugreport", "-o", "r.tar", "--config", "conf", "--anonymise"), "r.tar");
	lacks("hunter2");
	lacks("acme");
	lacks("127.0.0.1");
	lacks("log.txt");
	holds("\"max-requests\":\"7\"");
	holds("\"volume\":\"name-");
	holds("\"check\":\"daemon\"");
	holds("Start it: systemctl start cachefilld.");
}
END_TEST

START_TEST(no_file_is_replaced)
{
	const struct ctl_result *r;

	file_write("r.tar", "mine", 4);
	r = RUN("bugreport", "-o", "r.tar", "--config", "conf");
	ck_assert_int_eq(r->status, 1);
	ck_assert_ptr_nonnull(strstr(r->err, "r.tar: File exists"));
	report = file_read("r.tar", &report_len);
	holds("mine");
}
END_TEST

/* A broken configuration is what many reports are about. */
START_TEST(it_is_made_without_a_configuration)
{
	file_write("conf", "nonsense = 1\n", 13);
	make(RUN("bugreport", "-o", "r.tar", "--config", "conf"), "r.tar");
	holds("conf:1: ");
	holds("config.json: status 1\n");
}
END_TEST

START_TEST(it_goes_through_a_pipe)
{
	const struct ctl_result *r = RUN("bugreport", "-o", "-", "--config", "conf");

	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(memmem(r->out, r->out_len, "config.json", 11));
	ck_assert_ptr_null(memmem(r->out, r->out_len, "-\n", 3));
	ck_assert_int_eq(RUN("bugreport", "now")->status, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reports");
	TCase *tc = tcase_create("bugreport");

	tcase_add_checked_fixture(tc, enter, leave);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, all_of_it_and_no_secret);
	tcase_add_test(tc, no_name_either);
	tcase_add_test(tc, no_file_is_replaced);
	tcase_add_test(tc, it_is_made_without_a_configuration);
	tcase_add_test(tc, it_goes_through_a_pipe);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
