/* SPDX-License-Identifier: MIT */
/*
 * The engine: names in, bytes in the cache file out. An API with clients: the kernel front end,
 * the prefetcher and the control socket now, a second front end later. It knows keys, origins and
 * descriptors; it never sees a message id, an opcode or an ioctl.
 *
 * Every request ends in its done(), exactly once, before its deadline, whatever the origin, the
 * disk or our memory does, and never from inside the call that started it. Trouble of a request
 * ends in that request; nothing here is fatal for the daemon.
 *
 * Order of life for one object:
 *
 *   engine_open() ... done(object) -> tell the kernel the size -> engine_attach(sink)
 *      -> engine_demand() ... done(), any number at once
 *   engine_close() ... done() -> the sink's descriptor may be closed
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/engine/resolve.h"
#include "daemon/loop/loop.h"
#include "daemon/names/names.h"
#include "daemon/util/bytes.h"
#include "daemon/util/log.h"
#include "daemon/util/verified.h"
#include "fetchers/fetcher.h"

struct engine;
struct engine_demand;
struct engine_observer;
struct engine_open;
struct engine_room;
struct object;
struct flight;
struct opening;
struct state;

/* Bytes of both keys of an object: those of an OPEN fit a message of 1 KiB. */
#define ENGINE_KEY_MAX 1024

/* A `source` of the configuration: a rule, and the fetcher that serves what it matches. */
struct engine_source_config {
	const char *name;
	const char *place;	  /* where it fetches from, for the observer: a template */
	struct resolve_rule rule; /* without a locator: no key is looked for there */
	struct fetcher *fetcher;  /* freed by the caller after engine_free() */
	uint64_t open_deadline;	  /* ns from the start of a request to its answer */
	uint64_t read_deadline;
	uint64_t positive_ttl;	   /* ns: what a key means is remembered for this long */
	uint64_t negative_ttl;	   /* ns: so is that the origin has no such object */
	unsigned int max_requests; /* at the origin at the same time, at least 1 */
	bool revalidate; /* ask the origin at each first OPEN whether the object changed */
	bool refuse_compressed;
};

/* One piece of work that has ended now: bytes, and times of loop_now(). */
struct engine_work {
	uint64_t off, len;
	uint64_t wished; /* queued since */
	uint64_t begun;	 /* at the origin or the disk since */
	int err;	 /* 0 or a negative errno */
};

/* How much a fetch was wanted when it ended: what is queued is promoted when a reader waits for it.
 */
enum engine_class {
	ENGINE_DEMAND,
	ENGINE_AHEAD,
	ENGINE_PREFETCH,
	ENGINE_CLASSES,
};

/* What an object is whose cookie names its content. Text is borrowed until the next call. */
struct engine_known {
	const char *locator;
	struct fetch_identity identity;
	bool whole;		 /* compressed: as in struct state_object */
	uint32_t source;	 /* its limits: of engine_config.sources, or that was added */
	struct fetcher *fetcher; /* of the source, or one in front of it; it outlives the object */
};

/*
 * Objects that are known without an origin: it is asked before all else at each open, and what it
 * says is never checked at the origin, and never remembered. A cookie of its means the same bytes
 * for ever: where they lie may change, and what is cached of them stays.
 */
struct engine_catalog {
	/*
	 * 0; -ENOENT: it knows nothing, and the rules are asked; any other error, which it has
	 * logged, is how the open ends. It may call engine_add_source() to engine_replace_source(),
	 * and nothing else.
	 */
	int (*find)(struct engine_catalog *catalog, struct engine *engine, struct bytes volume,
		    struct bytes cookie, struct engine_known *ret);
	/* Optional: who fetches a locator that no rule makes any more. May call the same. */
	int (*place)(struct engine_catalog *catalog, struct engine *engine, const char *locator,
		     uint32_t *ret_source, struct fetcher **ret_fetcher);
	/* Optional, for the log: a name of people's for it, borrowed until the next call; or NULL.
	 */
	const char *(*image)(struct engine_catalog *catalog, struct bytes volume,
			     struct bytes cookie);
};

