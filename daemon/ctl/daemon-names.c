/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl whois, purge.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

static const struct option longs[] = { DAEMON_OPTIONS, { NULL } };

/* ---- whois -------------------------------------------------------------------------------- */

static const struct ctl_syntax whois_syntax = {
	"cachefillctl whois",
	"h",
	longs,
	"Usage: cachefillctl whois [OPTION]... ID|IMAGE|VALIDATOR\n"
	"\n"
	"Says which objects are meant by an id of the kernel's, the name of an image as\n"
	"it is mounted, or an ETag or a digest.\n"
	"\n" DAEMON_HELP,
};

static void print_name(const json_t *name)
{
	char size[32];

	printf("%s/%s\n", daemon_text(name, "volume"), daemon_text(name, "cookie"));
	if (json_is_true(json_object_get(name, "absent"))) {
		puts("  the origin had no such object when it was asked last");
		return;
	}
	printf("  size      %s\n", ctl_bytes(daemon_number(name, "size"), size, sizeof(size)));
	printf("  locator   %s\n", daemon_text(name, "locator"));
	printf("  validator %s\n", daemon_text(name, "validator"));
	printf("  source    %s\n", daemon_text(name, "source"));
	if (json_object_get(name, "id"))
		printf("  open as   %llu\n", (unsigned long long)daemon_number(name, "id"));
}

static bool is_id(const char *text)
{
	return *text && strlen(text) <= 10 && strspn(text, "0123456789") == strlen(text);
}

/* An exit status; *ret has at least one name where that is CTL_OK and there are some. */
static int ask(const struct daemon *d, const char *kind, const char *what, json_t **ret)
{
	_cleanup_free_ char *value = daemon_encode(what), *uri = NULL;

	if (!value || asprintf(&uri, "/v1/names?%s=%s", kind, value) < 0)
		return ctl_error("out of memory");
	return daemon_ask(d, "GET", uri, NULL, ret);
}

/* A word may be the name of an image or a validator: whichever is known. */
static int find(const struct daemon *d, const char *what, json_t **ret)
{
	int status = ask(d, is_id(what) ? "id" : "validator", what, ret);

	if (status != CTL_OK || is_id(what) || daemon_number(*ret, "found") > 0)
		return status;
	json_decref(*ret);
	return ask(d, "image", what, ret);
}

int ctl_whois(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer, *name;
	int status;
	size_t i;

	if (!daemon_options(&daemon, &whois_syntax, argc, argv, &status))
		return status;
	if (argc - optind != 1)
		return ctl_usage(whois_syntax.command, "one thing is expected");
	status = find(&daemon, argv[optind], &answer);
	if (status != CTL_OK)
		return status;
	if (daemon_number(answer, "found") == 0)
		status = ctl_error("%s: nothing that is open or remembered is meant by it",
				   argv[optind]);
	if (daemon.json) {
		ctl_json_line(answer);
		return status;
	}
	json_array_foreach(json_object_get(answer, "names"), i, name) print_name(name);
	json_decref(answer);
	return status;
}

/* ---- purge -------------------------------------------------------------------------------- */

static const struct ctl_syntax purge_syntax = {
	"cachefillctl purge",
	"h",
	longs,
	"Usage: cachefillctl purge [OPTION]... VOLUME[/COOKIE]\n"
	"\n"
	"Forgets what a key means, or what all keys of a volume mean, so that the next\n"
	"open goes by the rules and asks the origin. Cached bytes stay.\n"
	"\n" DAEMON_HELP,
};

int ctl_purge(int argc, char *argv[])
{
	struct daemon daemon = { 0 };
	json_t *answer;
	char *cookie;
	int status;

	if (!daemon_options(&daemon, &purge_syntax, argc, argv, &status))
		return status;
	if (argc - optind != 1)
		return ctl_usage(purge_syntax.command, "one key is expected");
	cookie = strchr(argv[optind], '/');
	if (cookie)
		*cookie++ = '\0';
	status = daemon_ask(&daemon, "POST", "/v1/purge",
			    json_pack("{ss ss*}", "volume", argv[optind], "cookie", cookie),
			    &answer);
	if (status != CTL_OK)
		return status;
	if (daemon.json)
		return ctl_json_line(answer) < 0 ? ctl_error("out of memory") : CTL_OK;
	printf("%llu forgotten\n", (unsigned long long)daemon_number(answer, "forgotten"));
	json_decref(answer);
	return CTL_OK;
}
