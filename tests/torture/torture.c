/* SPDX-License-Identifier: MIT */
/*
 *	torture		a sample of all of it, another one each time, in the Test Anything Protocol
 *	torture all	every place where something can fail
 *	torture CASE VARIANT ERROR N
 *			one failure alone, for a debugger: its number, file, errno and place
 *
 * Each case is a process of its own, so that an abort ends one and says where.
 */
#include "tests/torture/torture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

/* A run that does not end has a hundred times what it needs. */
#define POINTS_MAX 20000

/* A case with fewer places than that is not sampled. */
#define FEW 8

/* Each so many places one fails; the first of them. */
static unsigned int step = 1, phase;

static const struct torture_case {
	torture_run run;
	const char *what;
	struct torture_fault fault;
} cases[] = {
	{ torture_life, "a life", { "one allocation", FAULT_ALLOC, { ENOMEM, -1 }, 0 } },
	{ torture_life, "a life", { "nine allocations", FAULT_ALLOC, { ENOMEM, -1 }, 8 } },
	{ torture_life, "a life", { "one timer or watch", FAULT_LOOP, { ENOMEM, -1 }, 0 } },
	{ torture_life, "a life", { "nine timers or watches", FAULT_LOOP, { ENOMEM, -1 }, 8 } },
	{ torture_life, "a life", { "one operation, canceled", FAULT_OP, { ECANCELED, -1 }, 0 } },
	{ torture_life,
	  "a life",
	  { "one write", FAULT_WRITE, { EIO, ENOSPC, ENOBUFS, 0, -1 }, 0 } },
	{ torture_life, "a life", { "nine writes", FAULT_WRITE, { ENOSPC, ENOBUFS, 0, -1 }, 8 } },
	{ torture_life, "a life", { "one system call", FAULT_CALL, { EIO, ENOBUFS, -1 }, 0 } },
	{ torture_life, "a life", { "nine system calls", FAULT_CALL, { EIO, ENOBUFS, -1 }, 8 } },
	{ torture_life,
	  "a life",
	  { "one receive", FAULT_PORT_RECEIVE, { EMFILE, EINTR, ENOMEM, EIO, -1 }, 0 } },
	{ torture_life, "a life", { "one copen", FAULT_PORT_COMMAND, { EINVAL, EIO, -1 }, 0 } },
	{ torture_life, "a life", { "one completion", FAULT_PORT_COMPLETE, { EINVAL, -1 }, 0 } },
	{ torture_program, "programs", { "one allocation", FAULT_ALLOC, { ENOMEM, -1 }, 0 } },
	{ torture_program, "programs", { "nine allocations", FAULT_ALLOC, { ENOMEM, -1 }, 8 } },
	{ torture_program, "programs", { "one timer or watch", FAULT_LOOP, { ENOMEM, -1 }, 0 } },
	{ torture_program,
	  "programs",
	  { "one operation, canceled", FAULT_OP, { ECANCELED, -1 }, 0 } },
	{ torture_program, "programs", { "one write", FAULT_WRITE, { EIO, ENOBUFS, 0, -1 }, 0 } },
	{ torture_program, "programs", { "one system call", FAULT_CALL, { EIO, ENOBUFS, -1 }, 0 } },
	{ torture_program, "programs", { "one copen", FAULT_PORT_COMMAND, { EINVAL, -1 }, 0 } },
	{ torture_program,
	  "programs",
	  { "one completion", FAULT_PORT_COMPLETE, { EINVAL, -1 }, 0 } },
	{ torture_make, "a start", { "one allocation", FAULT_ALLOC, { ENOMEM, -1 }, 0 } },
	{ torture_make, "a start", { "one system call", FAULT_CALL, { EIO, -1 }, 0 } },
	{ torture_make, "a start", { "one timer or watch", FAULT_LOOP, { ENOMEM, -1 }, 0 } },
	{ torture_config, "a configuration", { "one allocation", FAULT_ALLOC, { ENOMEM, -1 }, 0 } },
	{ torture_trace, "a trace", { "one allocation", FAULT_ALLOC, { ENOMEM, -1 }, 0 } },
	{ torture_trace, "a trace", { "one write", FAULT_WRITE, { EIO, 0, -1 }, 0 } },
	{ torture_trace, "a trace", { "one read", FAULT_READ, { EIO, EINTR, 0, -1 }, 0 } },
	{ torture_trace, "a trace", { "one system call", FAULT_CALL, { EIO, -1 }, 0 } },
	{ torture_ctl, "the control tool", { "one allocation", FAULT_ALLOC, { ENOMEM, -1 }, 0 } },
	{ torture_ctl, "the control tool", { "one write", FAULT_WRITE, { ENOSPC, 0, -1 }, 0 } },
	{ torture_ctl, "the control tool", { "one read", FAULT_READ, { EIO, EINTR, 0, -1 }, 0 } },
	{ torture_ctl, "the control tool", { "one system call", FAULT_CALL, { EIO, -1 }, 0 } },
};

