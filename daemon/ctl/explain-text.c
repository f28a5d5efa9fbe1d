/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/explain.h"
#include "daemon/ctl/image-text.h"

static const json_t *get(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

static const char *bytes(const json_t *object, const char *name, char *buf)
{
	return ctl_bytes(daemon_number(object, name), buf, 32);
}

static const char *time_of(const json_t *object, const char *name, char *buf)
{
	return ctl_time((uint64_t)(daemon_real(object, name) * 1e9), buf, 32);
}

static void print_names(const json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name) printf("%s%s", i ? ", " : "", json_string_value(name));
}

static void print_resolved(const json_t *object)
{
	const json_t *resolved = get(object, "resolved"), *images = get(resolved, "images");
	const char *by = daemon_text(resolved, "by");

	if (*daemon_text(object, "volume"))
		printf("object      %s/%s\n", daemon_text(object, "volume"),
		       daemon_text(object, "cookie"));
	if (strcmp(by, "source") == 0)
		printf("resolved    by source %s (%s)\n", daemon_text(resolved, "rule"),
		       daemon_text(resolved, "where"));
	else if (strcmp(by, "nothing") == 0)
		printf("resolved    by nothing: %s\n", daemon_text(resolved, "error"));
	else if (strcmp(by, "image") == 0 || json_array_size(images) > 0) {
		fputs("images      ", stdout);
		print_names(images);
		putchar('\n');
	}
}

static void print_fetcher(const json_t *link)
{
	const char *by = daemon_text(link, "by");
	char first[32], most[32];

	if (strcmp(by, "verify") == 0 || strcmp(by, "index") == 0)
		printf("%s (%s)", daemon_text(link, "kind"), daemon_text(link, "with"));
	else if (strcmp(by, "retry") == 0)
		printf("retry (%llu times, after %s to %s)",
		       (unsigned long long)daemon_number(link, "retries"),
		       time_of(link, "backoff", first), time_of(link, "backoff_max", most));
	else if (strcmp(by, "alternatives") == 0)
		printf("the first that works of %llu",
		       (unsigned long long)daemon_number(link, "origins"));
	else {
		printf("%s: ", by);
		print_names(get(link, "origins"));
	}
}

static void print_source(const json_t *object)
{
	const json_t *source = get(object, "source");
	json_t *link;
	size_t i;

	if (!source)
		return;
	printf("locator     %s\n", daemon_text(object, "locator"));
	if (*daemon_text(source, "error")) {
		printf("source      none: %s\n", daemon_text(source, "error"));
		return;
	}
	printf("source      %s (%s)\n", daemon_text(source, "name"),
	       get(source, "where") ? daemon_text(source, "where")
				    : "not in the configuration: defaults");
	json_array_foreach(get(object, "fetchers"), i, link)
	{
		fputs(i ? "         -> " : "fetchers    ", stdout);
		print_fetcher(link);
		putchar('\n');
	}
}

static void print_remembered(const json_t *object)
{
	const json_t *name = get(object, "remembered");
	char size[32];

	if (get(object, "no_daemon"))
		printf("daemon      %s\n", daemon_text(object, "no_daemon"));
	else if (json_is_true(get(name, "absent")))
		puts("remembered  that its origin has no such object (`cachefillctl purge` "
		     "forgets)");
	else if (name)
		printf("remembered  %s, %s, from %s\n", bytes(name, "size", size),
		       daemon_text(name, "validator"), daemon_text(name, "locator"));
	else if (*daemon_text(object, "volume"))
		puts("remembered  no");
}

static void print_open(const json_t *object)
{
	const json_t *open = get(object, "open"), *failure = get(open, "last_failure");
	char ago[32];

	if (open)
		printf("open        %llu times; %llu reads wait, %llu fetches\n",
		       (unsigned long long)daemon_number(open, "opens"),
		       (unsigned long long)daemon_number(open, "reads"),
		       (unsigned long long)daemon_number(open, "flights"));
	if (failure)
		printf("failed      %s ago: %s: %s\n", time_of(failure, "age", ago),
		       daemon_text(failure, "what"), daemon_text(failure, "error"));
}

static void print_work(const json_t *origin, const char *name)
{
	const json_t *work = get(origin, name);
	char mean[32];

	if (daemon_number(work, "requests") > 0)
		printf("%-11s %llu of all objects there, %llu failed, %s each\n", name,
		       (unsigned long long)daemon_number(work, "requests"),
		       (unsigned long long)daemon_number(work, "failed"),
		       time_of(work, "mean_seconds", mean));
}

static void print_kept(const json_t *object)
{
	const json_t *recorded = get(object, "recorded"), *cached = get(object, "cached");
	char size[32], used[32];

	if (!*daemon_text(object, "volume"))
		return;
	if (get(recorded, "error"))
		printf("recorded    cannot be looked at: %s\n", daemon_text(recorded, "error"));
	else if (recorded)
		printf("recorded    %s, %s, from %s\n", bytes(recorded, "size", size),
		       daemon_text(recorded, "validator"), daemon_text(recorded, "locator"));
	else
		puts("recorded    no");
	if (get(cached, "error"))
		printf("cached      cannot be looked at: %s\n", daemon_text(cached, "error"));
	else if (cached)
		printf("cached      %s, used %s\n", bytes(cached, "bytes", size),
		       image_time((int64_t)daemon_number(cached, "used"), used, sizeof(used)));
	else if (get(object, "open"))
		/* The kernel gives a new file its name when it is closed for the first time. */
		printf("cached      %s, in a file that has no name yet\n",
		       bytes(get(object, "open"), "cached_bytes", size));
	else
		puts("cached      no");
}

static void print_now(const json_t *object)
{
	const json_t *now = get(object, "now");
	char size[32], took[32];

	if (!now)
		puts("now         it would not work");
	else if (!json_is_true(get(now, "works")))
		printf("now         it would not work: %s (after %s)\n", daemon_text(now, "error"),
		       time_of(now, "seconds", took));
	else
		printf("now         it works: %s, %s, in %s%s\n", bytes(now, "size", size),
		       daemon_text(now, "validator"), time_of(now, "seconds", took),
		       json_is_true(get(now, "changed"))
			       ? "; that is another version than what is recorded"
			       : "");
}

void explain_print(const json_t *object)
{
	print_resolved(object);
	print_source(object);
	print_remembered(object);
	print_open(object);
	print_work(get(object, "origin"), "looks");
	print_work(get(object, "origin"), "fetches");
	print_kept(object);
	print_now(object);
}
