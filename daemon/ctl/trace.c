/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/ctl.h"

#include <stddef.h>

/* In the order in which one would use them. */
static const struct ctl_command commands[] = {
	{ "verify", "[OPTION]... FILE...", "say whether traces are whole and consistent",
	  ctl_trace_verify },
	{ "show", "[OPTION]... FILE", "print the records of a trace", ctl_trace_show },
	{ "stats", "[OPTION]... FILE", "say what was asked and fetched, and what took long",
	  ctl_trace_stats },
	{ "plot", "[OPTION]... FILE", "draw who read what when, as SVG", ctl_trace_plot },
	{ "plan", "[OPTION]... FILE...", "list what to fetch first", ctl_trace_plan },
	{ "cut", "[OPTION]... -o OUT FILE", "write a part of a trace", ctl_trace_cut },
	{ "merge", "[OPTION]... -o OUT FILE...", "write several traces into one", ctl_trace_merge },
	{ "anonymise", "[OPTION]... -o OUT FILE", "write a trace without its names",
	  ctl_trace_anonymise },
	{ "replay", "[OPTION]... FILE", "give the recorded requests to the engine once more",
	  ctl_trace_replay },
#ifdef HAVE_DAEMON_COMMANDS
	{ "start", "[OPTION]... [FILE]", "have the daemon record", ctl_trace_start },
	{ "stop", "[OPTION]...", "end that", ctl_trace_stop },
#endif
	{ NULL },
};

int ctl_trace(int argc, char *argv[])
{
	return ctl_dispatch(commands, "cachefillctl trace", argc, argv);
}
