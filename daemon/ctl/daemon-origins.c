/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl origins.
 */
#include <stdio.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

static const struct option longs[] = { DAEMON_OPTIONS, { NULL } };

static const struct ctl_syntax syntax = {
	"cachefillctl origins",
	"h",
	longs,
	"Usage: cachefillctl origins [OPTION]...\n"
	"\n"
	"Says where bytes come from, and how that goes.\n"
	"\n" DAEMON_HELP,
};

static void print_work(const char *what, const json_t *work)
{
	char mean[32];
	uint64_t n = daemon_number(work, "requests");

	printf("  %-9s %llu, %llu failed", what, (unsigned long long)n,
	       (unsigned long long)daemon_number(work, "failed"));
	if (n > 0)
		printf(", %s each", ctl_time((uint64_t)(daemon_real(work, "mean_seconds") * 1e9),
					     mean, sizeof(mean)));
	putchar('\n');
}

static const char *seconds(const json_t *object, const char *name, char buf[32])
{
	return ctl_time((uint64_t)(daemon_real(object, name) * 1e9), buf, 32);
}

static void print_place(const json_t *p)
{
	const json_t *failure = json_object_get(p, "last_failure");
	char time[32];

	printf("  place     %s: %s", daemon_text(p, "place"), daemon_text(p, "state"));
	if (json_object_get(p, "avoided_for"))
		printf(" for %s more", seconds(p, "avoided_for", time));
	printf(", %llu of %llu requests failed\n", (unsigned long long)daemon_number(p, "failed"),
	       (unsigned long long)daemon_number(p, "requests"));
	if (failure)
		printf("            %s ago: %s: %s\n", seconds(failure, "age", time),
		       daemon_text(failure, "what"), daemon_text(failure, "error"));
}

static void print_origin(const json_t *o)
{
	char fetched[32], buffers[32];
	const json_t *place;
	size_t i;

	printf("%s  %s\n", daemon_text(o, "name"), daemon_text(o, "place"));
	print_work("looks", json_object_get(o, "looks"));
	print_work("fetches", json_object_get(o, "fetches"));
	printf("  fetched   %s\n",
	       ctl_bytes(daemon_number(o, "fetched_bytes"), fetched, sizeof(fetched)));
	printf("  now       %llu of %llu requests, %s of buffers; %llu opens, %llu reads and "
	       "%llu\n            fetches ahead wait\n",
	       (unsigned long long)daemon_number(o, "requests"),
	       (unsigned long long)daemon_number(o, "requests_limit"),
	       ctl_bytes(daemon_number(o, "buffers_bytes"), buffers, sizeof(buffers)),
	       (unsigned long long)daemon_number(o, "waiting_opens"),
	       (unsigned long long)daemon_number(o, "waiting_reads"),
	       (unsigned long long)daemon_number(o, "waiting_ahead"));
	json_array_foreach(json_object_get(o, "places"), i, place) print_place(place);
}

int ctl_origins(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer, *o;
	int status;
	size_t i;

	if (!daemon_options(&daemon, &syntax, argc, argv, &status))
		return status;
	if (argc != optind)
		return ctl_usage(syntax.command, "no argument is expected");
	status = daemon_ask(&daemon, "GET", "/v1/origins", NULL, &answer);
	if (status != CTL_OK)
		return status;
	if (daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	json_array_foreach(json_object_get(answer, "origins"), i, o) print_origin(o);
	json_decref(answer);
	return CTL_OK;
}
