/* SPDX-License-Identifier: MIT */
/*
 * Runs scenario scripts on the emulated kernel, one test case for each:
 *
 *	run-scenario FILE|DIRECTORY...
 *
 * A directory stands for all of its *.scn.
 * The grammar is in tests/lib/scenario.h.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/scenario-emu.h"

static glob_t files;
static TTest *cases; /* one for each */

/* Frees the text first, for ck_abort does not come back. */
static void fail_with(char *why)
{
	char text[6200];

	if (!why)
		return;
	snprintf(text, sizeof(text), "%s", why);
	free(why);
	ck_abort_msg("%s", text);
}

static char *run(const struct scenario *scenario)
{
	struct scenario_emu *stage;
	char *why;

	if (!scenario_runs_on(scenario, SCENARIO_EMULATED))
		return NULL;
	stage = scenario_emu_new();
	why = scenario_run(scenario, &scenario_emulated, stage);
	scenario_emu_free(stage);
	return why;
}

static void run_file(int i)
{
	char *why = NULL;
	struct scenario *scenario;

	tcase_fn_start(cases[i].name, files.gl_pathv[i], 1);
	scenario = scenario_load(files.gl_pathv[i], &why);
	if (scenario)
		why = run(scenario);
	scenario_free(scenario);
	fail_with(why);
}

static const char *name_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

/* A file that is not there stays in the list, as a case that fails. */
static void add_files(const char *argument)
{
	_cleanup_free_ char *pattern = scenario_sentence("%s/*.scn", argument);
	int append = files.gl_pathc ? GLOB_APPEND : 0;

	if (glob(pattern, append, NULL, &files) == GLOB_NOMATCH)
		glob(argument, append | GLOB_NOCHECK, NULL, &files);
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("scenario");
	TCase *tcase = tcase_create("scenario");
	int failed;

	for (int i = 1; i < argc; i++)
		add_files(argv[i]);
	cases = calloc(files.gl_pathc + 1, sizeof(*cases));
	if (!cases)
		return EXIT_FAILURE;
	tcase_set_timeout(tcase, 60);
	for (int i = 0; i < (int)files.gl_pathc; i++) {
		cases[i] = (TTest){ name_of(files.gl_pathv[i]), run_file, files.gl_pathv[i], 1 };
		_tcase_add_test(tcase, &cases[i], 0, 0, i, i + 1);
	}
	suite_add_tcase(suite, tcase);
	failed = run_suite(suite);
	globfree(&files);
	free(cases);
	return failed;
}
