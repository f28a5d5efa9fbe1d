/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl objects, flights.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

static const struct option longs[] = { DAEMON_OPTIONS, { NULL } };

static const struct ctl_syntax objects_syntax = {
	"cachefillctl objects",
	"h",
	longs,
	"Usage: cachefillctl objects [OPTION]... [NUMBER|VOLUME/COOKIE]\n"
	"\n"
	"Lists the objects that are open, or tells more of one.\n"
	"\n" DAEMON_HELP,
};

static const struct ctl_syntax flights_syntax = {
	"cachefillctl flights",
	"h",
	longs,
	"Usage: cachefillctl flights [OPTION]...\n"
	"\n"
	"Lists what is being fetched.\n"
	"\n" DAEMON_HELP,
};

static char *bytes(const json_t *object, const char *name, char *buf)
{
	return ctl_bytes(daemon_number(object, name), buf, 32);
}

/* ---- one object --------------------------------------------------------------------------- */

static void print_failure(const json_t *failure)
{
	char ago[32];

	if (!failure)
		return;
	printf("failed     %s ago: %s: %s\n",
	       ctl_time((uint64_t)(daemon_real(failure, "age") * 1e9), ago, sizeof(ago)),
	       daemon_text(failure, "what"), daemon_text(failure, "error"));
}

