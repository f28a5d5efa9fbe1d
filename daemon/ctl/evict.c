/* SPDX-License-Identifier: MIT */
/* cachefillctl evict: what is cached of an image or an object goes, by the daemon. */
#include <stdio.h>

#include "daemon/ctl/cache.h"
#include "daemon/ctl/daemon.h"
#include "daemon/ctl/json.h"

static const struct option options[] = {
	CONTEXT_OPTION_JSON,
	{ "socket", required_argument, NULL, DAEMON_OPT_SOCKET },
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl evict",
	"h",
	options,
	"Usage: cachefillctl evict [OPTION]... IMAGE|OBJECT...\n"
	"\n"
	"Drops what is cached of these, pinned or not; the next reader has it fetched\n"
	"again. What a mount uses is not dropped, and that is an error.\n"
	"\n"
	"      --json             print JSON, one object a line\n"
	"      --socket PATH      where the daemon listens (control-socket in\n"
	"                         cachefilld.conf)\n" CONTEXT_HELP "\n"
	"See cachefillctl-cache(1).\n",
};

static int say_evicted(const struct cache_key *key, uint64_t bytes, bool json)
{
	char name[CACHE_NAME_MAX], size[32];
	json_t *line;

	cache_name(key->volume, key->cookie, name, sizeof(name));
	if (!json) {
		printf("%10s  %s\n", ctl_bytes(bytes, size, sizeof(size)), name);
		return CTL_OK;
	}
	line = json_pack("{s:s}", "object", name);
	ctl_json_u64(line, "freed", bytes);
	return ctl_json_line(line) < 0 ? ctl_error("out of memory") : CTL_OK;
}

static int evict_object(const struct daemon *d, const struct cache_key *key, bool json)
{
	char volume[1024], cookie[1024];
	json_t *answer;
	int status;

	bytes_print(key->volume, volume, sizeof(volume));
	bytes_print(key->cookie, cookie, sizeof(cookie));
	status = daemon_ask(d, "POST", "/v1/evict",
			    json_pack("{ss ss}", "volume", volume, "cookie", cookie), &answer);
	if (status != CTL_OK)
		return status;
	status = say_evicted(key, daemon_number(answer, "freed_bytes"), json);
	json_decref(answer);
	return status;
}

/* All that can be; but a daemon that is not there, or not for us, is asked once. */
static int evict(struct context *c, const struct daemon *d, const char *argument)
{
	struct cache_objects objects;
	int status = cache_objects(c, argument, &objects);

	for (size_t i = 0; status <= CTL_FAILED && i < objects.n; i++) {
		int one = evict_object(d, &objects.keys[i], c->json);

		status = one != CTL_OK ? one : status;
	}
	cache_objects_end(&objects);
	return status;
}

int ctl_evict(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	struct daemon daemon = { 0 };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (!daemon_option(&daemon, opt))
			context_option(&context, opt);
	if (optind == argc)
		return ctl_usage(syntax.command, "IMAGE or OBJECT is missing");
	status = context_open(&context, CONTEXT_READ);
	for (int i = optind, ok = status == CTL_OK; ok && i < argc; i++) {
		int one = evict(&context, &daemon, argv[i]);

		ok = one <= CTL_FAILED;
		status = one != CTL_OK ? one : status;
	}
	context_close(&context);
	return status;
}
