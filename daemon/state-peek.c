/* SPDX-License-Identifier: MIT */
/* Records, for tools: beside a daemon, or without one. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/state-internal.h"

/* It takes part in the log of the database, which needs a writable file, and changes nothing. */
static const struct database_kind kind = {
	.name = "state",
	.settings = "PRAGMA cache_size = -128; PRAGMA query_only = ON;",
	.version = STATE_VERSION,
	.patience_ms = 200, /* whoever serves should not wait for us either */
};

struct state_records {
	sqlite3 *db;	   /* owned, as the statement */
	sqlite3_stmt *get; /* STATE_GET */
};

int state_records_get(struct state_records *records, struct bytes volume, struct bytes cookie,
		      struct state_object *ret)
{
	int err = -EIO;

	state_bind_key(records->get, volume, cookie);
	switch (sqlite3_step(records->get)) {
	case SQLITE_ROW:
		err = state_read_row(records->get, ret);
		break;
	case SQLITE_DONE:
		err = -ENOENT;
		break;
	default:
		break;
	}
	database_release(records->get);
	return err;
}

struct state_records *state_records_close(struct state_records *records)
{
	if (!records)
		return NULL;
	sqlite3_finalize(records->get);
	sqlite3_close(records->db);
	free(records);
	return NULL;
}

static int open_database(sqlite3 **ret, const char *dir)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/state.db", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) < 0)
		return -errno;
	r = database_open(ret, &kind, path, SQLITE_OPEN_READWRITE);
	if (r == DATABASE_EMPTY)
		return -ENOENT;
	if (r != SQLITE_OK)
		return r == SQLITE_BUSY ? -EBUSY : -EIO;
	return 0;
}

int state_records_open(struct state_records **ret, const char *dir)
{
	struct state_records *records = calloc(1, sizeof(*records));
	int err = records ? open_database(&records->db, dir) : -ENOMEM;

	if (err == 0 && database_prepare(records->db, &records->get, STATE_GET) != SQLITE_OK)
		err = -EIO;
	if (err < 0) {
		state_records_close(records);
		return err;
	}
	*ret = records;
	return 0;
}

int state_peek(const char *dir, struct bytes volume, struct bytes cookie, struct state_object *ret)
{
	struct state_records *records;
	int err = state_records_open(&records, dir);

	if (err < 0)
		return err;
	err = state_records_get(records, volume, cookie, ret);
	state_records_close(records);
	return err;
}
