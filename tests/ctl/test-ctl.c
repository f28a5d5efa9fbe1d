/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

static void assert_usage(const struct ctl_result *r, const char *message)
{
	ck_assert_int_eq(r->status, 2);
	ck_assert_str_eq(r->out, "");
	ck_assert_msg(strncmp(r->err, "cachefillctl: ", 14) == 0 && strstr(r->err, message) &&
			      strstr(r->err, "Try '"),
		      "%s", r->err);
	ck_assert_uint_eq(ctl_lines(r->err), 1);
}

START_TEST(test_help_and_version)
{
	RUN_OK("--help");
	ck_assert_ptr_nonnull(strstr(RUN("--help")->out, "  trace COMMAND"));
	RUN_OK("-h");
	RUN_OK("--version");
	ck_assert_int_eq(strncmp(RUN("-V")->out, "cachefillctl ", 13), 0);
	RUN_OK("trace", "--help");
	assert_usage(RUN("trace", "--version"), "--version");
}
END_TEST

/* What the list of commands names is there, and explains itself within 80 columns. */
START_TEST(test_every_command_explains_itself)
{
	char *list = strdup(RUN("trace", "--help")->out), name[64], line[256];
	size_t found = 0;

	for (size_t i = 0; i < ctl_lines(list); i++) {
		struct ctl_result *r;

		ctl_line(list, i, line, sizeof(line));
		if (strncmp(line, "  ", 2) != 0 || strchr(" -", line[2]))
			continue;
		ck_assert_int_eq(sscanf(line, " %63s", name), 1);
		r = RUN("trace", name, "--help");
		ctl_assert_ok(r);
		snprintf(line, sizeof(line), "Usage: cachefillctl trace %s ", name);
		ck_assert_msg(strncmp(r->out, line, strlen(line)) == 0, "%s", r->out);
		for (size_t j = 0; j < ctl_lines(r->out); j++)
			ck_assert_uint_le(strlen(ctl_line(r->out, j, line, sizeof(line))), 80);
		found++;
	}
	ck_assert_uint_ge(found, 5);
	free(list);
}
END_TEST

START_TEST(test_wrong_usage)
{
	assert_usage(ctl_run((const char *const[]){ NULL }), "command is missing");
	assert_usage(RUN("fly"), "no command 'fly'");
	assert_usage(RUN("--fly"), "no option '--fly'");
	assert_usage(RUN("trace"), "command is missing");
	assert_usage(RUN("trace", "fly"), "no command 'fly'");
	assert_usage(RUN("trace", "show"), "one file");
	assert_usage(RUN("trace", "show", "a", "b"), "one file");
	assert_usage(RUN("trace", "show", "--fly", "a"), "'--fly'");
	assert_usage(RUN("trace", "show", "-x", "a"), "'-x'");
	assert_usage(RUN("trace", "show", "--kind", "read,fly", "a"), "'fly'");
	assert_usage(RUN("trace", "show", "--kind", "", "a"), "no kind");
	assert_usage(RUN("trace", "show", "--from", "5", "a"), "--from");
	assert_usage(RUN("trace", "show", "--to"), "needs a value");
	assert_usage(RUN("trace", "verify"), "file is missing");
	assert_usage(RUN("trace", "cut", "a"), "-o OUT");
	assert_usage(RUN("trace", "cut", "-o", "b"), "one file");
	assert_usage(RUN("trace", "merge", "-o", "b"), "file is missing");
	assert_usage(RUN("trace", "merge", "a", "b"), "-o OUT");
	assert_usage(RUN("trace", "merge", "--together", "--sequential", "-o", "b", "a"),
		     "one of --sequential");
	assert_usage(RUN("trace", "anonymise", "a"), "-o OUT");
	ck_assert(!file_exists("b"));
}
END_TEST

START_TEST(test_missing_file)
{
	static const char *const commands[] = { "show", "verify", "cut", "merge", "anonymise" };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		bool writes = i >= 2;
		struct ctl_result *r = writes ? RUN("trace", commands[i], "-o", "out", "gone.trace")
					      : RUN("trace", commands[i], "gone.trace");

		ck_assert_int_eq(r->status, 1);
		ck_assert_str_eq(r->out, "");
		ck_assert_str_eq(r->err, "cachefillctl: gone.trace: No such file or directory\n");
		ck_assert(!file_exists("out"));
	}
}
END_TEST

/* What is not a trace at all is said, and nothing is left behind. */
START_TEST(test_no_trace)
{
	static const char *const commands[] = { "show", "cut", "merge", "anonymise" };

	file_write("text", "Dear all,\n", 10);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct ctl_result *r = i ? RUN("trace", commands[i], "-o", "out", "text")
					 : RUN("trace", commands[i], "text");

		ck_assert_int_eq(r->status, 1);
		ck_assert_str_eq(r->out, "");
		ck_assert_ptr_nonnull(strstr(r->err, "cachefillctl: text: "));
		ck_assert(!file_exists("out"));
	}
}
END_TEST

START_TEST(test_full_disk)
{
	struct ctl_result *r;

	if (!file_exists("/dev/full"))
		return;
	trace_write_sample("a");
	/* A shell, for the redirection. */
	file_write("full.sh", "exec \"$CACHEFILLCTL\" trace show a > /dev/full\n", 46);
	ck_assert_int_eq(system("sh full.sh 2> stderr") >> 8, 1);
	r = RUN("--version");
	ctl_assert_ok(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl");
	TCase *tcase = tcase_create("ctl");

	tcase_add_checked_fixture(tcase, ctl_enter, ctl_leave);
	tcase_add_test(tcase, test_help_and_version);
	tcase_add_test(tcase, test_every_command_explains_itself);
	tcase_add_test(tcase, test_wrong_usage);
	tcase_add_test(tcase, test_missing_file);
	tcase_add_test(tcase, test_no_trace);
	tcase_add_test(tcase, test_full_disk);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