/*
 * Who makes room in the cache. Where there is nobody, a full disk is an error of each write. Called
 * from inside the engine: it must not call back from there but by object_...().
 */
struct engine_room {
	/* Little is left: nothing is fetched that no reader waits for. */
	bool scarce;
	/*
	 * The disk has refused a write that a reader waits for. true: room is being made, and
	 * engine_room_made() comes; false: none can be made now, which is in the log.
	 */
	bool (*wanted)(struct engine_room *room);
	/* Is it the disk that refuses, or only an object that is not ready yet? */
	bool (*is_full)(struct engine_room *room);
};

/* Text and arrays are borrowed for the engine's life; what is added, until it is replaced. */
struct engine_config {
	struct loop *loop;
	struct state *state;
	const struct engine_source_config *sources;
	size_t n_sources;
	size_t n_spare;			  /* more, that engine_add_source() may add */
	struct engine_catalog *catalog;	  /* or NULL */
	uint64_t buffers;		  /* bytes */
	uint64_t readahead_max;		  /* bytes */
	uint64_t names_max;		  /* bytes of names that are remembered; 0: none are */
	uint64_t slow_request;		  /* ns: one that took longer is logged; 0: none is */
	struct engine_observer *observer; /* the first that is told, or NULL */
	struct engine_room *room;	  /* or NULL */
};

int engine_new(struct engine **ret, const struct engine_config *config);

/*
 * One more source: nothing matches it but what the catalog gives to it. Its number is that of those
 * before it and one. -ENOSPC: there are n_spare already.
 */
int engine_add_source(struct engine *engine, const struct engine_source_config *source,
		      uint32_t *ret_number);

/*
 * Of those that were added, one with no object and nothing under way, for longer than any other.
 * false: all are in use.
 */
bool engine_idle_source(const struct engine *engine, uint32_t *ret_number);

/* An idle source is another one from now on, with the same number: all before is over. */
void engine_replace_source(struct engine *engine, uint32_t number,
			   const struct engine_source_config *source);

/* All sources that there are now, by number. visit() must not call the engine. */
void engine_each_source(const struct engine *engine,
			void (*visit)(void *arg, uint32_t number,
				      const struct engine_source_config *source),
			void *arg);

/* After engine_shutdown() is done. Takes NULL, returns NULL. */
struct engine *engine_free(struct engine *engine);

/*
 * Fails every request with -ESHUTDOWN, cancels every flight, and calls done() when nothing is in
 * flight any more; new requests fail the same way. Objects stay until they are closed.
 */
void engine_shutdown(struct engine *engine, void (*done)(void *), void *arg);

/* ---- observing ---------------------------------------------------------------------------- */

/*
 * Told of work as it ends, for recording and measuring. Called from inside the engine: it must not
 * call back but by the object_...() below, and cannot fail. Arguments are borrowed for the call.
 * A member that is NULL is not told.
 */
struct engine_observer {
	/* There is one more source, or another one with this number. */
	void (*added)(struct engine_observer *observer, uint32_t source,
		      const struct engine_source_config *config);
	/* An object exists now, with its pinned identity. */
	void (*opened)(struct engine_observer *observer, struct object *object);
	/* Bytes may be stored in it from now on. */
	void (*attached)(struct engine_observer *observer, struct object *object);
	/* Nobody has it open any more. */
	void (*closed)(struct engine_observer *observer, struct object *object);
	/* How an engine_open() and an engine_demand() end: done() follows. */
	void (*answered)(struct engine_observer *observer, const struct engine_open *open, int err);
	void (*served)(struct engine_observer *observer, struct object *object,
		       const struct engine_demand *demand, int err);
	/*
	 * An origin has answered a look, or nobody waits for its answer any more (-ETIMEDOUT,
	 * -ESHUTDOWN). size: 0 unless err is 0.
	 */
	void (*looked)(struct engine_observer *observer, const struct engine_open *open,
		       uint32_t source, uint64_t size, uint64_t begun, int err);
	/* A ranged read has ended with `got` right bytes from the front. */
	void (*fetched)(struct engine_observer *observer, struct object *object,
			const struct engine_work *work, uint64_t got, enum engine_class class);
	/* A write to the cache file has ended; work->len is what was stored. */
	void (*stored)(struct engine_observer *observer, struct object *object,
		       const struct engine_work *work, enum engine_class class);
	/* private */
	TAILQ_ENTRY(engine_observer) link;
};

