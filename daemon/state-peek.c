/* SPDX-License-Identifier: MIT */
/* One record, for tools: beside a daemon, or without one. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/state-internal.h"

/* It takes part in the log of the database, which needs a writable file, and changes nothing. */
static const struct database_kind kind = {
	.name = "state",
	.settings = "PRAGMA cache_size = -128; PRAGMA query_only = ON;",
	.version = STATE_VERSION,
	.patience_ms = 200, /* whoever serves should not wait for us either */
};

static int peek(sqlite3 *db, struct bytes volume, struct bytes cookie, struct state_object *ret)
{
	sqlite3_stmt *stmt = NULL;
	int err = -EIO;

	if (database_prepare(db, &stmt, STATE_GET) != SQLITE_OK)
		return -EIO;
	state_bind_key(stmt, volume, cookie);
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		err = state_read_row(stmt, ret);
		break;
	case SQLITE_DONE:
		err = -ENOENT;
		break;
	default:
		break;
	}
	sqlite3_finalize(stmt);
	return err;
}

int state_peek(const char *dir, struct bytes volume, struct bytes cookie, struct state_object *ret)
{
	char path[PATH_MAX];
	sqlite3 *db;
	int r;

	if (snprintf(path, sizeof(path), "%s/state.db", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) < 0)
		return -errno;
	r = database_open(&db, &kind, path, SQLITE_OPEN_READWRITE);
	if (r == DATABASE_EMPTY)
		return -ENOENT;
	if (r != SQLITE_OK)
		return r == SQLITE_BUSY ? -EBUSY : -EIO;
	r = peek(db, volume, cookie, ret);
	sqlite3_close(db);
	return r;
}
