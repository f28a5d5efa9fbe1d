/* SPDX-License-Identifier: MIT */
/*
 * Gives the requests of a trace to the device of a replay, each when it is its turn: not before
 * its recorded time (scaled), and not before every request has been answered here that had been
 * answered before it in the trace. So there are as many at the same time as there were, and memory
 * holds those that are outstanding.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/loop/loop.h"
#include "daemon/replay/catalog.h"
#include "daemon/replay/port-replay.h"

#define FEED_OUTSTANDING_MAX 65536
#define FEED_READ_MAX	     ((uint64_t)256 << 20) /* bytes of an object that one READ wants */

/* One OPEN, READ or CLOSE of the trace, and what became of it here. */
struct feed_request {
	struct port_request port;
	struct catalog_object *object;
	struct catalog_version version; /* what an OPEN should find */
	bool extra;			/* an OPEN that is older than the trace */
	bool recorded_ok;		/* it is known not to have failed in the trace */
	bool recorded_answered;
	uint64_t recorded_took;
	bool undelivered;	  /* the OPEN of its object has failed here */
	bool present;		  /* a READ of bytes that were there at its delivery */
	uint64_t delivered, took; /* ns */
	/* The user's: */
	bool hole;    /* the bytes of a READ were not there at its answer */
	bool outside; /* a READ beyond the end of its object */
	/* private */
	struct trace_request *request; /* borrowed until its end in the trace */
	uint32_t id;		       /* of an OPEN, in the trace */
	uint64_t time;		       /* of the trace */
	uint64_t at;		       /* offset of its record */
	bool over, recorded_over, owed;
	TAILQ_ENTRY(feed_request) link;
};

struct feed_events {
	/* All with the request borrowed for the call. */
	void (*delivered)(void *arg, struct feed_request *request);
	void (*answered)(void *arg, struct feed_request *request);
	/* Answered here, and over in the trace: nothing more will be known of it. Not for CLOSE. */
	void (*judged)(void *arg, struct feed_request *request);
	/* A fetch or store of the trace. */
	void (*worked)(void *arg, const struct trace_record *record);
	/* What no daemon may do; object NULL: of none. */
	void (*breach)(void *arg, const struct catalog_object *object, const char *what);
	/* May another request be delivered now? */
	bool (*may_go)(void *arg);
	/* Everything is answered; or, with a sentence, the trace cannot be replayed further. */
	void (*ended)(void *arg, const char *why);
};

struct feed_config {
	struct loop *loop;
	struct catalog *catalog;
	const char *trace;
	double speed;	   /* 0: as fast as it goes */
	bool virtual_time; /* of the loop */
	struct feed_events events;
	void *arg;
};

struct feed_stats {
	uint64_t records, opens, reads, closes; /* delivered */
	uint64_t strays;	/* requests of the trace that make no sense, not delivered */
	uint64_t recorded_time; /* ns, from its first request to the latest that was reached */
	uint64_t outstanding;	/* delivered, not answered */
	bool whole;		/* the end of the trace was reached */
};

struct feed;

/* error: CATALOG_ERROR_MAX bytes. */
int feed_new(struct feed **ret, const struct feed_config *config, char *error);
struct feed *feed_free(struct feed *feed);

/* For its device, with the feed as argument. */
extern const struct port_replay_events feed_port_events;

void feed_start(struct feed *feed, struct port_replay *port);
/* Delivers nothing more; answers still come. */
void feed_stop(struct feed *feed);
/* may_go() may say something else now. */
void feed_kick(struct feed *feed);
/* After the device is closed: judged() for what is left. */
void feed_finish(struct feed *feed);

struct feed_stats feed_stats(const struct feed *feed);