/* One more observer, told after those before it. It is borrowed until it is taken away. */
void engine_observe(struct engine *engine, struct engine_observer *observer);
void engine_unobserve(struct engine *engine, struct engine_observer *observer);

/* ---- waiting ------------------------------------------------------------------------------ */

enum engine_request_kind {
	ENGINE_REQUEST_OPEN,
	ENGINE_REQUEST_READ,
};

/* Private: what an open and a demand have in common. Times of loop_now(). An observer of their end
 * may read where the time went; what is in none of the three went elsewhere. */
struct engine_request {
	TAILQ_ENTRY(engine_request) link;
	enum engine_request_kind kind;
	uint64_t since, due;
	uint64_t queued, origin, disk; /* ns spent so far */
	uint64_t mark;		       /* what was spent until then is in there */
};

enum engine_wait {
	ENGINE_WAIT_QUEUED,  /* for its turn at the origin */
	ENGINE_WAIT_BUFFERS, /* the same, and the origin would take it */
	ENGINE_WAIT_ORIGIN,  /* for bytes, or for the answer to a look */
	ENGINE_WAIT_DISK,    /* to be written into the cache file */
	ENGINE_WAIT_WHOLE,   /* for all of a compressed image */
	ENGINE_WAIT_ANSWER,  /* it is on its way */
};

/* A request that is not answered yet. Text is borrowed until the next call; times of loop_now(). */
struct engine_waiting {
	enum engine_request_kind kind;
	struct bytes volume, cookie;
	const char *source; /* its name; NULL: none so far */
	uint64_t off, len;  /* of a read */
	uint64_t since;
	uint64_t due; /* answered by then */
	enum engine_wait wait;
	uint64_t wait_since;
	uint64_t progress_at;	     /* bytes came last; 0: none have */
	uint64_t got, wanted;	     /* bytes of the fetch that it waits for */
	unsigned int running, ahead; /* at its origin; in the queue there, before it */
};

/* The one that waits for the longest; false: nobody waits. */
bool engine_oldest(const struct engine *engine, struct engine_waiting *ret);

/* What it waits for, in words; now: loop_now(). */
void engine_waiting_print(const struct engine_waiting *waiting, uint64_t now, char *buf, size_t n);

/* ---- open and close ---------------------------------------------------------------------- */

struct engine_open {
	/* Borrowed until done(). volume without its NUL. */
	struct bytes volume, cookie;

	/*
	 * Called before done() when bytes that the cache may hold for this key are of another
	 * version, or nobody knows of which: they must not be served. 0 or a negative errno, which
	 * fails the open.
	 */
	int (*discard)(struct engine_open *open);

	/* err 0: object is the caller's until engine_close(). */
	void (*done)(struct engine_open *open, int err, struct object *object);

	/*
	 * It is in use already, with cached bytes of one version, and was opened by an earlier
	 * daemon: its file has live_size bytes, rounded up to 4 KiB. See engine_open().
	 */
	bool live;
	uint64_t live_size;

	/* private */
	struct engine_request request;
	struct loop_deferred answer;
	struct engine *engine;
	struct opening *opening;
	struct object *object;
	uint64_t begun; /* ns */
	int err;
	TAILQ_ENTRY(engine_open) link;
};

