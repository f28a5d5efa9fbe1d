/* SPDX-License-Identifier: MIT */
/*
 * What feed.c and feed-trace.c share: the feed itself. feed-trace.c makes requests of records,
 * feed.c gives them to the device.
 */
#pragma once

#include "daemon/replay/feed.h"
#include "daemon/trace/file.h"

/* An object id of the trace that is open. */
struct feed_handle {
	uint32_t id;
	struct port_handle *handle; /* NULL: its OPEN has not been delivered */
	UT_hash_handle hh;
};

TAILQ_HEAD(feed_list, feed_request);

struct feed {
	struct feed_config config;
	struct port_replay *port;
	struct trace_reader *reader;
	struct trace_requests *requests;
	struct feed_handle *handles; /* by id of the trace */
	struct feed_list ready;	     /* read, not given to the device */
	unsigned int alive;	     /* requests that are not judged */
	unsigned int owed;	     /* answered in the trace, not here */
	uint64_t start;		     /* loop time of the first request */
	uint64_t first;		     /* trace time of it */
	bool started, read_all, stopped, ended;
	int err; /* the first one from inside a callback */
	struct loop_timer timer;
	struct loop_deferred again;
	struct feed_stats stats;
};

/* ---- feed-trace.c ------------------------------------------------------------------------ */

/* For the join of the second pass, with the feed as argument. */
extern const struct trace_requests_callbacks feed_trace_callbacks;

/* Takes one record of the trace in; false: it was the last, or nothing can follow. */
bool feed_read_record(struct feed *f);

struct feed_handle *feed_handle_find(const struct feed *f, uint32_t id);
void feed_handle_free(struct feed *f, struct feed_handle *h);

/* It has been answered in the trace, and must be here before anything else begins. */
void feed_request_owe(struct feed *f, struct feed_request *m);
/* It is over here; judged and freed where it is in the trace, too. */
void feed_request_over(struct feed *f, struct feed_request *m);
void feed_request_free(struct feed *f, struct feed_request *m);

/* ---- feed.c ------------------------------------------------------------------------------ */

/* Everything is over, or with a sentence, nothing more can be replayed. */
void feed_end(struct feed *f, const char *why);
void feed_fail_at(struct feed *f, uint64_t at, const char *what);
