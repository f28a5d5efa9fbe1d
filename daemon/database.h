/* SPDX-License-Identifier: MIT */
/*
 * What our SQLite files have in common: how they are made (0600, WAL), what makes them ours
 * (user_version), and what becomes of one that is not. Results are primary codes of SQLite, or one
 * of our own.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* The file is sound, but not a database that we can use. */
#define DATABASE_FOREIGN (-1)
/* One that a later version of us has written. */
#define DATABASE_NEWER (-2)
/* Nothing is in it yet, and the kind has no schema to put there. */
#define DATABASE_EMPTY (-3)
/* A directory, a symbolic link or the like has its name. */
#define DATABASE_NO_FILE (-4)

struct database_kind {
	const char *name;     /* begins our lines of the log */
	const char *schema;   /* of a new file; or NULL: it is not ours to make */
	const char *settings; /* of each connection */
	/* [N - 1] makes version N + 1 of N; NULL: other versions than this one are foreign. Run in
	 * one transaction, as the schema is. */
	const char *const *upgrades;
	int64_t version; /* from 1; kept as user_version */
	int patience_ms; /* how long others may be in the way */
};

/* SQLITE_OK, or the reason with everything closed again. flags: SQLITE_OPEN_... */
int database_open(sqlite3 **ret, const struct database_kind *kind, const char *path, int flags);

/* Whether a file that others may have open is sound; nothing is changed, and its tables may be
 * anybody's. SQLITE_OK, or the reason. */
int database_quick_check(const char *path);

/* A statement that is kept. DATABASE_FOREIGN: it does not fit the tables. */
int database_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql);

/* Resets a statement and lets go of what was bound to it. */
void database_release(sqlite3_stmt *stmt);

/* First column of the first row. */
int database_number(sqlite3 *db, const char *sql, int64_t *ret);

/* Creates the file (0600), and dir (0700) when it is missing. SQLITE_OK; DATABASE_NO_FILE; or
 * SQLITE_CANTOPEN, with errno. */
int database_make_file(const char *dir, const char *path);

/* Can it be set aside, or is it the disk, somebody else, or a later version? */
bool database_is_spoiled(int result);

/* Renames the file (or what has its name) and its log to PATH.bad-N, N from 1 to 9, and says so in
 * the log; false (also logged): it is where it was. */
bool database_set_aside(const struct database_kind *kind, const char *path, int result);

const char *database_reason(int result);
