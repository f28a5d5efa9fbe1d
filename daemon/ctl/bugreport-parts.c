/* SPDX-License-Identifier: MIT */
/* The files of a report: each is what a command prints, or next to it. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/ctl/bugreport.h"
#include "daemon/ctl/json.h"
#include "daemon/kernel/startup.h"
#include "daemon/util/cleanup.h"

/* ---- commands ---------------------------------------------------------------------------------
 */

#define WORDS_MAX 12

/* `words` end with NULL; the options for the place of things are added. */
static int run(struct report *r, int (*command)(int argc, char *argv[]), const char *const *words,
	       bool placed)
{
	const char *const options[][2] = {
		{ "--socket", r->socket },
		{ "--config", placed ? r->context.config_file : NULL },
		{ "--state-dir", placed ? r->context.state_dir_option : NULL },
	};
	const char *argv[WORDS_MAX] = { NULL };
	int n = 0;

	for (; words[n]; n++)
		argv[n] = words[n];
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i][1]) {
			argv[n++] = options[i][0];
			argv[n++] = options[i][1];
		}
	optind = 0; /* GNU: begin anew */
	return command(n, (char **)argv);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* That it has found something is no trouble of the report. */
int report_doctor(void *report)
{
	int status = run(report, ctl_doctor, WORDS("doctor", "--json"), true);

	return status == CTL_FAILED ? CTL_OK : status;
}

/* Those that ask the daemon read the default configuration alone. */
static int ask(struct report *r, int (*command)(int argc, char *argv[]), const char *const *words)
{
	char error[CONFIG_ERROR_MAX];

	if (!r->socket && context_load(&r->context, error) == 0)
		r->socket = r->context.config->control_socket;
	return run(r, command, words, false);
}

int report_status(void *report)
{
	return ask(report, ctl_status, WORDS("status", "--json"));
}

int report_objects(void *report)
{
	return ask(report, ctl_objects, WORDS("objects", "--json"));
}

int report_origins(void *report)
{
	return ask(report, ctl_origins, WORDS("origins", "--json"));
}

int report_flights(void *report)
{
	return ask(report, ctl_flights, WORDS("flights", "--json"));
}

int report_metrics(void *report)
{
	return ask(report, ctl_metrics, WORDS("metrics"));
}

/* ---- the host ---------------------------------------------------------------------------------
 */

int report_version(void *report)
{
	FILE *release = fopen("/etc/os-release", "re");
	struct utsname u;
	char line[256];

	puts("cachefillctl " CACHEFILL_VERSION);
	if (uname(&u) == 0)
		printf("%s %s %s %s\n", u.sysname, u.release, u.version, u.machine);
	while (release && fgets(line, sizeof(line), release))
		if (strncmp(line, "PRETTY_NAME=", 12) == 0)
			fputs(line + 12, stdout);
	if (release)
		fclose(release);
	return CTL_OK;
}

/* As cachefilld --probe; its status says that a daemon could start, and none can while one runs. */
int report_probe(void *report)
{
	struct report *r = report;
	char error[CONFIG_ERROR_MAX];
	struct startup_config startup;

	if (context_load(&r->context, error) < 0)
		return ctl_error("%s", error);
	startup = (struct startup_config){
		.device = r->context.config->device,
		.cache_dir = r->anonymous ? NULL : r->context.config->cache_dir,
		.limits = r->context.config->limits,
	};
	startup_probe(&startup);
	return CTL_OK;
}

/* The unit's last lines; where there is no journal, its absence is in the report. */
int report_log(void *report)
{
	const struct report *r = report;

	if (r->anonymous)
		return CTL_OK;
	execlp("journalctl", "journalctl", "--unit=cachefilld.service", "--lines=2000",
	       "--output=short-iso-precise", "--no-pager", "--quiet", (char *)NULL);
	return ctl_error("journalctl: %m");
}

/* ---- the configuration ------------------------------------------------------------------------
 */

/* A key may be there several times: its values are a list then. */
static void add(json_t *object, const char *key, const char *value)
{
	json_t *text = json_object(), *before = json_object_get(object, key), *list;

	json_set_text(text, key, bytes_str(value));
	if (json_is_array(before)) {
		json_array_append(before, json_object_get(text, key));
	} else if (before) {
		list = json_pack("[O O]", before, json_object_get(text, key));
		json_object_set_new(object, key, list);
	} else {
		json_object_set(object, key, json_object_get(text, key));
	}
	json_decref(text);
}

/* "settings": numbers and words; "places": names, paths and URLs. */
static void take_key(void *arg, const char *key, const char *value, bool plain)
{
	add(json_object_get(arg, plain ? "settings" : "places"), key, value);
}

static json_t *keys_of(const struct config *c, const struct config_source *source)
{
	json_t *object = json_pack("{s{} s{}}", "settings", "places");

	if (source) {
		add(object, "source", source->name);
		add(object, "where", source->where);
	}
	config_each(c, source, take_key, object);
	return object;
}

int report_config(void *report)
{
	struct report *r = report;
	char error[CONFIG_ERROR_MAX];
	const struct config *c;
	json_t *all, *sources;

	if (context_load(&r->context, error) < 0)
		return ctl_error("%s", error);
	c = r->context.config;
	all = keys_of(c, NULL);
	sources = json_array();
	for (size_t i = 0; i < c->n_sources; i++)
		json_array_append_new(sources, keys_of(c, &c->sources[i]));
	json_object_set_new(all, "sources", sources);
	return ctl_json_line(all) < 0 ? ctl_error("out of memory") : CTL_OK;
}
