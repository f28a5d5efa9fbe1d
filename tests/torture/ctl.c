/* SPDX-License-Identifier: MIT */
/* The commands of cachefillctl on a small trace: done, or an error; never half a file. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/trace/file.h"
#include "tests/lib/temporary.h"
#include "tests/torture/torture.h"

#define ARGS_MAX 8

/* main() of cachefillctl: see instrument.sh. */
int faulty_main(int argc, char *argv[]);

/* "IN" and "OUT" stand for files. */
static const char *const commands[][ARGS_MAX] = {
	{ "verify", "IN" },
	{ "show", "IN" },
	{ "show", "--json", "IN" },
	{ "stats", "IN" },
	{ "stats", "--json", "IN" },
	{ "plot", "IN" },
	{ "plan", "IN" },
	{ "cut", "--to", "100ms", "-o", "OUT", "IN" },
	{ "merge", "-o", "OUT", "IN" },
	{ "anonymise", "-o", "OUT", "IN" },
};

static char in[TEMPORARY_MAX + 16], out[TEMPORARY_MAX + 16];

static void make_files(void)
{
	char error[TRACE_ERROR_MAX] = "";

	snprintf(in, sizeof(in), "%s/in", torture_dir());
	snprintf(out, sizeof(out), "%s/out", torture_dir());
	ck_assert_msg(torture_write_trace(in, error) == 0, "%s", error);
}

/* Its complaints are many and the same. */
static int run_quietly(int argc, char *argv[])
{
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC), outputs[2], status;

	ck_assert_int_ge(quiet, 0);
	for (int fd = 1; fd <= 2; fd++) {
		outputs[fd - 1] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		dup2(quiet, fd);
	}
	fault_hold(false);
	status = faulty_main(argc, argv);
	fault_hold(true);
	for (int fd = 1; fd <= 2; fd++) {
		dup2(outputs[fd - 1], fd);
		close(outputs[fd - 1]);
	}
	close(quiet);
	return status;
}

bool torture_ctl(unsigned int variant)
{
	char *argv[ARGS_MAX + 2] = { (char *)"cachefillctl", (char *)"trace" };
	int argc = 2, status;

	if (variant >= sizeof(commands) / sizeof(*commands))
		return false;
	if (!*in)
		make_files();
	for (const char *const *arg = commands[variant]; *arg; arg++) {
		argv[argc] = (char *)*arg;
		if (strcmp(*arg, "IN") == 0)
			argv[argc] = in;
		else if (strcmp(*arg, "OUT") == 0)
			argv[argc] = out;
		argc++;
	}
	unlink(out);
	status = run_quietly(argc, argv);
	ck_assert_int_ne(status, CTL_USAGE);
	ck_assert(status == CTL_OK || fault_struck());
	ck_assert(status == CTL_OK || access(out, F_OK) < 0);
	return true;
}
