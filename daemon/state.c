/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/state-internal.h"
#include "daemon/util/log.h"

/* Only a tool that looks into the file can be in the way; once we serve, everybody waits for it. */
#define PATIENCE_MS	    1000
#define PATIENCE_SERVING_MS 50

#define VERSION		    3

#define CLAIM_TABLE                                \
	"CREATE TABLE claim("                      \
	" one INTEGER PRIMARY KEY CHECK(one = 1)," \
	" mark TEXT NOT NULL, former TEXT NOT NULL) STRICT;"

/* enum state_check */
#define CHECK_COLUMN " checked INTEGER NOT NULL DEFAULT 0 CHECK(checked BETWEEN 0 AND 2)"

/* The checks repeat what state_put() refuses, so that quick_check finds what others wrote. */
static const char schema[] =
	"CREATE TABLE object("
	" volume BLOB NOT NULL, cookie BLOB NOT NULL,"
	" size INTEGER NOT NULL CHECK(size >= 0),"
	" locator TEXT NOT NULL CHECK(length(CAST(locator AS BLOB)) < 4096),"
	" validator TEXT NOT NULL CHECK(length(CAST(validator AS BLOB)) < 256),"
	" whole INTEGER NOT NULL," CHECK_COLUMN ","
	" PRIMARY KEY(volume, cookie)) STRICT, WITHOUT ROWID;" CLAIM_TABLE;

static const char *const upgrades[] = {
	CLAIM_TABLE,				      /* to 2 */
	"ALTER TABLE object ADD COLUMN" CHECK_COLUMN, /* to 3 */
};

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
	.upgrades = upgrades,
	.version = STATE_VERSION,
	.patience_ms = PATIENCE_MS,
};

/* ---- open -------------------------------------------------------------------------------- */

static int prepare_statements(struct state *state)
{
	int r = database_prepare(state->db, &state->get, STATE_GET);

	if (r == SQLITE_OK)
		r = database_prepare(
			state->db, &state->put,
			"INSERT INTO main.object(volume, cookie, size, locator, validator, whole)"
			" VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
	if (r == SQLITE_OK)
		r = database_prepare(state->db, &state->forget,
				     "DELETE FROM main.object WHERE volume = ?1 AND cookie = ?2");
	if (r == SQLITE_OK)
		r = database_prepare(state->db, &state->check,
				     "UPDATE main.object SET checked = ?3"
				     " WHERE volume = ?1 AND cookie = ?2");
	if (r == SQLITE_OK)
		r = database_prepare(state->db, &state->next,
				     "SELECT volume, cookie FROM main.object"
				     " WHERE (volume, cookie) > (?1, ?2)"
				     " ORDER BY volume, cookie LIMIT 1");
	return r == SQLITE_OK ? state_later_prepare(state) : r;
}

static void close_database(struct state *state)
{
	sqlite3_finalize(state->get);
	sqlite3_finalize(state->put);
	sqlite3_finalize(state->forget);
	sqlite3_finalize(state->check);
	sqlite3_finalize(state->next);
	state_later_finalize(state);
	sqlite3_close(state->db);
	free(state->path);
	*state = (struct state){ .cache = state->cache, .disclaimed = state->disclaimed };
}

/* SQLITE_OK, or the reason with everything closed again. */
static int open_database(struct state *state, const struct database_kind *as, const char *path,
			 int flags)
{
	int r = database_open(&state->db, as, path, flags);

	if (r == SQLITE_OK)
		r = prepare_statements(state);
	if (r == SQLITE_OK)
		r = sqlite3_busy_timeout(state->db, PATIENCE_SERVING_MS);
	if (r != SQLITE_OK)
		close_database(state);
	return r < 0 ? r : r & 0xff;
}

static int open_file(struct state *state, const char *path)
{
	int r = open_database(state, &kind, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

	if (r != SQLITE_OK)
		return r;
	state->path = strdup(path);
	if (state->path && stat(path, &state->opened) == 0)
		return SQLITE_OK;
	close_database(state);
	return SQLITE_CANTOPEN;
}

/* SQLITE_OK, or the reason, which has been logged. */
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
			r = open_file(state, path);
		if (r == SQLITE_OK)
			return r;
		if (!database_is_spoiled(r) || attempt > 0 || !database_set_aside(&kind, path, r))
			break;
	}
	log_warning("state: %s cannot be used: %s%s", path,
		    r == SQLITE_CANTOPEN && errno ? strerror(errno) : database_reason(r),
		    r == DATABASE_NEWER ? "; it is left to that one" : "");
	return r;
}

