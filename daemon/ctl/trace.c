/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/ctl.h"

#include <stddef.h>

/* In the order in which one would use them. */
static const struct ctl_command commands[] = {
	{ NULL },
};

int ctl_trace(int argc, char *argv[])
{
	return ctl_dispatch(commands, "cachefillctl trace", argc, argv);
}