#define CASES (sizeof(cases) / sizeof(*cases))

/* Shared with the process that runs a case: how far it has come. */
static struct {
	unsigned long points;
	unsigned int variant;
	int error;
	uint64_t n;
} * progress;

const char *torture_dir(void)
{
	static char dir[TEMPORARY_MAX];

	if (!*dir)
		temporary_dir(dir, TEMPORARY_MEMORY);
	return dir;
}

/* One failure; false: the run has ended without it, or there is no such run. */
static bool torture_one(const struct torture_case *c, unsigned int variant, int error, uint64_t n)
{
	bool there;

	progress->variant = variant;
	progress->error = error;
	progress->n = n;
	fault_hold(true);
	fault_arm(c->fault.kind, n, error, c->fault.more);
	there = c->run(variant);
	fault_disarm();
	return there && fault_struck();
}

/* false: there is no such variant. */
static bool torture_variant(const struct torture_case *c, unsigned int variant)
{
	fault_hold(true);
	if (!c->run(variant))
		return false;
	for (const int *error = c->fault.errors; *error >= 0; error++) {
		uint64_t n = (phase + variant) % step;

		for (; torture_one(c, variant, *error, n) && n < POINTS_MAX; n += step)
			progress->points++;
	}
	return true;
}

static void torture_case(const struct torture_case *c)
{
	for (unsigned int i = 0; torture_variant(c, i); i++)
		;
}

static bool case_passes(const struct torture_case *c)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	memset(progress, 0, sizeof(*progress));
	pid = fork();
	if (pid == 0) {
		torture_case(c);
		if (step > 1 && progress->points < FEW) {
			step = 1;
			torture_case(c);
		}
		exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && progress->points > 0;
}

static int torture_all(void)
{
	bool good = true;

	printf("1..%zu\n", CASES);
	printf("# one of %u places, from %u on\n", step, phase);
	for (size_t i = 0; i < CASES; i++) {
		const struct torture_case *c = &cases[i];
		bool passes = case_passes(c);

		printf("%s %zu - %s fails in %s: %lu places\n", passes ? "ok" : "not ok", i + 1,
		       c->fault.name, c->what, progress->points);
		if (!passes)
			printf("# the last was: %zu %u %d %ju\n", i + 1, progress->variant,
			       progress->error, (uintmax_t)progress->n);
		good = good && passes;
	}
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void sample(void)
{
	step = under_valgrind() ? 32 : BUILT_WITH_SANITIZERS ? 8 : 4;
	(void)!getrandom(&phase, sizeof(phase), 0);
	phase %= step;
}

int main(int argc, char *argv[])
{
	size_t i = argc == 5 ? strtoul(argv[1], NULL, 10) : 0;

	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (progress == MAP_FAILED)
		return EXIT_FAILURE;
	temporary_begin();
	if (argc == 1)
		sample();
	if (argc == 1 || (argc == 2 && strcmp(argv[1], "all") == 0))
		return torture_all();
	if (i == 0 || i > CASES)
		return 2;
	printf("%s\n", torture_one(&cases[i - 1], (unsigned int)strtoul(argv[2], NULL, 10),
				   atoi(argv[3]), strtoul(argv[4], NULL, 10))
			       ? "survived"
			       : "there is no such place");
	return EXIT_SUCCESS;
}
