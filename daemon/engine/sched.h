/* SPDX-License-Identifier: MIT */
/*
 * Admission: which look or flight may start now. Opens first, since a mount waits unkillably, then
 * demands; read-ahead runs only in what a reserve of requests and buffers leaves over, and is
 * promoted when a demand lands on it. Prefetches come last, in a smaller part, and while nobody
 * waits. Each origin has its own limit and queues, so that a slow one does not hold up the others;
 * nor does it by the buffers that it keeps: what it may hold is a part of those that are free, and
 * as many as it has filled lately.
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "daemon/engine/bufpool.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/observers.h"
#include "daemon/engine/waiting.h"

enum flight_class {
	FLIGHT_DEMAND = ENGINE_DEMAND, /* a reader sleeps */
	FLIGHT_AHEAD = ENGINE_AHEAD,   /* nobody waits yet */
	FLIGHT_PREFETCH = ENGINE_PREFETCH,
	FLIGHT_CLASSES = ENGINE_CLASSES,
};

TAILQ_HEAD(flight_list, flight);
TAILQ_HEAD(opening_list, opening);

struct source {
	const struct engine_source_config *config;
	struct opening_list looks; /* not started yet */
	struct flight_list queue[FLIGHT_CLASSES];
	unsigned int demands; /* of its objects, that have no answer yet */
	unsigned int running; /* looks and fetches at the origin */
	uint64_t bytes;	      /* of buffers that they hold */
	uint64_t earned[2];   /* bytes that came in the second of now, and in the one before */
	uint64_t second;      /* of loop_now(): that is now */
	uint64_t distance;    /* ns until an answer begins; 0: not known */
	unsigned int objects; /* that are open, or that flights keep */
	uint64_t idle_since;  /* ns: when the last of them went */
};

struct sched {
	struct loop *loop;
	struct observer_list observers;
	struct engine_room *room;  /* or NULL */
	struct flight_list parked; /* flights that wait for it */
	struct bufpool *pool;	/* owned */
	struct source *sources; /* owned; room for those that may be added */
	size_t n_sources, next;
	struct loop_deferred run;
	void (*ran)(struct sched *sched); /* whatever could start has been started */
	struct loop_timer idle;
	unsigned int flights;	     /* all that exist, in any state */
	unsigned int opens, demands; /* that have no answer yet */
	struct engine_stats stats;
	struct waiting waiting; /* all requests that are not answered */
};

int sched_init(struct sched *sched, const struct engine_config *config);
/* At sources[n_sources], which has room. */
void sched_add_source(struct sched *sched, const struct engine_source_config *config);
/* Of one that nothing is of any more. */
void sched_replace_source(struct source *source, const struct engine_source_config *config);
void sched_clear(struct sched *sched);

void sched_enqueue(struct sched *sched, struct flight *flight);
void sched_dequeue(struct sched *sched, struct flight *flight);

/* A demand waits for a flight that is queued as read-ahead. */
void sched_promote(struct sched *sched, struct flight *flight);

void sched_enqueue_look(struct sched *sched, struct opening *opening);
void sched_dequeue_look(struct sched *sched, struct opening *opening);

/* Bytes have come from it. */
void sched_earn(struct sched *sched, struct source *source, uint64_t bytes);

/* So long it took until the bytes of a fetch began to come. */
void sched_note_distance(struct source *source, uint64_t ns);

/* A look or a flight has ended its fetch, or a buffer came back. */
void sched_kick(struct sched *sched);
