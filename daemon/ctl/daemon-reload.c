/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl reload.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

#define LOOK_MS	       50
#define WITHIN_SECONDS 60

static const struct option longs[] = { DAEMON_OPTIONS, { NULL } };

static const struct ctl_syntax syntax = {
	"cachefillctl reload",
	"h",
	longs,
	"Usage: cachefillctl reload [OPTION]...\n"
	"\n"
	"Has the daemon read its configuration again. Where that is not good, nothing\n"
	"changes. What is mounted is served on, from where it was opened.\n"
	"\n" DAEMON_HELP,
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* It is not the one that has answered: that was there before we asked. */
static bool is_next(const struct daemon *d, double asked)
{
	bool next = false;
	json_t *status;

	if (daemon_ask(d, "GET", "/v1/status", NULL, &status) != CTL_OK)
		return false;
	next = daemon_real(status, "uptime") < now() - asked;
	json_decref(status);
	return next;
}

/* Where it listens from then on. */
static int wait_for_next(const struct daemon *d, const char *socket, double asked)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	char error[DAEMON_ERROR_MAX];
	const struct daemon next = { .socket = socket, .error = error, .seconds = 10 };

	if (strcmp(socket, "none") == 0)
		return CTL_OK;
	while (!is_next(&next, asked)) {
		if (now() - asked > WITHIN_SECONDS)
			return ctl_error("the daemon was told to, and has not begun anew: its log "
					 "says why");
		nanosleep(&pause, NULL);
	}
	return CTL_OK;
}

static void print_answer(const json_t *answer)
{
	uint64_t n = daemon_number(answer, "sources");
	json_t *key;
	size_t i;

	printf("reloaded: %llu source%s\n", (unsigned long long)n, n == 1 ? "" : "s");
	json_array_foreach(json_object_get(answer, "restart"), i, key)
		printf("%s: another value comes into force when the service is stopped and "
		       "started\n",
		       json_string_value(key));
}

int ctl_reload(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	double asked = now();
	json_t *answer;
	int status;

	if (!daemon_options(&daemon, &syntax, argc, argv, &status))
		return status;
	if (argc != optind)
		return ctl_usage(syntax.command, "takes no arguments");
	status = daemon_ask(&daemon, "POST", "/v1/reload", NULL, &answer);
	if (status != CTL_OK)
		return status;
	status = wait_for_next(&daemon, daemon_text(answer, "control_socket"), asked);
	if (status == CTL_OK && daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	if (status == CTL_OK)
		print_answer(answer);
	json_decref(answer);
	return status;
}
