/* SPDX-License-Identifier: MIT */
/*
 * What the files of the control socket share. A request goes from server.c, which knows HTTP, by
 * the table of route.c to the function that answers it, which knows neither sockets nor HTTP.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "daemon/control/activity.h"
#include "daemon/control/control.h"
#include "daemon/control/metrics.h"
#include "daemon/control/uri.h"

struct events;
struct server;
struct stream;

struct control {
	struct control_config config;
	struct server *server; /* owned */
	struct events *events; /* owned */
	struct metrics metrics;
	struct activity activity;
	uint64_t started;	   /* ns, of the loop */
	uint64_t requests, denied; /* answered by a route; refused for who asked */
};

enum control_access {
	CONTROL_NOTHING,
	CONTROL_READ,	/* GET */
	CONTROL_CHANGE, /* everything */
};

struct control_request {
	const char *method;
	const struct uri *uri;
	const char *rest;   /* what stands for the "*" of its route, or NULL */
	const char *accept; /* the types that the client likes, or "" */
	const char *body;
	size_t body_len;
	const json_t *fields; /* of the body: an object, never NULL in a route */
	enum control_access access;
};

struct control_answer {
	unsigned int status; /* of HTTP */
	const char *type;    /* static; NULL: JSON */
	const char *allow;   /* static: the methods that there are, or NULL */
	char *body;	     /* owned, from malloc() */
	size_t len;
	struct stream *stream;	   /* owned: in place of a body */
	struct control_wait *wait; /* in place of all of this: it comes later */
	void (*sent)(void *arg);   /* optional: it was sent, or nobody wants it any more */
	void *arg;
};

/*
 * An answer that something has to end for first. It belongs to the route that began it, which fills
 * the answer, calls ready() once, from the loop and never from inside the route, and frees it.
 */
struct control_wait {
	struct control_answer answer;
	void (*ready)(void *arg); /* takes the answer; NULL: nobody wants it any more */
	void *arg;
};

struct control_route {
	const char *method, *path; /* a last "*" stands for one part */
	const char *params;	   /* names that the query may have, by blanks */
	const char *fields;	   /* names that the body may have, by blanks */
	void (*handle)(struct control *control, const struct control_request *request,
		       struct control_answer *answer);
	const char *help;
};

/* Ends with a method that is NULL. */
extern const struct control_route control_routes[];

/* Fills the answer, whatever the request is. */
void control_handle(struct control *control, struct control_request *request,
		    struct control_answer *answer);

/* {"error": ..., "hint": ..., "status": ...}; the hint says what to do. */
void control_fail(struct control_answer *answer, unsigned int status, const char *hint,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The value becomes the answer; NULL: there was no memory for it. */
void control_answer_json(struct control_answer *answer, json_t *value /* consumed */);
void control_answer_text(struct control_answer *answer, const char *type, char *text, size_t len);

/* ---- what a route is given -------------------------------------------------------------------
 *
 * false: the answer says already what is wrong. */

/* A number of the query; untouched when it is not there. */
bool control_number(const struct control_request *request, struct control_answer *answer,
		    const char *name, uint64_t min, uint64_t max, uint64_t *ret);

struct control_key {
	uint8_t data[1024];
	struct bytes bytes;
	bool given;
};

/* A key as bytes_print() writes it, of the query or of the body. */
bool control_param_key(const struct control_request *request, struct control_answer *answer,
		       const char *name, struct control_key *ret);
bool control_field_key(const struct control_request *request, struct control_answer *answer,
		       const char *name, struct control_key *ret);
/* A text of the body, borrowed, or NULL. */
bool control_field_text(const struct control_request *request, struct control_answer *answer,
			const char *name, const char **ret);
/* true or false; untouched when it is not there. */
bool control_field_bool(const struct control_request *request, struct control_answer *answer,
			const char *name, bool *ret);

/* A number; untouched when it is not there. */
bool control_field_number(const struct control_request *request, struct control_answer *answer,
			  const char *name, uint64_t min, uint64_t max, uint64_t *ret);

/* ---- JSON: 0 or -1 ------------------------------------------------------------------------- */

int control_set_number(json_t *object, const char *name, uint64_t value);
/* ns, as seconds */
int control_set_time(json_t *object, const char *name, uint64_t ns);
/* Without its secrets. */
int control_set_locator(json_t *object, const char *name, const char *locator);
/* Text of somebody else. */
int control_set_text(json_t *object, const char *name, const char *text);
/* "object", "volume", "cookie". */
int control_set_names(json_t *object, const struct object *o);

/* ---- routes -------------------------------------------------------------------------------- */

void control_get_index(struct control *control, const struct control_request *request,
		       struct control_answer *answer);
void control_get_status(struct control *control, const struct control_request *request,
			struct control_answer *answer);
void control_get_objects(struct control *control, const struct control_request *request,
			 struct control_answer *answer);
void control_get_object(struct control *control, const struct control_request *request,
			struct control_answer *answer);
void control_get_flights(struct control *control, const struct control_request *request,
			 struct control_answer *answer);
void control_get_origins(struct control *control, const struct control_request *request,
			 struct control_answer *answer);
void control_get_images(struct control *control, const struct control_request *request,
			struct control_answer *answer);
void control_get_active_images(struct control *control, const struct control_request *request,
			       struct control_answer *answer);
void control_get_slowest(struct control *control, const struct control_request *request,
			 struct control_answer *answer);
void control_get_names(struct control *control, const struct control_request *request,
		       struct control_answer *answer);
void control_post_purge(struct control *control, const struct control_request *request,
			struct control_answer *answer);
void control_post_evict(struct control *control, const struct control_request *request,
			struct control_answer *answer);
void control_post_gc(struct control *control, const struct control_request *request,
		     struct control_answer *answer);
void control_get_prefetches(struct control *control, const struct control_request *request,
			    struct control_answer *answer);
void control_get_prefetch(struct control *control, const struct control_request *request,
			  struct control_answer *answer);
void control_post_prefetch(struct control *control, const struct control_request *request,
			   struct control_answer *answer);
void control_post_prefetch_cancel(struct control *control, const struct control_request *request,
				  struct control_answer *answer);
void control_get_log_level(struct control *control, const struct control_request *request,
			   struct control_answer *answer);
void control_put_log_level(struct control *control, const struct control_request *request,
			   struct control_answer *answer);
void control_get_trace(struct control *control, const struct control_request *request,
		       struct control_answer *answer);
void control_post_trace_start(struct control *control, const struct control_request *request,
			      struct control_answer *answer);
void control_post_trace_stop(struct control *control, const struct control_request *request,
			     struct control_answer *answer);
void control_post_reload(struct control *control, const struct control_request *request,
			 struct control_answer *answer);
void control_get_events(struct control *control, const struct control_request *request,
			struct control_answer *answer);
void control_get_metrics(struct control *control, const struct control_request *request,
			 struct control_answer *answer);
