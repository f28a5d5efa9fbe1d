/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl status.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

static const struct option longs[] = { DAEMON_OPTIONS, { NULL } };

static const struct ctl_syntax syntax = {
	"cachefillctl status",
	"h",
	longs,
	"Usage: cachefillctl status [OPTION]...\n"
	"\n"
	"Says what the daemon is, and what it has done since its start.\n"
	"\n" DAEMON_HELP,
};

struct size {
	char text[32];
};

static const char *bytes(const json_t *object, const char *name, struct size *buf)
{
	return ctl_bytes(daemon_number(object, name), buf->text, sizeof(buf->text));
}

static const char *failed(const json_t *object, const char *name, struct size *buf)
{
	uint64_t n = daemon_number(object, name);

	if (n == 0)
		return "";
	snprintf(buf->text, sizeof(buf->text), ", %llu failed", (unsigned long long)n);
	return buf->text;
}

static unsigned long long count(const json_t *object, const char *name)
{
	return (unsigned long long)daemon_number(object, name);
}

static void print_counters(const json_t *c)
{
	struct size a, b;

	printf("opens      %llu%s; %llu of images, %llu remembered\n", count(c, "opens"),
	       failed(c, "opens_failed", &a), count(c, "opens_of_images"),
	       count(c, "opens_remembered"));
	printf("reads      %llu%s; %s\n", count(c, "reads"), failed(c, "reads_failed", &a),
	       bytes(c, "read_bytes", &b));
	printf("fetched    %s in %llu requests, and %llu looks\n", bytes(c, "fetched_bytes", &a),
	       count(c, "fetches"), count(c, "looks"));
	printf("stored     %s\n", bytes(c, "stored_bytes", &a));
}

static void print_now(const json_t *now, const json_t *process)
{
	struct size a, b;

	printf("now        %llu objects open, %llu opens and %llu reads wait, %llu fetches\n",
	       count(now, "objects"), count(now, "opens"), count(now, "reads"),
	       count(now, "flights"));
	printf("buffers    %s of %s\n", bytes(now, "buffers_bytes", &a),
	       bytes(now, "buffers_limit_bytes", &b));
	printf("names      %llu remembered, %s\n", count(now, "names"),
	       bytes(now, "names_bytes", &a));
	printf("memory     %s\n", bytes(process, "resident_bytes", &a));
}

static void print_oldest(const json_t *o)
{
	char age[32];

	if (!json_is_object(o))
		return;
	printf("oldest     %s of %s/%s waits for %s: %s\n", daemon_text(o, "kind"),
	       daemon_text(o, "volume"), daemon_text(o, "cookie"),
	       ctl_time((uint64_t)(daemon_real(o, "age") * 1e9), age, sizeof(age)),
	       daemon_text(o, "waits_for"));
}

static void print_verified(const json_t *v)
{
	const json_t *open = json_object_get(v, "open");
	struct size a;

	printf("verified   open now: %llu blocks, %llu whole, %llu pending, %llu no, %llu failed\n",
	       count(open, "blocks"), count(open, "whole"), count(open, "pending"),
	       count(open, "no"), count(open, "failed"));
	printf("hashed     %s: %llu objects right, %llu wrong\n", bytes(v, "hashed_bytes", &a),
	       count(v, "right"), count(v, "wrong"));
}

static void print_text(const json_t *status)
{
	const json_t *process = json_object_get(status, "process");
	double uptime = daemon_real(status, "uptime");
	char text[32];

	printf("cachefilld %s, process %llu, for %s, on Linux %s\n", daemon_text(status, "version"),
	       count(process, "pid"), ctl_time((uint64_t)(uptime * 1e9), text, sizeof(text)),
	       daemon_text(status, "kernel"));
	printf("cache      %s\n", daemon_text(status, "cache_dir"));
	printf("state      %s\n", daemon_text(status, "state_dir"));
	print_counters(json_object_get(status, "counters"));
	print_now(json_object_get(status, "now"), process);
	print_oldest(json_object_get(status, "oldest"));
	print_verified(json_object_get(status, "verified"));
}

int ctl_status(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer;
	int status;

	if (!daemon_options(&daemon, &syntax, argc, argv, &status))
		return status;
	if (argc != optind)
		return ctl_usage(syntax.command, "no argument is expected");
	status = daemon_ask(&daemon, "GET", "/v1/status", NULL, &answer);
	if (status != CTL_OK)
		return status;
	if (daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	print_text(answer);
	json_decref(answer);
	return CTL_OK;
}
