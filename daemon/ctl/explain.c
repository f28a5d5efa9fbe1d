/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/explain.h"

#include <stdio.h>

#include "daemon/ctl/cache.h"
#include "daemon/ctl/json.h"
#include "daemon/util/locator.h"

enum { OPT_SOCKET = 256 };

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl explain",
	"h",
	options,
	"Usage: cachefillctl explain [OPTION]... IMAGE|VOLUME/COOKIE|LOCATOR\n"
	"\n"
	"Says of an object, or of each object of an image, who it comes from and why, by\n"
	"which fetchers, what is known and cached of it, what has failed, and, by asking\n"
	"its origin once, whether it would work now. Exits with 1 where it would not.\n"
	"\n"
	"      --json             print JSON, one object a line\n"
	"      --socket PATH      where the daemon listens (control-socket in\n"
	"                         cachefilld.conf)\n" CONTEXT_HELP "\n"
	"See cachefillctl-doctor(1).\n",
};

static bool is_locator(const char *text)
{
	return fetcher_class_find(text) || locator_is_verified(text) ||
	       strncmp(text, "tarmap:", 7) == 0 || strncmp(text, "gunzip:", 7) == 0;
}

static int print(const struct explain *e, json_t *object)
{
	if (e->context.json)
		return ctl_json_line(object) < 0 ? ctl_error("out of memory") : CTL_OK;
	explain_print(object);
	json_decref(object);
	return CTL_OK;
}

/* An exit status. */
static int explain_keys(struct explain *e, const struct cache_key *key, bool first)
{
	json_t *object = json_object();
	bool works = explain_object(e, key->volume, key->cookie, object);
	int status;

	explain_daemon(e, key->volume, key->cookie, object);
	if (!first && !e->context.json)
		putchar('\n');
	status = print(e, object);
	return status == CTL_OK && !works ? CTL_FAILED : status;
}

static int explain_argument(struct explain *e, const char *argument)
{
	struct cache_objects objects;
	int status, worst = CTL_OK;

	if (is_locator(argument)) {
		json_t *object = json_object();
		bool works = explain_locator(e, argument, object);

		status = print(e, object);
		return status == CTL_OK && !works ? CTL_FAILED : status;
	}
	status = cache_objects(&e->context, argument, &objects);
	if (status != CTL_OK)
		return status;
	for (size_t i = 0; i < objects.n; i++) {
		status = explain_keys(e, &objects.keys[i], i == 0);
		worst = status == CTL_OK ? worst : status;
	}
	cache_objects_end(&objects);
	return worst;
}

int ctl_explain(int argc, char *argv[])
{
	struct explain e = { .context = CONTEXT_INIT };
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		if (opt == OPT_SOCKET)
			e.daemon.socket = optarg;
		else
			context_option(&e.context, opt);
	}
	if (argc - optind != 1)
		return ctl_usage(syntax.command, "one object is expected");
	status = context_open(&e.context, CONTEXT_READ | CONTEXT_ORIGINS);
	if (status == CTL_OK) {
		e.daemon.error = e.daemon_error;
		e.daemon.seconds = 5;
		e.daemon.socket = e.daemon.socket ?: e.context.config->control_socket;
		status = explain_argument(&e, argv[optind]);
	}
	context_close(&e.context);
	return status;
}
