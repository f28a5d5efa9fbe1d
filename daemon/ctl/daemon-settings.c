/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl log-level, trace start, trace stop.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

static const struct option longs[] = { DAEMON_OPTIONS, { NULL } };

/* ---- log level ---------------------------------------------------------------------------- */

static const struct ctl_syntax level_syntax = {
	"cachefillctl log-level",
	"h",
	longs,
	"Usage: cachefillctl log-level [OPTION]... [error|warning|notice|info|debug]\n"
	"\n"
	"Says how much the daemon logs, or changes that until it ends.\n"
	"\n" DAEMON_HELP,
};

int ctl_log_level(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer;
	int status;

	if (!daemon_options(&daemon, &level_syntax, argc, argv, &status))
		return status;
	if (argc - optind > 1)
		return ctl_usage(level_syntax.command, "one level is expected");
	if (argc > optind)
		status = daemon_ask(&daemon, "PUT", "/v1/log-level",
				    json_pack("{ss}", "level", argv[optind]), &answer);
	else
		status = daemon_ask(&daemon, "GET", "/v1/log-level", NULL, &answer);
	if (status != CTL_OK)
		return status;
	if (daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	puts(daemon_text(answer, "level"));
	json_decref(answer);
	return CTL_OK;
}

/* ---- trace -------------------------------------------------------------------------------- */

static const struct ctl_syntax start_syntax = {
	"cachefillctl trace start",
	"h",
	longs,
	"Usage: cachefillctl trace start [OPTION]... [FILE]\n"
	"\n"
	"Has the daemon record into a new file, FILE or FILE.1, .2 ... where that exists;\n"
	"without one where its configuration says.\n"
	"\n" DAEMON_HELP,
};

static const struct ctl_syntax stop_syntax = {
	"cachefillctl trace stop",
	"h",
	longs,
	"Usage: cachefillctl trace stop [OPTION]...\n"
	"\n"
	"Ends the daemon's recording.\n"
	"\n" DAEMON_HELP,
};

static int print_trace(const struct daemon *d, json_t *answer, const char *before)
{
	if (d->json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	printf("%s %s\n", before, daemon_text(answer, "path"));
	json_decref(answer);
	return CTL_OK;
}

/* The daemon has another working directory. */
static char *absolute(const char *path)
{
	_cleanup_free_ char *here = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
	char *text;

	if (!here || asprintf(&text, "%s%s%s", here, path[0] == '/' ? "" : "/", path) < 0)
		return NULL;
	return text;
}

int ctl_trace_start(int argc, char *argv[])
{
	_cleanup_free_ char *path = NULL;
	struct daemon daemon = { 0 };
	json_t *answer;
	int status;

	if (!daemon_options(&daemon, &start_syntax, argc, argv, &status))
		return status;
	if (argc - optind > 1)
		return ctl_usage(start_syntax.command, "one file is expected");
	path = argc > optind ? absolute(argv[optind]) : NULL;
	if (argc > optind && !path)
		return ctl_error("%s: %s", argv[optind], strerror(errno));
	status = daemon_ask(&daemon, "POST", "/v1/trace/start", json_pack("{ss*}", "path", path),
			    &answer);
	return status == CTL_OK ? print_trace(&daemon, answer, "recording into") : status;
}

int ctl_trace_stop(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer;
	int status;

	if (!daemon_options(&daemon, &stop_syntax, argc, argv, &status))
		return status;
	if (argc != optind)
		return ctl_usage(stop_syntax.command, "no argument is expected");
	status = daemon_ask(&daemon, "POST", "/v1/trace/stop", NULL, &answer);
	return status == CTL_OK ? print_trace(&daemon, answer, "recorded into") : status;
}
