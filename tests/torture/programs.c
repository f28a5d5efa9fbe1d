/* SPDX-License-Identifier: MIT */
/* The programs of the fuzzer (tests/fuzz/corpus/engine), with one more thing that goes wrong. */
#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/program.h"
#include "tests/lib/rig.h"
#include "tests/torture/torture.h"

#define LENGTH_MAX 1024
#define TIMERS	   512

/* The loop finds room for more timers than there will be: those of the rig itself may not fail. */
static void make_room(void)
{
	struct loop_timer timers[TIMERS] = { 0 };

	for (unsigned int i = 0; i < TIMERS; i++)
		ck_assert_int_eq(loop_timer_set(rig.loop, &timers[i], 0), 0);
	for (unsigned int i = 0; i < TIMERS; i++)
		loop_timer_cancel(&timers[i]);
}

static void program_weather_changes(bool bad)
{
	fault_hold(true);
	make_room();
	fault_hold(!bad);
}

static void run_file(const char *name)
{
	static const struct program_options options = {
		.weather = program_weather_changes,
		.decorate = fault_port,
	};
	char path[PATH_MAX];
	uint8_t bytes[LENGTH_MAX];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", TORTURE_PROGRAMS, name);
	file = fopen(path, "rbe");
	ck_assert_ptr_nonnull(file);
	n = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	program_run(bytes, n, &options);
}

static int is_program(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

bool torture_program(unsigned int variant)
{
	struct dirent **entries;
	int n = scandir(TORTURE_PROGRAMS, &entries, is_program, alphasort);
	bool there = n > 0 && variant < (unsigned int)n;

	if (there)
		run_file(entries[variant]->d_name);
	while (n > 0)
		free(entries[--n]);
	free(entries);
	return there;
}
