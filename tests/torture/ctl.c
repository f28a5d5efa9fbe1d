/* SPDX-License-Identifier: MIT */
/*
 * Commands of cachefillctl on a small trace and on a store of one image: done, or an error; never
 * half a file.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/images/images.h"
#include "daemon/trace/file.h"
#include "tests/lib/temporary.h"
#include "tests/torture/torture.h"

#define ARGS_MAX 10

/* main() of cachefillctl: see instrument.sh. */
int faulty_main(int argc, char *argv[]);

/* "IN" and "OUT" stand for files. */
static const char *const commands[][ARGS_MAX] = {
	{ "trace", "verify", "IN" },
	{ "trace", "show", "IN" },
	{ "trace", "show", "--json", "IN" },
	{ "trace", "stats", "IN" },
	{ "trace", "stats", "--json", "IN" },
	{ "trace", "plot", "IN" },
	{ "trace", "plan", "IN" },
	{ "trace", "cut", "--to", "100ms", "-o", "OUT", "IN" },
	{ "trace", "merge", "-o", "OUT", "IN" },
	{ "trace", "anonymise", "-o", "OUT", "IN" },
	{ "image", "ls", "--config", "/dev/null", "--state-dir", "STATE" },
	{ "image", "ls", "--config", "/dev/null", "--state-dir", "STATE", "--json" },
	{ "image", "inspect", "--config", "/dev/null", "--state-dir", "STATE", "a" },
	{ "image", "inspect", "--config", "/dev/null", "--state-dir", "STATE", "--json", "a" },
};

static char in[TEMPORARY_MAX + 16], out[TEMPORARY_MAX + 16], state[TEMPORARY_MAX + 16];

static void make_store(void)
{
	static char name[] = "a", locator[] = "oci://h/r:t", cookie[] = "x:0", json[] = "{}",
		    empty[] = "";
	struct images_object device = { cookie, locator, empty, empty, 4096, false };
	struct images_layer layer = { device, &device, 1, empty, empty };
	char *refs[] = { locator }, error[IMAGES_ERROR_MAX] = "";
	struct images_image image = { .name = name,
				      .refs = refs,
				      .n_refs = 1,
				      .manifest = json,
				      .config = json,
				      .manifest_digest = empty,
				      .layers = &layer,
				      .n_layers = 1 };
	struct images *images;

	ck_assert_msg(images_open(&images, state, IMAGES_WRITE, error) == 0, "%s", error);
	ck_assert_msg(images_put(images, &image, error) == 0, "%s", error);
	images_close(images);
}

static void make_files(void)
{
	char error[TRACE_ERROR_MAX] = "";

	snprintf(in, sizeof(in), "%s/in", torture_dir());
	snprintf(out, sizeof(out), "%s/out", torture_dir());
	ck_assert_msg(torture_write_trace(in, error) == 0, "%s", error);
	snprintf(state, sizeof(state), "%s/state", torture_dir());
	make_store();
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
	char *argv[ARGS_MAX + 2] = { (char *)"cachefillctl" };
	int argc = 1, status;

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
		else if (strcmp(*arg, "STATE") == 0)
			argv[argc] = state;
		argc++;
	}
	unlink(out);
	status = run_quietly(argc, argv);
	ck_assert_int_ne(status, CTL_USAGE);
	ck_assert(status == CTL_OK || fault_struck());
	ck_assert(status == CTL_OK || access(out, F_OK) < 0);
	return true;
}
