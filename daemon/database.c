/* SPDX-License-Identifier: MIT */
#include "daemon/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define BAD_MAX 9 /* files set aside that are kept; the last place is used again */

int database_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_step(stmt);
	if (r == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

static int check_integrity(sqlite3 *db)
{
	int64_t sound = 0;
	int r = database_number(db, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &sound);

	return r == SQLITE_OK && !sound ? SQLITE_CORRUPT : r;
}

static int prepare_schema(sqlite3 *db, const struct database_kind *kind)
{
	int64_t version = 0, tables = 0;
	int r = database_number(db, "PRAGMA user_version", &version);

	if (r == SQLITE_OK)
		r = database_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r != SQLITE_OK)
		return r;
	if (version == 0 && tables == 0)
		return kind->schema ? sqlite3_exec(db, kind->schema, NULL, NULL, NULL)
				    : DATABASE_EMPTY;
	if (version > kind->version)
		return DATABASE_NEWER;
	if (version != kind->version)
		return DATABASE_FOREIGN;
	return check_integrity(db);
}

int database_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql)
{
	int r = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	/* The version is ours, the columns are not. */
	return r == SQLITE_ERROR ? DATABASE_FOREIGN : r;
}

void database_release(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

int database_open(sqlite3 **ret, const struct database_kind *kind, const char *path, int flags)
{
	sqlite3 *db = NULL;
	int r = sqlite3_open_v2(path, &db, flags, NULL);

	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(db, kind->patience_ms);
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, kind->settings, NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = prepare_schema(db, kind);
	if (r != SQLITE_OK) {
		sqlite3_close(db);
		return r < 0 ? r : r & 0xff;
	}
	*ret = db;
	return SQLITE_OK;
}

const char *database_reason(int result)
{
	switch (result) {
	case DATABASE_FOREIGN:
		return "of another version, or not ours";
	case DATABASE_NEWER:
		return "of a later version";
	case DATABASE_EMPTY:
		return "empty";
	default:
		return sqlite3_errstr(result);
	}
}

bool database_is_spoiled(int result)
{
	return result == SQLITE_CORRUPT || result == SQLITE_NOTADB || result == DATABASE_FOREIGN;
}

/* The log and its index go along: a database without its log is another one. */
bool database_set_aside(const struct database_kind *kind, const char *path, int result)
{
	static const char *const tails[] = { "-wal", "-shm", "" };
	char from[PATH_MAX + 16], to[PATH_MAX + 16];
	int n = 1;

	for (; n < BAD_MAX; n++) {
		snprintf(to, sizeof(to), "%s.bad-%d", path, n);
		if (access(to, F_OK) != 0)
			break;
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(from, sizeof(from), "%s%s", path, tails[i]);
		snprintf(to, sizeof(to), "%s.bad-%d%s", path, n, tails[i]);
		if (rename(from, to) != 0 && errno != ENOENT) {
			log_warning("%s: %s cannot be set aside: %m", kind->name, from);
			return false;
		}
	}
	log_warning("%s: %s is unusable (%s); it was set aside as %s, service goes on with an "
		    "empty one",
		    kind->name, path, database_reason(result), to);
	return true;
}

/* Creates the file itself: SQLite would use the umask, and gives its log the mode of the file. */
bool database_make_file(const char *dir, const char *path)
{
	_cleanup_close_ int fd = -1;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return false;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd >= 0 && fchmod(fd, 0600) == 0;
}
