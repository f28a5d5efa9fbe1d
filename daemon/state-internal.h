/* SPDX-License-Identifier: MIT */
/*
 * What state.c, state-claim.c and state-later.c share: the state itself.
 */
#pragma once

#include <sys/stat.h>

#include "daemon/database.h"
#include "daemon/state.h"

#define STATE_VERSION 3

/* Rows for state_read_row(). */
#define STATE_GET                                                          \
	"SELECT size, locator, validator, whole, checked FROM main.object" \
	" WHERE volume = ?1 AND cookie = ?2"

#define STATE_CLAIM_MAX 40 /* bytes of a claim, with its NUL */

struct state {
	sqlite3 *db;	   /* owned, as are the statements */
	sqlite3_stmt *get; /* ?1 volume, ?2 cookie in all of them */
	sqlite3_stmt *put; /* ?3 size, ?4 locator, ?5 validator, ?6 whole */
	sqlite3_stmt *forget;
	sqlite3_stmt *check; /* ?3 enum state_check */
	sqlite3_stmt *next;

	char *path;	    /* owned; NULL: in memory */
	struct stat opened; /* the file that db is of */
	bool moved;	    /* it is there no more, and that has been said */

	int cache;	 /* borrowed: the directory of the cache; -1: nothing was claimed */
	bool disclaimed; /* what is on the disk does not speak for the cache any more */

	/* What the disk did not take, in a temporary table; size NULL: forgotten. */
	sqlite3_stmt *later_get, *later_put;
	size_t n_later;
};

/* A key for a statement, which keeps it until database_release(). */
void state_bind_key(sqlite3_stmt *stmt, struct bytes volume, struct bytes cookie);
void state_bind_object(sqlite3_stmt *stmt, const struct state_object *object);

/* Runs and resets a statement without rows: a code of SQLite. */
int state_run(sqlite3_stmt *stmt);

/* A transaction that is on the disk, with all before it, when it has ended: codes of SQLite. With
 * another r than SQLITE_OK, which is returned, nothing of it has happened. */
int state_begin(struct state *state);
int state_end(struct state *state, int r);

/* Closes the database, and goes on with an empty one; says why. false: no memory, nothing is open.
 */
bool state_use_memory(struct state *state, const char *why);

/* A row of size, locator, validator, whole; -EIO (logged): it is damaged. */
int state_read_row(sqlite3_stmt *stmt, struct state_object *ret);

/* ---- state-claim.c: which database speaks for a cache ------------------------------------- */

/* Writes another claim into the database, in the transaction that is open. A code of SQLite. */
int state_claim_renew(struct state *state);
/* The cache gets the claim of the database. false: it could not be written; logged. */
bool state_claim_mark(struct state *state);
/* The cache gets one that no database has. false: it could not be written; logged. */
bool state_claim_drop(struct state *state);

/* ---- state-later.c: while the disk takes nothing ------------------------------------------ */

int state_later_prepare(struct state *state);
void state_later_finalize(struct state *state);

/* 0; -ENOENT: it has been forgotten; -EAGAIN: the database knows. */
int state_later_get(struct state *state, struct bytes volume, struct bytes cookie,
		    struct state_object *ret);
/* object NULL: forgets it. result: what the disk says. 0, or -EIO (logged). */
int state_later_put(struct state *state, struct bytes volume, struct bytes cookie,
		    const struct state_object *object, int result);
/* Tries to write all of it. SQLITE_OK: nothing is left. */
int state_later_flush(struct state *state);