/* Never needs the network for an object that is known. What the origin does not have fails without
 * asking it again within negative_ttl. A key that is open already gives the same
 * object again (a reopen), with a reference of its own.
 *
 * What is live is never refused but for want of memory, never looked at, and nothing is dropped: it
 * is the version that is on record. Where that is not known, or cannot be had any more, its demands
 * fail with -ESTALE until everybody has closed it. */
void engine_open(struct engine *engine, struct engine_open *open);

/* Bytes; the same for a key as long as its identity is pinned. */
uint64_t object_size(const struct object *object);

/* A number of its own, from 1, never given again by this engine. */
uint64_t object_number(const struct object *object);

/* What it was opened with: borrowed, like the locator (which may hold secrets) and validator. */
struct bytes object_volume(const struct object *object);
struct bytes object_cookie(const struct object *object);
const char *object_locator(const struct object *object);
const char *object_validator(const struct object *object);
uint32_t object_source(const struct object *object);	/* index in engine_config.sources */
bool object_is_compressed(const struct object *object); /* fetched before its first READ */
bool object_is_complete(const struct object *object);	/* all of it is known to be cached */
uint64_t object_stored(const struct object *object);	/* bytes, since it was opened */

/* Numbers of observers, 0 at first: what each has noted of this object. */
enum object_mark {
	OBJECT_MARK_RECORDING,
	OBJECT_MARK_IMAGE,
	OBJECT_MARKS,
};

uint64_t object_mark(const struct object *object, enum object_mark which);
void object_set_mark(struct object *object, enum object_mark which, uint64_t mark);

/* What its locator and validator promise, until somebody knows more. */
enum verified object_verified(const struct object *object);
void object_set_verified(struct object *object, enum verified verified);

/* "volume/cookie" in printable form, for logs. */
const char *object_name(const struct object *object);

/* For log_about(); borrowed, as long as the object and until the next call. */
struct log_subject object_subject(const struct object *object);

/* The same of keys, also of what is not open; origin: the name of a source, or NULL. */
struct log_subject engine_subject(const struct engine *engine, struct bytes volume,
				  struct bytes cookie, const char *origin);

/*
 * Where an object's bytes are stored: a descriptor that takes direct, 4 KiB-aligned, positioned
 * writes and answers SEEK_DATA / SEEK_HOLE. Owned by the client.
 */
struct sink {
	int fd;
	uint32_t id; /* by which engine_whois_id() finds the object; used again after a close */
	/* private */
	uint64_t generation; /* of all that were ever attached; 0: it was not */
	unsigned int writes; /* under way */
	bool proven;	     /* one write has succeeded */
	struct engine_room *room;
	struct engine_close *closing;
};

/* From now on bytes may be written to it. It replaces an earlier sink of the same object. */
void engine_attach(struct object *object, struct sink *sink);

struct engine_close {
	/* No write to the sink is under way any more, and none will start. */
	void (*done)(struct engine_close *close);
	/* private */
	struct loop_deferred answer;
	struct sink *sink;
};

/*
 * Gives one reference back. Demands that came by this object fail with -ECANCELED when it was the
 * last one, before done(). `sink` may be one that was never attached.
 */
void engine_close(struct object *object, struct sink *sink, struct engine_close *close);

/* ---- demand ------------------------------------------------------------------------------ */

struct engine_demand {
	uint64_t off, len; /* bytes, any; rounded out to 4 KiB and cut at the object's end */

	/*
	 * 0: all of it that lies inside the object is in the cache file. Otherwise a negative
	 * errno; part of it may be there.
	 */
	void (*done)(struct engine_demand *demand, int err);

	/* private */
	struct engine_request request;
	struct object *object;
	struct flight *flight; /* the one that it waits for */
	struct loop_timer deadline;
	struct loop_deferred answer;
	uint64_t pos, end; /* blocks still to come */
	uint64_t begun;	   /* ns */
	int err;
	bool answered;
	TAILQ_ENTRY(engine_demand) link;	/* in object->demands */
	TAILQ_ENTRY(engine_demand) flight_link; /* in flight->waiters */
};

