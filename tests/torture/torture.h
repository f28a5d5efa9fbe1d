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
 * it wants, and disarms them before it returns. Fails by ck_assert().
 */
typedef void (*torture_run)(void);

/* The daemon's life on the rig (life.c). */
void torture_life(void);
/* All that is made when a daemon starts: loop, state, engine, front end, recorder (make.c). */
void torture_make(void);
/* Readers of files: configuration, traces (make.c). */
void torture_config(void);
void torture_trace(void);
