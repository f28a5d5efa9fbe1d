/* SPDX-License-Identifier: MIT */
/*
 * While the disk takes nothing, records are kept in a temporary table of the same connection, which
 * is in memory, and each later change tries to write them all. A record that cannot be taken back
 * on the disk would be believed after a restart: the cache is disclaimed first.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/state-internal.h"
#include "daemon/util/log.h"

static const char table[] = "PRAGMA temp_store = MEMORY;"
			    "CREATE TEMP TABLE later("
			    " volume BLOB NOT NULL, cookie BLOB NOT NULL,"
			    " size INTEGER, locator TEXT, validator TEXT, whole INTEGER,"
			    " PRIMARY KEY(volume, cookie)) WITHOUT ROWID;";

int state_later_prepare(struct state *state)
{
	int r = sqlite3_exec(state->db, table, NULL, NULL, NULL);

	if (r == SQLITE_OK)
		r = database_prepare(state->db, &state->later_get,
				     "SELECT size, locator, validator, whole, 0 FROM temp.later"
				     " WHERE volume = ?1 AND cookie = ?2");
	if (r == SQLITE_OK)
		r = database_prepare(
			state->db, &state->later_put,
			"REPLACE INTO temp.later(volume, cookie, size, locator, validator, whole)"
			" VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
	return r;
}

void state_later_finalize(struct state *state)
{
	sqlite3_finalize(state->later_get);
	sqlite3_finalize(state->later_put);
}

int state_later_get(struct state *state, struct bytes volume, struct bytes cookie,
		    struct state_object *ret)
{
	sqlite3_stmt *stmt = state->later_get;
	int r;

	if (state->n_later == 0)
		return -EAGAIN;
	state_bind_key(stmt, volume, cookie);
	r = sqlite3_step(stmt);
	if (r == SQLITE_DONE)
		r = -EAGAIN;
	else if (r != SQLITE_ROW)
		r = -EIO;
	else if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		r = -ENOENT;
	else
		r = state_read_row(stmt, ret);
	database_release(stmt);
	return r;
}

int state_later_put(struct state *state, struct bytes volume, struct bytes cookie,
		    const struct state_object *object, int result)
{
	const char *why = sqlite3_errstr(result & 0xff);

	if (!state->path) {
		log_error("state: a record cannot be changed: %s", why);
		return -EIO;
	}
	if (state->n_later == 0)
		log_warning("state: %s takes no records (%s): they are kept in memory until it "
			    "does; after a restart before that, what is cached now is fetched "
			    "again",
			    state->path, why);
	if (!object && !state_claim_drop(state))
		return -EIO;
	state_bind_key(state->later_put, volume, cookie);
	if (object)
		state_bind_object(state->later_put, object);
	if (state_run(state->later_put) != SQLITE_OK) {
		log_error("state: a record cannot be kept in memory: %s",
			  sqlite3_errmsg(state->db));
		return -EIO;
	}
	state->n_later++; /* or one more than there are: only 0 means something */
	return 0;
}

static int write_all(struct state *state)
{
	int r = sqlite3_exec(
		state->db,
		"DELETE FROM main.object WHERE (volume, cookie) IN"
		" (SELECT volume, cookie FROM temp.later);"
		"INSERT INTO main.object(volume, cookie, size, locator, validator, whole)"
		" SELECT volume, cookie, size, locator, validator, whole FROM temp.later"
		" WHERE size IS NOT NULL;",
		NULL, NULL, NULL);

	if (r == SQLITE_OK)
		r = state_claim_renew(state);
	if (r == SQLITE_OK)
		r = sqlite3_exec(state->db, "DELETE FROM temp.later", NULL, NULL, NULL);
	return r;
}

int state_later_flush(struct state *state)
{
	int r;

	if (state->n_later == 0)
		return SQLITE_OK;
	r = state_begin(state);
	if (r == SQLITE_OK)
		r = write_all(state);
	r = state_end(state, r);
	if (r != SQLITE_OK)
		return r;
	state->n_later = 0;
	if (state_claim_mark(state))
		log_notice("state: %s takes records again: what was kept in memory is written",
			   state->path);
	return SQLITE_OK;
}