static void print_object(const json_t *o)
{
	char size[32], cached[32];

	printf("object     %llu\n", (unsigned long long)daemon_number(o, "object"));
	printf("volume     %s\ncookie     %s\n", daemon_text(o, "volume"),
	       daemon_text(o, "cookie"));
	printf("size       %s, %s cached\n", bytes(o, "size", size),
	       bytes(o, "cached_bytes", cached));
	printf("locator    %s\n", daemon_text(o, "locator"));
	printf("source     %s\n", daemon_text(o, "source"));
	printf("validator  %s\n", daemon_text(o, "validator"));
	printf("verified   %s\n", daemon_text(o, "verified"));
	if (json_is_true(json_object_get(o, "compressed")))
		printf("compressed yes%s\n", json_is_true(json_object_get(o, "filling"))
						     ? ", being fetched as a whole"
						     : "");
	printf("now        open %llu times, %llu reads wait, %llu fetches\n",
	       (unsigned long long)daemon_number(o, "opens"),
	       (unsigned long long)daemon_number(o, "reads"),
	       (unsigned long long)daemon_number(o, "flights"));
	print_failure(json_object_get(o, "last_failure"));
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* A volume has no slash but an escaped one; NULL: no memory, or (*ret_bad) no name. */
static char *object_uri(const char *what, bool *ret_bad)
{
	const char *slash = strchr(what, '/');
	_cleanup_free_ char *volume = NULL, *cookie = NULL, *copy = NULL;
	char *uri;

	*ret_bad = false;
	if (is_number(what))
		return asprintf(&uri, "/v1/objects/%s", what) < 0 ? NULL : uri;
	*ret_bad = !slash;
	copy = slash ? strndup(what, (size_t)(slash - what)) : NULL;
	volume = copy ? daemon_encode(copy) : NULL;
	cookie = volume ? daemon_encode(slash + 1) : NULL;
	if (!cookie || asprintf(&uri, "/v1/objects?volume=%s&cookie=%s", volume, cookie) < 0)
		return NULL;
	return uri;
}

static int show_object(const struct daemon *d, const char *what)
{
	bool bad;
	_cleanup_free_ char *uri = object_uri(what, &bad);
	json_t *object;
	int status;

	if (bad)
		return ctl_usage(objects_syntax.command,
				 "'%s' is neither a number nor VOLUME/COOKIE", what);
	if (!uri)
		return ctl_error("out of memory");
	status = daemon_ask(d, "GET", uri, NULL, &object);
	if (status != CTL_OK)
		return status;
	if (d->json)
		return ctl_json_line(object) < 0 ? ctl_error("out of memory") : CTL_OK;
	print_object(object);
	json_decref(object);
	return CTL_OK;
}

/* ---- all of them -------------------------------------------------------------------------- */

/* As much of a name as is left of a line, its end where it is too long: that tells more. */
static void print_name(const json_t *o, size_t room)
{
	const char *volume = daemon_text(o, "volume"), *cookie = daemon_text(o, "cookie");
	_cleanup_free_ char *name = NULL;
	size_t n;

	if (asprintf(&name, "%s/%s", volume, cookie) < 0)
		return;
	n = strlen(name);
	if (n > room)
		printf("...%s\n", name + n - (room - 3));
	else
		puts(name);
}

static void print_row(const json_t *o)
{
	char size[32];
	uint64_t whole = daemon_number(o, "size"), cached = daemon_number(o, "cached_bytes");

	printf("%7llu %9s %3d%% %-8s %6llu %s ", (unsigned long long)daemon_number(o, "object"),
	       bytes(o, "size", size), whole ? (int)((double)cached * 100 / (double)whole) : 100,
	       daemon_text(o, "verified"), (unsigned long long)daemon_number(o, "reads"),
	       json_object_get(o, "last_failure") ? "!" : " ");
	print_name(o, 39);
}

/* One object a line. */
static int print_page(const struct daemon *d, const json_t *page, bool first)
{
	size_t i;
	json_t *o;

	if (first && !d->json)
		puts(" NUMBER      SIZE   IN VERIFIED  WAITS   NAME");
	json_array_foreach(json_object_get(page, "objects"), i, o)
	{
		if (!d->json)
			print_row(o);
		else if (ctl_json_line(json_incref(o)) < 0)
			return ctl_error("out of memory");
	}
	return CTL_OK;
}

static int list_objects(const struct daemon *d)
{
	uint64_t after = 0;
	int status = CTL_OK;

	for (bool first = true; status == CTL_OK && (first || after > 0); first = false) {
		json_t *page;
		char uri[80];

		snprintf(uri, sizeof(uri), "/v1/objects?limit=256&after=%llu",
			 (unsigned long long)after);
		status = daemon_ask(d, "GET", uri, NULL, &page);
		if (status != CTL_OK)
			return status;
		status = print_page(d, page, first);
		after = daemon_number(page, "next");
		json_decref(page);
	}
	return status;
}

int ctl_objects(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	int status;

	if (!daemon_options(&daemon, &objects_syntax, argc, argv, &status))
		return status;
	if (argc - optind > 1)
		return ctl_usage(objects_syntax.command, "one object at a time");
	return argc > optind ? show_object(&daemon, argv[optind]) : list_objects(&daemon);
}

/* ---- flights ------------------------------------------------------------------------------ */

static void print_flight(const json_t *f)
{
	char offset[32], size[32], age[32];

	printf("%-8s %-8s %9s %9s %8s %5llu  ", daemon_text(f, "state"), daemon_text(f, "class"),
	       bytes(f, "offset", offset), bytes(f, "bytes", size),
	       ctl_time((uint64_t)(daemon_real(f, "age") * 1e9), age, sizeof(age)),
	       (unsigned long long)daemon_number(f, "reads"));
	print_name(f, 23);
}

int ctl_flights(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer, *f;
	int status;
	size_t i;

	if (!daemon_options(&daemon, &flights_syntax, argc, argv, &status))
		return status;
	if (argc != optind)
		return ctl_usage(flights_syntax.command, "no argument is expected");
	status = daemon_ask(&daemon, "GET", "/v1/flights?limit=256", NULL, &answer);
	if (status != CTL_OK)
		return status;
	if (daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	puts("STATE    CLASS       OFFSET      SIZE      AGE WAITS  NAME");
	json_array_foreach(json_object_get(answer, "flights"), i, f) print_flight(f);
	if (json_is_true(json_object_get(answer, "more")))
		puts("... and more");
	json_decref(answer);
	return CTL_OK;
}
