/* SPDX-License-Identifier: MIT */
/* The table of routes, and what is asked of every request before it reaches one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/control-internal.h"
#include "daemon/util/bytes.h"

const struct control_route control_routes[] = {
	{ "GET", "/v1", "", "", control_get_index, "the routes" },
	{ "GET", "/v1/status", "", "", control_get_status, "what the daemon is and does" },
	{ "GET", "/v1/objects", "after limit volume cookie", "", control_get_objects,
	  "open objects" },
	{ "GET", "/v1/objects/*", "", "", control_get_object, "one of them, by its number" },
	{ "GET", "/v1/flights", "limit", "", control_get_flights, "fetches under way" },
	{ "GET", "/v1/origins", "", "", control_get_origins, "where bytes come from" },
	{ "GET", "/v1/images", "after limit", "", control_get_images, "images that were added" },
	{ "GET", "/v1/images/active", "", "", control_get_active_images,
	  "what is done for each image" },
	{ "GET", "/v1/slowest", "limit", "", control_get_slowest,
	  "requests of the last minute that took longest" },
	{ "GET", "/v1/names", "id validator image", "", control_get_names,
	  "whose a thing is: a descriptor, a digest, an image" },
	{ "POST", "/v1/purge", "", "volume cookie", control_post_purge,
	  "forget what a key means, or all keys of a volume" },
	{ "POST", "/v1/evict", "", "volume cookie", control_post_evict,
	  "drop what is cached of an object that nobody uses" },
	{ "POST", "/v1/gc", "", "dry_run", control_post_gc,
	  "drop what nobody needs any more, or say what that is" },
	{ "GET", "/v1/prefetch", "", "", control_get_prefetches, "jobs that prefetch" },
	{ "GET", "/v1/prefetch/*", "", "", control_get_prefetch, "one of them, by its number" },
	{ "POST", "/v1/prefetch", "", "name objects rate requests plan job more",
	  control_post_prefetch, "begin one" },
	{ "POST", "/v1/prefetch/cancel", "", "job", control_post_prefetch_cancel, "end it" },
	{ "GET", "/v1/log-level", "", "", control_get_log_level, "how much is logged" },
	{ "PUT", "/v1/log-level", "", "level", control_put_log_level, "change that" },
	{ "GET", "/v1/trace", "", "", control_get_trace, "the recording of requests" },
	{ "POST", "/v1/trace/start", "", "path", control_post_trace_start, "begin one" },
	{ "POST", "/v1/trace/stop", "", "", control_post_trace_stop, "end it" },
	{ "POST", "/v1/reload", "", "", control_post_reload, "read the configuration anew" },
	{ "GET", "/v1/events", "slow-ms", "", control_get_events,
	  "what happens from now on, a JSON line each" },
	{ "GET", "/metrics", "", "", control_get_metrics, "for Prometheus" },
	{ NULL },
};

void control_get_index(struct control *c, const struct control_request *request,
		       struct control_answer *a)
{
	json_t *routes = json_array();

	for (const struct control_route *r = control_routes; r->method; r++)
		json_array_append_new(routes, json_pack("{ss ss ss ss ss}", "method", r->method,
							"path", r->path, "query", r->params, "body",
							r->fields, "help", r->help));
	control_answer_json(a, json_pack("{so}", "routes", routes));
}

/* What stands for the "*", or "" where there is none; NULL: another path. */
static const char *path_match(const char *pattern, const char *path)
{
	size_t n = strcspn(pattern, "*");

	if (strncmp(pattern, path, n) != 0)
		return NULL;
	if (pattern[n] == '\0')
		return path[n] == '\0' ? path + n : NULL;
	return path[n] && !strchr(path + n, '/') ? path + n : NULL;
}

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; n > 0 && (at = strstr(at, word)); at++)
		if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0') &&
		    !strchr(word, ' '))
			return true;
	return false;
}