static bool open_in_memory(struct state *state)
{
	log_warning("state: kept in memory only; what is cached now is fetched again after a "
		    "restart");
	return open_database(state, &kind,
			     ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) == SQLITE_OK;
}

bool state_use_memory(struct state *state, const char *why)
{
	log_warning("state: %s cannot be used: %s", state->path, why);
	close_database(state);
	return open_in_memory(state);
}

int state_open(struct state **ret, const char *dir)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	state->cache = -1;
	if ((!dir || open_on_disk(state, dir) != SQLITE_OK) && !open_in_memory(state)) {
		free(state);
		return -ENOMEM;
	}
	*ret = state;
	return 0;
}

struct state *state_close(struct state *state)
{
	if (state) {
		state_later_flush(state);
		close_database(state);
	}
	free(state);
	return NULL;
}

/* ---- statements -------------------------------------------------------------------------- */

void state_bind_key(sqlite3_stmt *stmt, struct bytes volume, struct bytes cookie)
{
	/* An empty key is an empty blob, not NULL. The caller's bytes stay until the reset. */
	sqlite3_bind_blob64(stmt, 1, volume.len ? volume.data : (const void *)"", volume.len,
			    SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, 2, cookie.len ? cookie.data : (const void *)"", cookie.len,
			    SQLITE_STATIC);
}

void state_bind_object(sqlite3_stmt *stmt, const struct state_object *object)
{
	sqlite3_bind_int64(stmt, 3, (int64_t)object->size);
	sqlite3_bind_text(stmt, 4, object->locator, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 5, object->validator, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 6, object->whole);
}

int state_run(sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt);

	database_release(stmt);
	return r == SQLITE_DONE ? SQLITE_OK : r;
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

int state_read_row(sqlite3_stmt *stmt, struct state_object *ret)
{
	int64_t size = sqlite3_column_int64(stmt, 0);

	if (size < 0 || !copy_text(stmt, 1, ret->locator, sizeof(ret->locator)) ||
	    !copy_text(stmt, 2, ret->validator, sizeof(ret->validator))) {
		log_error("state: a record is damaged");
		return -EIO;
	}
	ret->size = (uint64_t)size;
	ret->whole = sqlite3_column_int(stmt, 3) != 0;
	ret->check = (enum state_check)sqlite3_column_int(stmt, 4);
	return 0;
}

/* With FULL the commit returns when the log is on the disk, and all earlier commits with it. */
int state_begin(struct state *state)
{
	return sqlite3_exec(state->db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", NULL, NULL,
			    NULL);
}

