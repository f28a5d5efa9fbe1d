/* SPDX-License-Identifier: MIT */
/*
 * One fetch-and-store of one range of one object:
 *
 *      QUEUED ---> FETCHING ---> DRAINING ---> (gone)
 *         |            |  bytes arrive, whole blocks are stored while more arrive
 *         |            `-- failed or cancelled: what has arrived is still stored
 *         `--------------------------------------^
 *
 * Where the disk is full while a reader waits, and room can be made, a flight is parked with its
 * bytes until that has been done (struct engine_room).
 *
 * Flights of one object never overlap: the blocks of each are claimed in the object's residency,
 * so a range is fetched once however many readers want it. Demands wait on the flight that will
 * bring their next missing block and are woken as soon as that is stored.
 */
#pragma once

#include "daemon/engine/object.h"
#include "daemon/engine/sched.h"
#include "daemon/engine/sink.h"

#define FLIGHT_BLOCKS (BUFPOOL_BLOCK_MAX / 4096)

enum flight_state { FLIGHT_QUEUED, FLIGHT_FETCHING, FLIGHT_DRAINING };

struct flight {
	struct object *object;
	enum flight_state state;
	enum flight_class class;
	uint64_t from, to;    /* blocks */
	uint8_t *buf;	      /* of the pool, from FETCHING on */
	uint64_t filled;      /* bytes in buf that may be stored, from the front */
	uint64_t stored;      /* bytes in the cache file, from the front */
	uint64_t wake_at;     /* bytes that the most modest waiter wants; UINT64_MAX: no waiter */
	uint64_t wished;      /* ns: when it was made, */
	uint64_t begun;	      /* began at the origin, */
	uint64_t arrived;     /* last brought bytes (0: none so far), */
	uint64_t fetched;     /* was done there (0: it is not), */
	uint64_t write_begun; /* and last began to write to the cache file */
	int err;	      /* the first thing that went wrong */
	bool writing;
	uint64_t wanted_until; /* ns: a demand was made for it that is answered by then; 0: none */
	bool full;	       /* the cache took a write no more: nothing else is stored */
	bool parked;	       /* on sched->parked: its bytes wait for room on the disk */
	bool narrow;	       /* it was cut off, and is not extended again */
	struct engine_prefetch *prefetch; /* is told of its end, or NULL */
	struct demand_list waiters;
	struct fetch_read read;
	struct sink_write write;
	TAILQ_ENTRY(flight) object_link;
	TAILQ_ENTRY(flight) queue_link; /* in a queue of its source, or in sched->parked */
};

/* Claims blocks [from, to), at most FLIGHT_BLOCKS, all free, and queues the fetch, for a demand
 * that is answered by `until` (ns), or (0) as read-ahead. -ENOMEM. */
int flight_new(struct object *object, uint64_t until, uint64_t from, uint64_t to);

/* The same for a prefetch, which is told of its end. */
int flight_new_prefetch(struct object *object, uint64_t from, uint64_t to,
			struct engine_prefetch *prefetch);

/* The same for bytes that are here already: buf (of the pool, consumed also on failure). */
int flight_new_filled(struct object *object, uint64_t from, uint64_t to, void *buf);

/* The flight that covers this block, or NULL. */
struct flight *flight_find(const struct object *object, uint64_t block);

/* Lets a queued flight take blocks up to `to` as well, if it ends at `from`. */
bool flight_extend(struct object *object, uint64_t until, uint64_t from, uint64_t to);

/* A queued flight is of so many blocks from its front only; who waits for others goes on there. */
void flight_cut(struct flight *flight, uint64_t blocks);

/* demand->pos is in [from, to): it is served by this flight, or answered with its error, unless it
 * only joined what was under way and that may pass: then it gets a flight of its own. */
void flight_wait(struct flight *flight, struct engine_demand *demand);
void flight_unwait(struct engine_demand *demand);

/* Called by the scheduler with a buffer for the whole range. */
void flight_start(struct flight *flight, void *buf);

/* Ends it as soon as what is under way has come back; a queued one at once. */
void flight_cancel(struct flight *flight);

/* There is room again, or there will be none for now. */
void flight_unpark(struct flight *flight, bool made);

/* What its most modest waiter wants has come: it is not the origin that keeps it waiting. */
static inline bool flight_is_here(const struct flight *flight)
{
	return flight->fetched || flight->filled >= flight->wake_at;
}

static inline uint64_t flight_bytes(const struct flight *flight)
{
	return (flight->to - flight->from) * 4096;
}
