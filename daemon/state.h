/* SPDX-License-Identifier: MIT */
/*
 * What must be remembered across restarts: which bytes an object's cache file holds. One SQLite
 * database in the state directory; the data itself, and which of it is present, is the kernel's
 * business (SEEK_DATA / SEEK_HOLE).
 *
 * Losing the database costs a new look at the origins and new fetches, never correctness: a cache
 * file without a record is of unknown origin and is dropped before it is opened. All calls are
 * synchronous and short; none is on the path of a READ.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

struct state;

struct state_object {
	uint64_t size;	     /* bytes, as given in copen */
	char locator[4096];  /* where the bytes came from */
	char validator[256]; /* as the fetcher gave it, may be empty */
	bool whole;	     /* compressed image: must be complete before its first block is */
};

/*
 * Opens or creates DIR/state.db (0600). What is damaged, or no database of ours, is set aside as
 * state.db.bad-N with a log line, and an empty one is used: service goes on. DIR NULL, a directory
 * that cannot be written, a database that somebody else has locked or that a later version has
 * written, which is left to that one: kept in memory, with a warning.
 */
int state_open(struct state **ret, const char *dir);
struct state *state_close(struct state *state);

/* 0; -ENOENT: no record; -EIO: the database failed (logged). volume without its NUL. */
int state_get(struct state *state, struct bytes volume, struct bytes cookie,
	      struct state_object *ret);

/* Inserts or replaces. A replaced record is gone for good before the new one is used (durable
 * order), so that a power cut never leaves an old validator beside new bytes. */
int state_put(struct state *state, struct bytes volume, struct bytes cookie,
	      const struct state_object *object);
int state_forget(struct state *state, struct bytes volume, struct bytes cookie);