int state_end(struct state *state, int r)
{
	if (r == SQLITE_OK)
		r = sqlite3_exec(state->db, "COMMIT", NULL, NULL, NULL);
	if (!sqlite3_get_autocommit(state->db))
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_exec(state->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	return r;
}

/* ---- records ----------------------------------------------------------------------------- */

static int get_from_database(struct state *state, struct bytes volume, struct bytes cookie,
			     struct state_object *ret)
{
	int r;

	state_bind_key(state->get, volume, cookie);
	r = sqlite3_step(state->get);
	if (r == SQLITE_ROW) {
		r = state_read_row(state->get, ret);
	} else if (r == SQLITE_DONE) {
		r = -ENOENT;
	} else {
		log_error("state: reading a record: %s", sqlite3_errmsg(state->db));
		r = -EIO;
	}
	database_release(state->get);
	return r;
}

int state_get(struct state *state, struct bytes volume, struct bytes cookie,
	      struct state_object *ret)
{
	struct state_object object;
	int r = state_later_get(state, volume, cookie, &object);

	if (r == -EAGAIN)
		r = get_from_database(state, volume, cookie, &object);
	if (r == 0)
		*ret = object;
	return r;
}

static int copy_keys(sqlite3_stmt *stmt, struct bytes *volume, struct bytes *cookie,
		     uint8_t buf[static STATE_KEYS_MAX])
{
	const void *v = sqlite3_column_blob(stmt, 0), *c = sqlite3_column_blob(stmt, 1);
	size_t v_len = (size_t)sqlite3_column_bytes(stmt, 0);
	size_t c_len = (size_t)sqlite3_column_bytes(stmt, 1);

	if (v_len > STATE_KEYS_MAX || c_len > STATE_KEYS_MAX - v_len) {
		log_error("state: a record is damaged");
		return -EIO;
	}
	if (v_len > 0)
		memcpy(buf, v, v_len);
	if (c_len > 0)
		memcpy(buf + v_len, c, c_len);
	*volume = bytes_of(buf, v_len);
	*cookie = bytes_of(buf + v_len, c_len);
	return 0;
}

int state_next(struct state *state, struct bytes *volume, struct bytes *cookie,
	       uint8_t buf[static STATE_KEYS_MAX])
{
	int r;

	state_bind_key(state->next, *volume, *cookie);
	r = sqlite3_step(state->next);
	if (r == SQLITE_ROW) {
		r = copy_keys(state->next, volume, cookie, buf);
	} else if (r == SQLITE_DONE) {
		r = -ENOENT;
	} else {
		log_error("state: reading a record: %s", sqlite3_errmsg(state->db));
		r = -EIO;
	}
	database_release(state->next);
	return r;
}

/* Records go on into a file that nobody will find again: it is as good as memory. */
static void notice_move(struct state *state)
{
	struct stat st;
	bool moved;

	if (!state->path)
		return;
	moved = stat(state->path, &st) < 0 || st.st_ino != state->opened.st_ino ||
		st.st_dev != state->opened.st_dev;
	if (moved && !state->moved)
		log_warning("state: %s was moved or removed while it is in use: put it back, or "
			    "what is cached now is fetched again after a restart",
			    state->path);
	state->moved = moved;
}

static int delete_record(struct state *state, struct bytes volume, struct bytes cookie)
{
	int r = state_begin(state);

	if (r == SQLITE_OK) {
		state_bind_key(state->forget, volume, cookie);
		r = state_run(state->forget);
	}
	if (r == SQLITE_OK)
		r = state_claim_renew(state);
	r = state_end(state, r);
	/* Not marked: the cache has the claim of before, which is as good until the next one. */
	if (r == SQLITE_OK)
		state_claim_mark(state);
	return r;
}

static int forget_on_disk(struct state *state, struct bytes volume, struct bytes cookie)
{
	int r = state_later_flush(state);

	return r == SQLITE_OK ? delete_record(state, volume, cookie) : r;
}

int state_forget(struct state *state, struct bytes volume, struct bytes cookie)
{
	struct state_object old;
	int r;

	notice_move(state);
	if (state_get(state, volume, cookie, &old) == -ENOENT)
		return 0;
	r = forget_on_disk(state, volume, cookie);
	return r == SQLITE_OK ? 0 : state_later_put(state, volume, cookie, NULL, r);
}

int state_prune(struct state *state, struct bytes volume, struct bytes cookie)
{
	return forget_on_disk(state, volume, cookie) == SQLITE_OK ? 0 : -EIO;
}

static bool same(const struct state_object *a, const struct state_object *b)
{
	return a->size == b->size && a->whole == b->whole && strcmp(a->locator, b->locator) == 0 &&
	       strcmp(a->validator, b->validator) == 0;
}

static int insert_record(struct state *state, struct bytes volume, struct bytes cookie,
			 const struct state_object *object)
{
	state_bind_key(state->put, volume, cookie);
	state_bind_object(state->put, object);
	return state_run(state->put);
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
	r = state_forget(state, volume, cookie);
	if (r < 0)
		return r;
	r = state_later_flush(state);
	if (r == SQLITE_OK)
		r = insert_record(state, volume, cookie, object);
	return r == SQLITE_OK ? 0 : state_later_put(state, volume, cookie, object, r);
}

void state_set_check(struct state *state, struct bytes volume, struct bytes cookie,
		     enum state_check check)
{
	struct state_object kept;
	int r;

	/* Not on the disk, where it would be remembered. */
	if (state_later_get(state, volume, cookie, &kept) != -EAGAIN)
		return;
	state_bind_key(state->check, volume, cookie);
	sqlite3_bind_int(state->check, 3, (int)check);
	r = state_run(state->check);
	if (r != SQLITE_OK)
		log_warning("state: a record cannot be changed: %s", sqlite3_errstr(r & 0xff));
}

enum verified state_verified(const struct state_object *object)
{
	const char *place = object->locator;

	if (object->check != STATE_UNCHECKED)
		return object->check == STATE_RIGHT ? VERIFIED_WHOLE : VERIFIED_FAILED;
	if (strncmp(place, STATE_CONTENT, strlen(STATE_CONTENT)) == 0)
		place += strlen(STATE_CONTENT);
	return verified_promised(place, object->validator);
}
