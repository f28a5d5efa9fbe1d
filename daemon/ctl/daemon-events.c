/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl events, metrics.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

#define LINE_MAX_BYTES ((size_t)64 << 10)

enum { OPT_SLOW = 0x300 };

static const struct option events_longs[] = {
	{ "slow", required_argument, NULL, OPT_SLOW },
	DAEMON_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax events_syntax = {
	"cachefillctl events",
	"h",
	events_longs,
	"Usage: cachefillctl events [OPTION]...\n"
	"\n"
	"Says what happens, from now on: what is opened and closed, what fails, what is\n"
	"slow.\n"
	"\n"
	"      --slow TIME        answers are slow that take so long (1s)\n" DAEMON_HELP,
};

struct listener {
	bool json;
	char *line; /* owned, LINE_MAX_BYTES */
	size_t len;
};

/* ---- a line ------------------------------------------------------------------------------- */

static void print_time(const json_t *event)
{
	double now = daemon_real(event, "time");
	time_t seconds = (time_t)now;
	struct tm tm;
	char text[32];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03d  ", text, (int)((now - (double)seconds) * 1000));
}

static void print_event(const json_t *event)
{
	const char *name = daemon_text(event, "event"), *error = daemon_text(event, "error");
	char text[32];

	if (strcmp(name, "alive") == 0 || strcmp(name, "listening") == 0)
		return;
	if (strcmp(name, "dropped") == 0) {
		printf("... %llu more were left out\n",
		       (unsigned long long)daemon_number(event, "count"));
		return;
	}
	print_time(event);
	printf("%-12s %s/%s", name, daemon_text(event, "volume"), daemon_text(event, "cookie"));
	if (json_object_get(event, "size"))
		printf("  %s", ctl_bytes(daemon_number(event, "size"), text, sizeof(text)));
	if (json_object_get(event, "offset"))
		printf("  %llu+%llu", (unsigned long long)daemon_number(event, "offset"),
		       (unsigned long long)daemon_number(event, "bytes"));
	if (json_object_get(event, "seconds"))
		printf("  %s", ctl_time((uint64_t)(daemon_real(event, "seconds") * 1e9), text,
					sizeof(text)));
	printf("%s%s\n", *error ? "  " : "", error);
}

static void take_line(struct listener *l)
{
	json_t *event;

	if (l->json) {
		fwrite(l->line, 1, l->len, stdout);
		putchar('\n');
		return;
	}
	event = json_loadb(l->line, l->len, 0, NULL);
	print_event(event);
	json_decref(event);
}

static bool take(void *arg, const char *data, size_t n)
{
	struct listener *l = arg;

	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			take_line(l);
			l->len = 0;
		} else if (l->len < LINE_MAX_BYTES) {
			l->line[l->len++] = data[i];
		}
	}
	return fflush(stdout) == 0 && !ferror(stdout);
}

int ctl_events(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	struct listener listener = { 0 };
	uint64_t slow = 1000000000;
	char uri[64];
	int opt, status;

	while ((opt = ctl_getopt(&events_syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		if (!daemon_option(&daemon, opt) && ctl_parse_time(optarg, &slow) < 0)
			return ctl_usage(events_syntax.command,
					 "--slow needs a time such as 100ms");
	}
	if (argc != optind)
		return ctl_usage(events_syntax.command, "no argument is expected");
	listener.json = daemon.json;
	listener.line = malloc(LINE_MAX_BYTES);
	if (!listener.line)
		return ctl_error("out of memory");
	snprintf(uri, sizeof(uri), "/v1/events?slow-ms=%llu", (unsigned long long)(slow / 1000000));
	status = daemon_stream(&daemon, uri, take, &listener);
	free(listener.line);
	return status;
}

/* ---- metrics ------------------------------------------------------------------------------ */

static const struct option metrics_longs[] = { DAEMON_OPTIONS, { NULL } };

static const struct ctl_syntax metrics_syntax = {
	"cachefillctl metrics",
	"h",
	metrics_longs,
	"Usage: cachefillctl metrics [OPTION]...\n"
	"\n"
	"Prints the daemon's metrics, as Prometheus reads them.\n"
	"\n" DAEMON_HELP,
};

static bool print_some(void *arg, const char *data, size_t n)
{
	return fwrite(data, 1, n, stdout) == n;
}

/* "name{labels} value" of each sample. */
static bool collect(void *arg, const char *data, size_t n)
{
	FILE *file = arg;

	return fwrite(data, 1, n, file) == n;
}

static int print_samples(char *text)
{
	json_t *samples = json_object();
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *value = strrchr(line, ' ');

		if (line[0] == '#' || !value)
			continue;
		*value++ = '\0';
		json_object_set_new(samples, line, json_real(strtod(value, NULL)));
	}
	return ctl_json_line(samples) < 0 ? ctl_error("out of memory") : CTL_OK;
}

static int metrics_json(const struct daemon *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int status;

	if (!file)
		return ctl_error("out of memory");
	status = daemon_stream(d, "/metrics", collect, file);
	if (fclose(file) != 0)
		status = ctl_error("out of memory");
	if (status == CTL_OK)
		status = print_samples(text);
	free(text);
	return status;
}

int ctl_metrics(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	int status;

	if (!daemon_options(&daemon, &metrics_syntax, argc, argv, &status))
		return status;
	if (argc != optind)
		return ctl_usage(metrics_syntax.command, "no argument is expected");
	return daemon.json ? metrics_json(&daemon)
			   : daemon_stream(&daemon, "/metrics", print_some, NULL);
}