static bool refuse_unknown(struct control_answer *a, const char *what, const char *name,
			   const char *known)
{
	char shown[200], hint[256];

	if (has_word(known, name))
		return true;
	if (*known)
		snprintf(hint, sizeof(hint), "There are: %s.", known);
	control_fail(a, 400, *known ? hint : "Leave it out: there is none here.",
		     "there is no %s \"%s\" here", what,
		     bytes_print(bytes_str(name), shown, sizeof(shown)));
	return false;
}

static bool check_params(const struct control_route *route, const struct control_request *r,
			 struct control_answer *a)
{
	for (size_t i = 0; i < r->uri->n_params; i++)
		if (!refuse_unknown(a, "parameter", r->uri->params[i].name, route->params))
			return false;
	return true;
}

/* An empty body is an object without fields. */
static json_t *read_fields(const struct control_route *route, const struct control_request *r,
			   struct control_answer *a)
{
	json_t *fields = r->body_len == 0 ? json_object() : NULL;
	json_error_t error;
	const char *name;
	json_t *value;

	if (r->body_len > 0)
		fields = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, &error);
	if (!fields) {
		control_fail(a, r->body_len ? 400 : 503, "Send a JSON object, as UTF-8.",
			     r->body_len ? "the body is no JSON: line %d: %s" : "%.0d%s",
			     r->body_len ? error.line : 0,
			     r->body_len ? error.text : "out of memory");
		return NULL;
	}
	if (!json_is_object(fields)) {
		control_fail(a, 400, "Send {...}.", "the body is no JSON object");
		json_decref(fields);
		return NULL;
	}
	json_object_foreach(fields, name,
			    value) if (!refuse_unknown(a, "field", name, route->fields))
	{
		json_decref(fields);
		return NULL;
	}
	return fields;
}

static bool may(const struct control_request *r, struct control_answer *a)
{
	bool reads = strcmp(r->method, "GET") == 0;

	if (r->access == CONTROL_CHANGE || (reads && r->access == CONTROL_READ))
		return true;
	if (r->access == CONTROL_READ)
		control_fail(a, 403, "Ask as root.",
			     "members of the group may look, and only root may change something");
	else
		control_fail(a, 403,
			     "Ask as root, or become a member of the group of the socket "
			     "(control-group in cachefilld.conf).",
			     "you are neither root nor a member of the socket's group");
	return false;
}

static void run(struct control *c, const struct control_route *route, struct control_request *r,
		struct control_answer *a)
{
	json_t *fields;

	if (!check_params(route, r, a))
		return;
	fields = read_fields(route, r, a);
	if (!fields)
		return;
	r->fields = fields;
	a->status = 200;
	route->handle(c, r, a);
	json_decref(fields);
	c->requests++;
}

static void not_found(const struct control_request *r, struct control_answer *a, const char *allow)
{
	char shown[256];

	bytes_print(bytes_str(r->uri->path), shown, sizeof(shown));
	a->allow = allow;
	if (allow)
		control_fail(a, 405, "See GET /v1.", "%s understands %s alone", shown, allow);
	else
		control_fail(a, 404, "See GET /v1 for what there is.", "there is no %s", shown);
}

/* What a path understands that has GET already. */
static const char *together(const char *method)
{
	return strcmp(method, "POST") == 0 ? "GET, POST" : "GET, PUT";
}

void control_handle(struct control *c, struct control_request *r, struct control_answer *a)
{
	const char *allow = NULL;

	*a = (struct control_answer){ 0 };
	if (!may(r, a)) {
		c->denied++;
		return;
	}
	for (const struct control_route *route = control_routes; route->method; route++) {
		r->rest = path_match(route->path, r->uri->path);
		if (!r->rest)
			continue;
		if (strcmp(route->method, r->method) == 0) {
			run(c, route, r, a);
			return;
		}
		allow = allow ? together(route->method) : route->method;
	}
	not_found(r, a, allow);
}
