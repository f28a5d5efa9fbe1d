/* SPDX-License-Identifier: MIT */
/*
 * One cache object while it is open: its identity, what of it is present, who waits for it, and
 * the flights that bring the rest.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/engine/readahead.h"
#include "daemon/engine/residency.h"
#include "daemon/engine/sched.h"
#include "daemon/util/table.h"

TAILQ_HEAD(demand_list, engine_demand);

/* Superblock, root directory, first inodes: so much of an image is fetched when it is opened. */
#define HEAD_LEN ((size_t)128 << 10)

struct object {
	struct engine *engine;
	struct sched *sched;
	struct source *source;
	struct fetcher *fetcher;      /* of the source, or one in front of it; NULL: an orphan */
	struct fetch_object *remote;  /* owned */
	char *name;		      /* owned, printable */
	char *locator;		      /* owned */
	char *validator;	      /* owned; "" where the origin gives none */
	uint64_t number;	      /* from 1, in the order of their making */
	uint64_t marks[OBJECT_MARKS]; /* the observers' */
	uint64_t size;
	unsigned int refs; /* opens; 0: only flights keep it */
	bool failing;	   /* inside object_fail() */
	enum verified verified;
	bool orphan;	   /* nobody knows of which version it is: nothing is fetched */
	struct sink *sink; /* NULL before engine_attach() and after its close */
	struct residency residency;
	struct readahead readahead;
	struct demand_list demands; /* all that are not answered */
	struct flight_list flights;
	void *flight_tree; /* tsearch(3), by range */

	/* The first bytes, which came with the look at the origin; owned, of the pool, or NULL.
	 * They are stored as soon as the kernel takes them: buffers must not wait for a reader. */
	void *head;
	size_t head_len;
	bool head_more; /* what follows, up to HEAD_LEN, is as likely to be wanted */
	struct loop_timer head_timer;
	unsigned int head_tries;

	/*
	 * A compressed image that is not complete: its READs are held until it is, and its first
	 * block is stored last, so that a half-fetched one cannot be mounted after a crash either.
	 */
	bool whole;
	bool compressed;      /* it was, when it was opened */
	uint64_t progress_at; /* ns, when bytes were last stored */
	uint64_t stored;      /* bytes, by this object */

	struct loop_timer quiet; /* armed: errors of this object are only counted */
	unsigned int muted;

	int last_err;	    /* 0: nothing has failed yet */
	char *last_error;   /* owned: what failed, or NULL */
	uint64_t failed_at; /* ns */

	size_t volume_len, key_len;
	UT_hash_handle hh;
	uint8_t key[]; /* volume, NUL, cookie */
};

struct object_params {
	struct bytes volume, cookie;
	const char *locator;
	const struct fetch_identity *identity;
	struct fetcher *fetcher; /* NULL: that of the source */
	bool whole;
	bool orphan; /* attached at no fetcher */
};

/* The key in one run of bytes: volume, NUL, cookie. */
static inline size_t object_key_len(struct bytes volume, struct bytes cookie)
{
	return volume.len + 1 + cookie.len;
}

static inline void object_key(uint8_t *key, struct bytes volume, struct bytes cookie)
{
	memcpy(key, volume.data, volume.len);
	key[volume.len] = '\0';
	memcpy(key + volume.len + 1, cookie.data, cookie.len);
}

/* Makes an object with one reference; attaches it at its fetcher. -ENOMEM, -EINVAL. */
int object_new(struct object **ret, struct engine *engine, struct sched *sched,
	       struct source *source, uint64_t readahead_max, const struct object_params *params);

/* Frees it when nothing refers to it any more. */
void object_reap(struct object *object);

/* Answers each demand with err and cancels each flight. */
void object_fail(struct object *object, int err);

/* Begins to store the first bytes, if there are some. */
void object_store_head(struct object *object);

/* Sets a demand going again after the flight it waited for stored more, or ended. */
void demand_continue(struct engine_demand *demand);
void demand_answer(struct engine_demand *demand, int err);

/* A flight has got or stored something, or has ended (err: how). */
void object_progress(struct object *object);
void object_flight_ended(struct object *object, int err);

/* Logs a failure of this object with its locator, at most once a second. */
void object_log_failure(struct object *object, const char *what, int err, const char *detail);
