/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/database.h"
#include "daemon/util/log.h"

struct state {
	sqlite3 *db;	   /* owned, as are the statements */
	sqlite3_stmt *get; /* ?1 volume, ?2 cookie in all of them */
	sqlite3_stmt *put; /* ?3 size, ?4 locator, ?5 validator, ?6 whole */
	sqlite3_stmt *forget;
};

/* The checks repeat what state_put() refuses, so that quick_check finds what others wrote. */
static const char schema[] =
	"CREATE TABLE object("
	" volume BLOB NOT NULL, cookie BLOB NOT NULL,"
	" size INTEGER NOT NULL CHECK(size >= 0),"
	" locator TEXT NOT NULL CHECK(length(CAST(locator AS BLOB)) < 4096),"
	" validator TEXT NOT NULL CHECK(length(CAST(validator AS BLOB)) < 256),"
	" whole INTEGER NOT NULL,"
	" PRIMARY KEY(volume, cookie)) STRICT, WITHOUT ROWID;";

/*
 * A small cache: the database is asked once per OPEN, never per READ. In WAL mode NORMAL means
 * that a power cut may undo the last commits in order, but never mixes them.
 */
static const char settings[] = "PRAGMA cache_size = -128;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA wal_autocheckpoint = 128;"
			       "PRAGMA synchronous = NORMAL;";

static const struct database_kind kind = {
	.name = "state",
	.schema = schema,
	.settings = settings,
	.version = 1,
	.patience_ms = 1000, /* only a tool that looks into the file can be in the way */
};

static int log_failure(struct state *state, const char *doing)
{
	log_error("state: %s: %s", doing, sqlite3_errmsg(state->db));
	return -EIO;
}

/* ---- open -------------------------------------------------------------------------------- */

static int prepare_statements(struct state *state)
{
	int r = database_prepare(state->db, &state->get,
				 "SELECT size, locator, validator, whole FROM object"
				 " WHERE volume = ?1 AND cookie = ?2");

	if (r == SQLITE_OK)
		r = database_prepare(
			state->db, &state->put,
			"INSERT INTO object(volume, cookie, size, locator, validator, whole)"
			" VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
	if (r == SQLITE_OK)
		r = database_prepare(state->db, &state->forget,
				     "DELETE FROM object WHERE volume = ?1 AND cookie = ?2");
	return r;
}

static void close_database(struct state *state)
{
	sqlite3_finalize(state->get);
	sqlite3_finalize(state->put);
	sqlite3_finalize(state->forget);
	sqlite3_close(state->db);
	*state = (struct state){ 0 };
}

/* SQLITE_OK, or the reason with everything closed again. */
static int open_database(struct state *state, const char *path)
{
	int r = database_open(&state->db, &kind, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	if (r == SQLITE_OK)
		r = prepare_statements(state);
	if (r != SQLITE_OK)
		close_database(state);
	return r < 0 ? r : r & 0xff;
}

static int open_on_disk(struct state *state, const char *dir)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/state.db", dir) >= (int)sizeof(path))
		return SQLITE_CANTOPEN;
	for (int attempt = 0;; attempt++) {
		errno = 0;
		r = database_make_file(dir, path);
		if (r == SQLITE_OK)
			r = open_database(state, path);
		if (r == SQLITE_OK)
			return r;
		if (!database_is_spoiled(r) || attempt > 0 || !database_set_aside(&kind, path, r))
			break;
	}
	log_warning("state: %s cannot be used: %s%s", path,
		    r == SQLITE_CANTOPEN && errno ? strerror(errno) : database_reason(r),
		    r == DATABASE_NEWER ? "; it is left as it is for that one" : "");
	return r;
}

int state_open(struct state **ret, const char *dir)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	if (!dir || open_on_disk(state, dir) != SQLITE_OK) {
		log_warning("state: kept in memory only; what is cached now is fetched again "
			    "after a restart");
		if (open_database(state, ":memory:") != SQLITE_OK) {
			free(state);
			return -ENOMEM;
		}
	}
	*ret = state;
	return 0;
}

