/* SPDX-License-Identifier: MIT */
/*
 * What must be remembered across restarts: which bytes an object's cache file holds. One SQLite
 * database in the state directory; the data itself, and which of it is present, is the kernel's
 * business (SEEK_DATA / SEEK_HOLE).
 *
 * Losing the database costs a new look at the origins and new fetches, never correctness: a cache
 * file without a record is of unknown origin and is dropped before it is opened, and a database
 * that is not the one which the cache was last used with has no records. All calls are synchronous
 * and short; none is on the path of a READ.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/util/bytes.h"
#include "daemon/util/verified.h"

struct state;

/*
 * What stands in place of a locator where the cached bytes are those that the cookie names,
 * wherever they came from. Behind it stands which digest all of them were verified by, where they
 * were.
 */
#define STATE_CONTENT "content:"

/* What is known of the cached bytes as a whole, against the digest in the validator. */
enum state_check {
	STATE_UNCHECKED,
	STATE_RIGHT,
	STATE_WRONG, /* they are to go */
};

struct state_object {
	uint64_t size;	     /* bytes, as given in copen */
	char locator[4096];  /* where the bytes came from, as by locator_record() */
	char validator[256]; /* as the fetcher gave it, may be empty */
	bool whole;	     /* compressed image: must be complete before its first block is */
	enum state_check check; /* set by state_set_check() alone: a new record is unchecked */
};

/*
 * Opens or creates DIR/state.db (0600). What is damaged, or no database of ours, is set aside as
 * state.db.bad-N with a log line, and an empty one is used: service goes on. DIR NULL, a directory
 * that cannot be written, a database that somebody else has locked or that a later version has
 * written, which is left to that one: kept in memory, with a warning.
 */
int state_open(struct state **ret, const char *dir);

/*
 * From now on the records speak for what is in this cache: both are marked with the same number,
 * which changes with each record that is taken back, so that no other database, nor an older copy
 * of this one, is ever believed. The records of one that does not belong to the cache are
 * forgotten. cache: the cache's directory, borrowed for life; O_PATH does. 0; -EIO, or why the mark
 * cannot be read: the directory cannot be marked (logged); -ENOMEM.
 */
int state_claim(struct state *state, int cache);

struct state *state_close(struct state *state);

/* For tools: what DIR/state.db has on record, whoever has it open. Changes nothing. 0; -ENOENT,
 * also where there is no database; -EACCES, -EBUSY, -EIO. */
int state_peek(const char *dir, struct bytes volume, struct bytes cookie, struct state_object *ret);

/* The same of many, by one connection. Takes NULL, returns NULL. */
struct state_records;
int state_records_open(struct state_records **ret, const char *dir);
int state_records_get(struct state_records *records, struct bytes volume, struct bytes cookie,
		      struct state_object *ret);
struct state_records *state_records_close(struct state_records *records);

/* 0; -ENOENT: no record; -EIO: the database failed (logged). volume without its NUL. */
int state_get(struct state *state, struct bytes volume, struct bytes cookie,
	      struct state_object *ret);

/*
 * state_put() inserts or replaces. A replaced record is gone for good before the new one is used
 * (durable order), so that a power cut never leaves an old validator beside new bytes. What the
 * disk does not take is kept in memory until it does. -EIO (logged): nothing has changed, so no
 * other bytes may be cached; -EINVAL: a field is too long.
 */
int state_put(struct state *state, struct bytes volume, struct bytes cookie,
	      const struct state_object *object);
int state_forget(struct state *state, struct bytes volume, struct bytes cookie);

/* The same for a record of bytes that are not there, which does no harm: where the disk does not
 * take that, it stays, and all others are believed after a restart. -EIO: it has stayed. */
int state_prune(struct state *state, struct bytes volume, struct bytes cookie);

/*
 * The keys of the record that comes next, in the order of keys, after those that are given; empty
 * ones are before all. They are in buf, where those before may be. 0; -ENOENT: there is none;
 * -EIO: the database failed (logged). What the disk has not taken yet is not among them.
 */
#define STATE_KEYS_MAX 1024
int state_next(struct state *state, struct bytes *volume, struct bytes *cookie,
	       uint8_t buf[static STATE_KEYS_MAX]);

/* How far the bytes of a record are verified. */
enum verified state_verified(const struct state_object *object);

/*
 * The bytes of a record were looked at. It goes with the record. What cannot be written is not
 * remembered (logged): they are looked at once more then.
 */
void state_set_check(struct state *state, struct bytes volume, struct bytes cookie,
		     enum state_check check);
