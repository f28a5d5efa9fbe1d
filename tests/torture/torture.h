/* SPDX-License-Identifier: MIT */
/*
 * Torture: a run of something is repeated with one failure each, at the first place where that kind
 * of thing can fail, at the second, and so on until the run ends without having come to it. After
 * each, everything must be answered, nothing leaked, and service go on.
 */
#pragma once

#include "tests/lib/fault.h"

/* What fails, with each of these errors (ends with -1), and how many failures follow the first. */
struct torture_fault {
	const char *name;
	enum fault_kind kind;
	int errors[5];
	unsigned int more;
};

/*
 * One run, from nothing to nothing. Faults are held when it is called; it lets them happen where
 * it wants, and disarms them before it returns. Fails by ck_assert(). false: there are not as many
 * variants.
 */
typedef bool (*torture_run)(unsigned int variant);

/* The daemon's life on the rig (life.c). */
bool torture_life(unsigned int variant);
/* The programs of the fuzzer (programs.c). */
bool torture_program(unsigned int variant);
/* All that is made when a daemon starts: loop, state, engine, front end, recorder (make.c). */
bool torture_make(unsigned int variant);
/* Readers of files: configuration, traces (make.c). */
bool torture_config(unsigned int variant);
bool torture_trace(unsigned int variant);
/* The control tool (ctl.c). */
bool torture_ctl(unsigned int variant);

/* A directory in memory, for all runs of this process. */
const char *torture_dir(void);

/* A trace that is longer than a buffer, with a few READs of one object. */
int torture_write_trace(const char *path, char *error);