struct state *state_close(struct state *state)
{
	if (state)
		close_database(state);
	free(state);
	return NULL;
}

/* ---- records ----------------------------------------------------------------------------- */

static void bind_key(sqlite3_stmt *stmt, struct bytes volume, struct bytes cookie)
{
	/* An empty key is an empty blob, not NULL. The caller's bytes stay until the reset. */
	sqlite3_bind_blob64(stmt, 1, volume.len ? volume.data : (const void *)"", volume.len,
			    SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, 2, cookie.len ? cookie.data : (const void *)"", cookie.len,
			    SQLITE_STATIC);
}

static bool copy_text(sqlite3_stmt *stmt, int column, char *buf, size_t n)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	size_t len = (size_t)sqlite3_column_bytes(stmt, column);

	if (!text || len >= n)
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return true;
}

static int read_row(struct state *state, struct state_object *ret)
{
	sqlite3_stmt *stmt = state->get;
	int64_t size = sqlite3_column_int64(stmt, 0);

	if (size < 0 || !copy_text(stmt, 1, ret->locator, sizeof(ret->locator)) ||
	    !copy_text(stmt, 2, ret->validator, sizeof(ret->validator))) {
		log_error("state: a record is damaged");
		return -EIO;
	}
	ret->size = (uint64_t)size;
	ret->whole = sqlite3_column_int(stmt, 3) != 0;
	return 0;
}

int state_get(struct state *state, struct bytes volume, struct bytes cookie,
	      struct state_object *ret)
{
	struct state_object object;
	int r;

	bind_key(state->get, volume, cookie);
	r = sqlite3_step(state->get);
	if (r == SQLITE_ROW)
		r = read_row(state, &object);
	else
		r = r == SQLITE_DONE ? -ENOENT : log_failure(state, "reading a record");
	database_release(state->get);
	if (r == 0)
		*ret = object;
	return r;
}

static int run(struct state *state, sqlite3_stmt *stmt, const char *doing)
{
	int r = sqlite3_step(stmt);

	r = r == SQLITE_DONE ? 0 : log_failure(state, doing);
	database_release(stmt);
	return r;
}

/* With FULL the commit returns when the log is on the disk, and all earlier commits with it. */
int state_forget(struct state *state, struct bytes volume, struct bytes cookie)
{
	int r;

	if (sqlite3_exec(state->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) != SQLITE_OK)
		return log_failure(state, "forgetting a record");
	bind_key(state->forget, volume, cookie);
	r = run(state, state->forget, "forgetting a record");
	if (sqlite3_exec(state->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) != SQLITE_OK)
		log_failure(state, "going back to fewer syncs");
	return r;
}

static bool same(const struct state_object *a, const struct state_object *b)
{
	return a->size == b->size && a->whole == b->whole && strcmp(a->locator, b->locator) == 0 &&
	       strcmp(a->validator, b->validator) == 0;
}

int state_put(struct state *state, struct bytes volume, struct bytes cookie,
	      const struct state_object *object)
{
	struct state_object old;
	int r;

	if (object->size > INT64_MAX ||
	    strnlen(object->locator, sizeof(object->locator)) == sizeof(object->locator) ||
	    strnlen(object->validator, sizeof(object->validator)) == sizeof(object->validator))
		return -EINVAL;
	r = state_get(state, volume, cookie, &old);
	if (r == 0 && same(&old, object))
		return 0;
	if (r == 0)
		r = state_forget(state, volume, cookie);
	if (r < 0 && r != -ENOENT)
		return r;

	bind_key(state->put, volume, cookie);
	sqlite3_bind_int64(state->put, 3, (int64_t)object->size);
	sqlite3_bind_text(state->put, 4, object->locator, -1, SQLITE_STATIC);
	sqlite3_bind_text(state->put, 5, object->validator, -1, SQLITE_STATIC);
	sqlite3_bind_int(state->put, 6, object->whole);
	return run(state, state->put, "writing a record");
}
