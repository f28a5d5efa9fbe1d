/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl gc.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

enum { OPT_DRY_RUN = 256 };

static const struct option longs[] = {
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	DAEMON_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl gc",
	"h",
	longs,
	"Usage: cachefillctl gc [OPTION]...\n"
	"\n"
	"Drops from the cache what nobody needs any more: objects that no image has, and\n"
	"those of which nobody knows the version. What is in use or pinned stays. Also\n"
	"drops what is on record of objects of which nothing is cached.\n"
	"\n"
	"      --dry-run          say what would go, and change nothing\n" DAEMON_HELP,
};

static const char *why(const json_t *object)
{
	const char *text = daemon_text(object, "why");

	if (strcmp(text, "unowned") == 0)
		return "no image has it";
	return strcmp(text, "record") == 0 ? "only a record, nothing is cached of it"
					   : "nobody knows its version";
}

static void print_object(const json_t *object)
{
	const char *kept = daemon_text(object, "kept");
	char size[32];

	printf("%10s  %s/%s: %s%s%s\n",
	       ctl_bytes(daemon_number(object, "bytes"), size, sizeof(size)),
	       daemon_text(object, "volume"), daemon_text(object, "cookie"), why(object),
	       *kept ? ", stays: " : "", kept);
}

static void print_answer(const json_t *answer, bool dry)
{
	uint64_t culled = daemon_number(answer, "culled"), in_use = daemon_number(answer, "in_use");
	uint64_t records = daemon_number(answer, "records");
	char size[32];
	json_t *object;
	size_t i;

	json_array_foreach(json_object_get(answer, "objects"), i, object) print_object(object);
	printf("%10s  %s freed by %llu object%s",
	       ctl_bytes(daemon_number(answer, "freed_bytes"), size, sizeof(size)),
	       dry ? "would be" : "were", (unsigned long long)culled, culled == 1 ? "" : "s");
	if (in_use > 0)
		printf("; %llu in use", (unsigned long long)in_use);
	if (records > 0)
		printf("; %llu record%s of nothing", (unsigned long long)records,
		       records == 1 ? "" : "s");
	putchar('\n');
}

int ctl_gc(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer;
	bool dry = false;
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (opt == OPT_DRY_RUN)
			dry = true;
		else
			daemon_option(&daemon, opt);
	if (argc != optind)
		return ctl_usage(syntax.command, "takes no arguments");
	status = daemon_ask(&daemon, "POST", "/v1/gc", json_pack("{sb}", "dry_run", dry), &answer);
	if (status != CTL_OK)
		return status;
	if (daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	print_answer(answer, dry);
	json_decref(answer);
	return CTL_OK;
}