void engine_demand(struct object *object, struct engine_demand *demand);

/* ---- prefetch ---------------------------------------------------------------------------- */

/*
 * One fetch of what nobody has asked for. It begins when no reader waits for the same origin, and
 * only in what half of the requests there and half of all buffers leave over; what has not begun
 * gives way to a reader who wants the same bytes.
 */
struct engine_prefetch {
	uint64_t max; /* bytes of the fetch; it may have to be shorter */
	/* Where to look for what is missing; then what is being fetched, or was looked through. */
	uint64_t off, len;

	/* Bytes from `off` that are in the cache file now. err: 0, or why it is not all of them;
	 * -ECANCELED: it gave way, or the object was closed; -ENOSPC: little of the disk is left;
	 * error: more about it, or "". */
	void (*done)(struct engine_prefetch *prefetch, uint64_t stored, int err, const char *error);

	/* Told by engine_prefetch(), unless it fails. */
	uint64_t size; /* of the object */
	bool busy;     /* somebody else is fetching some of what was looked through */

	/* private */
	struct loop *loop;
	struct flight *flight; /* NULL: it has ended */
	struct loop_deferred answer;
	uint64_t stored;
	int err;
	char error[FETCH_ERROR_MAX];
};

/*
 * 1: done() comes. 0: nothing is to be fetched in what was looked through, which may be less than
 * was asked. -ENOENT: it is not open; -ENOBUFS: the kernel is not ready yet; -EBUSY: it is a
 * compressed image, which is fetched as a whole in any case; -ESTALE: nobody can have its version
 * any more; -ESHUTDOWN, -ENOMEM, or of lseek(2).
 */
int engine_prefetch(struct engine *engine, struct bytes volume, struct bytes cookie,
		    struct engine_prefetch *prefetch);

/* It has not begun: readers go first. */
bool engine_prefetch_waits(const struct engine_prefetch *prefetch);

/* done() does not come any more, and what nobody else waits for ends early. */
void engine_prefetch_drop(struct engine_prefetch *prefetch);

/* ---- names ------------------------------------------------------------------------------- */

/*
 * Forgets what is remembered of one key, or (cookie NULL) of all of a volume: the next open goes by
 * the rules, the state and the origin again. What is cached stays, and so does what is open. What
 * an origin says to those who ask now is not remembered either. How many were forgotten.
 */
size_t engine_purge(struct engine *engine, struct bytes volume, const struct bytes *cookie);

/*
 * The names of open objects, and of others as far as they are remembered. visit() must not call the
 * engine; what it is given is borrowed for the call. Each name comes once; how many there were.
 *
 *   id         of the open object with this sink.id; generation 0: of whoever has it now
 *   validator  all with these bytes, as far as a validator tells
 *   image      all of its own volume, and the image itself in every domain
 */
size_t engine_whois_id(const struct engine *engine, uint32_t id, uint64_t generation,
		       names_visit *visit, void *arg);
size_t engine_whois_validator(const struct engine *engine, const char *validator,
			      names_visit *visit, void *arg);
size_t engine_whois_image(const struct engine *engine, struct bytes image, names_visit *visit,
			  void *arg);

/* ---- room in the cache ------------------------------------------------------------------- */

/* After wanted(): writes that wait are tried again, or (made false) fail with -ENOSPC. */
void engine_room_made(struct engine *engine, bool made);

/* Whether somebody has this key open, or waits for it. */
bool engine_is_open(const struct engine *engine, struct bytes volume, struct bytes cookie);

/* Whether it is known which bytes are cached of a key, and nothing wrong of them; if not, they are
 * dropped when it is opened. */
bool engine_is_recorded(const struct engine *engine, struct bytes volume, struct bytes cookie);

