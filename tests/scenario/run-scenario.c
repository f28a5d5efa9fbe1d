/* SPDX-License-Identifier: MIT */
/*
 * Runs scenario scripts on the emulated kernel, one test case for each:
 *
 *	run-scenario FILE...
 *
 * The grammar is in tests/lib/scenario.h.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"
#include "tests/lib/scenario-emu.h"

#define FILES_MAX 1000

static char **files;
static TTest cases[FILES_MAX];

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

	tcase_fn_start(cases[i].name, files[i], 1);
	scenario = scenario_load(files[i], &why);
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

int main(int argc, char **argv)
{
	Suite *suite = suite_create("scenario");
	TCase *tcase = tcase_create("scenario");

	files = argv + 1;
	tcase_set_timeout(tcase, 60);
	for (int i = 0; i < argc - 1 && i < FILES_MAX; i++) {
		cases[i] = (TTest){ name_of(files[i]), run_file, files[i], 1 };
		_tcase_add_test(tcase, &cases[i], 0, 0, i, i + 1);
	}
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
