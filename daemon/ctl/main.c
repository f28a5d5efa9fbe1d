/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/ctl.h"

static const struct ctl_command commands[] = {
	{ "trace", "COMMAND ...", "look at recorded requests, cut and replay them", ctl_trace },
	{ NULL },
};

/* A result that did not arrive is trouble; that nobody wanted the rest of it is none to tell. */
static int finish(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		ctl_error("standard output: %s", strerror(errno ? errno : EIO));
	return status == CTL_OK ? CTL_FAILED : status;
}

int main(int argc, char *argv[])
{
	return finish(ctl_dispatch(commands, "cachefillctl", argc, argv));
}