/*
 * All that is on record, one after the other: the keys after those that are given, of which empty
 * ones are the first. They are in buf, where those before may be. 0; -ENOENT: there are no more;
 * -EIO.
 */
int engine_next_record(const struct engine *engine, struct bytes *volume, struct bytes *cookie,
		       uint8_t buf[static ENGINE_KEY_MAX]);

/* What was cached of a key is gone: so is what is on record and remembered of it, unless it is open
 * again already. */
void engine_forget(struct engine *engine, struct bytes volume, struct bytes cookie);

/* The same of a key of which nothing is cached. -EBUSY: it is open; -EIO: the disk does not take
 * that now, and the record stays. */
int engine_forget_record(struct engine *engine, struct bytes volume, struct bytes cookie);

/*
 * The bytes that are cached of a key were compared with its digest: that is put on record, and a
 * first open of what is wrong drops it, wherever it is remembered.
 */
void engine_checked(struct engine *engine, struct bytes volume, struct bytes cookie, bool right);

/* ---- counters ---------------------------------------------------------------------------- */

struct engine_stats {
	uint64_t opens, opens_failed;
	uint64_t demands, demands_failed, demand_bytes;
	uint64_t fetches, fetch_bytes; /* ranged reads at the origins, and what they brought */
	uint64_t looks;
	uint64_t remembered, remembered_absent; /* opens: key found in memory; and failed by it */
	uint64_t known;				/* opens: found in the catalog */
	uint64_t inherited, orphans; /* opens: of live objects; and of them, without a version */
	uint64_t stored_bytes;
	uint64_t objects; /* open now */
};

struct engine_stats engine_stats(const struct engine *engine);

/* ---- what there is now -------------------------------------------------------------------- */

/* Views are borrowed for the call. No visit() may call the engine but by object_...(). */

struct engine_gauges {
	uint64_t opens, demands; /* that wait for their answer */
	uint64_t flights;	 /* in any state */
	uint64_t buffers_used, buffers_max;
	struct names_stats names;
};

void engine_gauges(const struct engine *engine, struct engine_gauges *ret);

struct object_view {
	unsigned int opens;   /* references */
	unsigned int demands; /* that wait */
	unsigned int flights; /* in any state */
	bool attached;	      /* there is a sink, with this id */
	uint32_t id;
	bool filling;		/* a compressed image that is not complete */
	uint64_t cached;	/* bytes that are known to be in its file */
	int last_err;		/* what failed last, since it was opened; 0: nothing */
	const char *last_error; /* more about it, or "" */
	uint64_t failed_at;	/* ns, of last_err */
};

void object_look(const struct object *object, struct object_view *ret);

/* Open objects with a number above `after`, in the order of their numbers, until visit() says
 * false. */
void engine_each_object(const struct engine *engine, uint64_t after,
			bool (*visit)(void *arg, const struct object *object), void *arg);

/* Borrowed, and without a reference: until it is closed. NULL: it is not open. */
const struct object *engine_peek_object(const struct engine *engine, struct bytes volume,
					struct bytes cookie);

struct flight_view {
	const struct object *object;
	const char *state; /* "queued", "fetching", "storing" */
	enum engine_class class;
	uint64_t off, len;	 /* bytes */
	uint64_t filled, stored; /* bytes from its front */
	uint64_t wished, begun;	 /* ns, as in struct engine_work; begun 0: not yet */
	unsigned int waiters;	 /* demands */
};

/* Until visit() says false. */
void engine_each_flight(const struct engine *engine,
			bool (*visit)(void *arg, const struct flight_view *flight), void *arg);

struct source_view {
	unsigned int running;		/* requests at the origin */
	unsigned int looks, demands;	/* that wait for their turn */
	unsigned int ahead, prefetches; /* so do these */
	uint64_t buffers;		/* bytes that it holds */
};

void engine_look_at_source(const struct engine *engine, uint32_t number, struct source_view *ret);
