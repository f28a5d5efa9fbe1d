/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/explain.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

/* As what is asked for is written. Owned by the caller; NULL: no memory. */
static char *encoded(struct bytes key)
{
	char text[2048];

	return daemon_encode(bytes_print(key, text, sizeof(text)));
}

/* NULL: there is no such thing, or no daemon, which is asked no more then. */
static json_t *ask(struct explain *e, const char *uri)
{
	json_t *answer = NULL;
	int status;

	if (e->absent)
		return NULL;
	status = daemon_ask(&e->daemon, "GET", uri, NULL, &answer);
	if (!e->asked)
		e->absent = status != CTL_OK;
	e->asked = true;
	return status == CTL_OK ? answer : NULL;
}

static bool is_of(const json_t *name, const char *member, struct bytes key)
{
	char text[2048];

	return strcmp(daemon_text(name, member), bytes_print(key, text, sizeof(text))) == 0;
}

static void add_remembered(struct explain *e, struct bytes volume, struct bytes cookie,
			   json_t *object)
{
	_cleanup_free_ char *key = encoded(cookie), *uri = NULL;
	json_t *answer, *name;
	size_t i;

	if (!key || asprintf(&uri, "/v1/names?image=%s", key) < 0)
		return;
	answer = ask(e, uri);
	json_array_foreach(json_object_get(answer, "names"), i,
			   name) if (is_of(name, "volume", volume) && is_of(name, "cookie", cookie))
		json_object_set(object, "remembered", name);
	json_decref(answer);
}

static void add_open(struct explain *e, struct bytes volume, struct bytes cookie, json_t *object)
{
	_cleanup_free_ char *v = encoded(volume), *c = encoded(cookie), *uri = NULL;
	json_t *answer;

	if (!v || !c || asprintf(&uri, "/v1/objects?volume=%s&cookie=%s", v, c) < 0)
		return;
	answer = ask(e, uri);
	if (answer)
		json_object_set_new(object, "open", answer);
}

/* How its source does: of all objects together. */
static void add_origin(struct explain *e, json_t *object)
{
	const char *source = daemon_text(json_object_get(object, "source"), "name");
	json_t *answer = ask(e, "/v1/origins"), *origin;
	size_t i;

	json_array_foreach(json_object_get(answer, "origins"), i,
			   origin) if (*source && strcmp(daemon_text(origin, "name"), source) == 0)
		json_object_set(object, "origin", origin);
	json_decref(answer);
}

void explain_daemon(struct explain *e, struct bytes volume, struct bytes cookie, json_t *object)
{
	/* First what is never refused, so that a refusal of another is not taken for an absence. */
	add_origin(e, object);
	if (e->absent) {
		json_set_text(object, "no_daemon", bytes_str(e->daemon_error));
		return;
	}
	add_remembered(e, volume, cookie, object);
	add_open(e, volume, cookie, object);
}
