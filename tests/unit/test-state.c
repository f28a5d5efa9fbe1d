/* SPDX-License-Identifier: MIT */
#include "daemon/state.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static char dir[TEMPORARY_MAX];
static char file[TEMPORARY_MAX + 16];

/* What SQLite calls lands here: the syncs of a step can be counted. */
static unsigned int syncs;

int fdatasync(int fd);
int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd);
int fsync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fsync, fd);
}

/* What the disk says to writes, 0: it takes them. */
static int disk_error;

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t off);
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t off)
{
	if (disk_error == 0)
		return (ssize_t)syscall(SYS_pwrite64, fd, buf, n, off);
	errno = disk_error;
	return -1;
}

static void setup(void)
{
	disk_error = 0;
	log_set_level(-1);
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/state.db", dir);
}

static void teardown(void)
{
	temporary_remove(dir);
}

static struct state *open_state(void)
{
	struct state *state;

	ck_assert_int_eq(state_open(&state, dir), 0);
	return state;
}

static struct state_object object_of(uint64_t size, const char *locator, const char *validator)
{
	struct state_object o = { .size = size };

	snprintf(o.locator, sizeof(o.locator), "%s", locator);
	snprintf(o.validator, sizeof(o.validator), "%s", validator);
	return o;
}

static void put(struct state *state, const char *cookie, uint64_t size)
{
	struct state_object o = object_of(size, "https://h/x", "etag:1");

	ck_assert_int_eq(state_put(state, bytes_str("erofs,v"), bytes_str(cookie), &o), 0);
}

/* The size on record, or a negative errno. */
static int64_t get(struct state *state, const char *cookie)
{
	struct state_object o;
	int r = state_get(state, bytes_str("erofs,v"), bytes_str(cookie), &o);

	return r < 0 ? r : (int64_t)o.size;
}

static bool exists(const char *tail)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s%s", file, tail);
	return access(path, F_OK) == 0;
}

static void write_file(const char *path, const void *data, size_t n)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(test_records_survive_a_restart)
{
	struct state_object o = object_of(INT64_MAX, "https://h/\xff%20", ""), back;
	struct state *state = open_state();
	struct stat st;

	o.whole = true;
	ck_assert_int_eq(get(state, "c"), -ENOENT);
	ck_assert_int_eq(state_put(state, bytes_str("v"), bytes_str("c"), &o), 0);
	state_close(state);

	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);

	state = open_state();
	ck_assert_int_eq(state_get(state, bytes_str("v"), bytes_str("c"), &back), 0);
	ck_assert_uint_eq(back.size, INT64_MAX);
	ck_assert_str_eq(back.locator, o.locator);
	ck_assert_str_eq(back.validator, "");
	ck_assert(back.whole);
	state_close(state);
}
END_TEST

START_TEST(test_keys_are_bytes)
{
	static const struct bytes keys[] = {
		{ (const uint8_t *)"a", 1 },	{ (const uint8_t *)"a\0", 2 },
		{ (const uint8_t *)"a\0b", 3 }, { (const uint8_t *)"\0", 1 },
		{ (const uint8_t *)"", 0 },	{ (const uint8_t *)"\xff\xfe'\";--", 7 },
		{ (const uint8_t *)"A", 1 },
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]);
	struct state *state = open_state();
	struct state_object o;

	for (size_t i = 0; i < n * n; i++) {
		o = object_of(i, "l", "v");
		ck_assert_int_eq(state_put(state, keys[i / n], keys[i % n], &o), 0);
	}
	for (size_t i = 0; i < n * n; i++) {
		ck_assert_int_eq(state_get(state, keys[i / n], keys[i % n], &o), 0);
		ck_assert_uint_eq(o.size, i);
	}
	ck_assert_int_eq(state_forget(state, keys[1], keys[2]), 0);
	ck_assert_int_eq(state_get(state, keys[1], keys[2], &o), -ENOENT);
	ck_assert_int_eq(state_get(state, keys[2], keys[1], &o), 0);
	ck_assert_int_eq(state_forget(state, keys[1], keys[2]), 0);
	state_close(state);
}
END_TEST

START_TEST(test_fields_out_of_bounds)
{
	struct state *state = open_state();
	struct state_object o = object_of((uint64_t)INT64_MAX + 1, "l", "v");
	struct bytes k = bytes_str("k");

	ck_assert_int_eq(state_put(state, k, k, &o), -EINVAL);
	o = object_of(1, "l", "v");
	memset(o.locator, 'x', sizeof(o.locator));
	ck_assert_int_eq(state_put(state, k, k, &o), -EINVAL);
	o.locator[sizeof(o.locator) - 1] = '\0';
	ck_assert_int_eq(state_put(state, k, k, &o), 0);
	memset(o.validator, 'x', sizeof(o.validator));
	ck_assert_int_eq(state_put(state, k, k, &o), -EINVAL);
	o.validator[sizeof(o.validator) - 1] = '\0';
	ck_assert_int_eq(state_put(state, k, k, &o), 0);
	ck_assert_int_eq(state_get(state, k, k, &o), 0);
	ck_assert_uint_eq(strlen(o.locator), sizeof(o.locator) - 1);
	ck_assert_uint_eq(strlen(o.validator), sizeof(o.validator) - 1);
	state_close(state);
}
END_TEST

/* What was replaced must be gone from the disk first; a new record, or the same again, may wait. */
START_TEST(test_only_what_goes_is_synced)
{
	struct state *state = open_state();
	unsigned int before;

	put(state, "first", 1);
	before = syncs;
	put(state, "second", 1);
	put(state, "second", 1);
	ck_assert_uint_eq(syncs, before);
	put(state, "second", 2);
	ck_assert_uint_gt(syncs, before);
	ck_assert_int_eq(get(state, "second"), 2);

	before = syncs;
	ck_assert_int_eq(state_forget(state, bytes_str("erofs,v"), bytes_str("second")), 0);
	ck_assert_uint_gt(syncs, before);

	before = syncs;
	put(state, "third", 1);
	ck_assert_uint_eq(syncs, before);
	state_close(state);
}
END_TEST

/* Each spoiled file is set aside, service goes on with an empty one, and that one lasts. */
static void expect_set_aside(const char *tail)
{
	struct state *state = open_state();

	ck_assert_int_eq(get(state, "c"), -ENOENT);
	put(state, "after", 7);
	state_close(state);
	ck_assert_msg(exists(tail), "no %s", tail);

	state = open_state();
	ck_assert_int_eq(get(state, "after"), 7);
	state_close(state);
}

START_TEST(test_garbage_is_set_aside)
{
	static const size_t sizes[] = { 2, 99, 100, 512, 4096, 5000, 100000 };
	char *garbage = malloc(100000);
	char tail[32];

	srand(2);
	for (size_t i = 0; i < 100000; i++)
		garbage[i] = (char)rand();
	for (size_t i = 0; i < 7; i++) {
		write_file(file, garbage, sizes[i]);
		snprintf(tail, sizeof(tail), ".bad-%zu", i + 1);
		ck_assert(!exists(tail));
		expect_set_aside(tail);
	}
	free(garbage);
}
END_TEST

START_TEST(test_number_of_files_set_aside_is_bounded)
{
	for (int i = 0; i < 12; i++) {
		write_file(file, "this is no database", 19);
		state_close(open_state());
	}
	ck_assert(exists(".bad-9"));
	ck_assert(!exists(".bad-10"));
}
END_TEST

static void fill(unsigned int n)
{
	struct state *state = open_state();
	char cookie[32];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(cookie, sizeof(cookie), "cookie-%u", i);
		put(state, cookie, i);
	}
	state_close(state);
}

START_TEST(test_truncated_file_is_set_aside)
{
	struct stat st;
	char tail[32];

	for (int i = 1; i <= 3; i++) {
		fill(500);
		ck_assert_int_eq(stat(file, &st), 0);
		ck_assert_int_eq(truncate(file, st.st_size * i / 4), 0);
		snprintf(tail, sizeof(tail), ".bad-%d", i);
		expect_set_aside(tail);
	}
}
END_TEST

START_TEST(test_damage_in_the_middle_is_set_aside)
{
	char junk[4096];
	int fd;

	fill(500);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(file, O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), 2 * 4096), sizeof(junk));
	close(fd);
	expect_set_aside(".bad-1");
}
END_TEST

START_TEST(test_other_schemas_are_set_aside)
{
	fill(1);
	run_sql("PRAGMA user_version = 0");
	expect_set_aside(".bad-1");

	run_sql("ALTER TABLE object RENAME COLUMN locator TO place");
	expect_set_aside(".bad-2");

	run_sql("PRAGMA ignore_check_constraints = 1;"
		"UPDATE object SET size = -1");
	expect_set_aside(".bad-3");
}
END_TEST

START_TEST(test_what_has_the_name_of_the_file_is_set_aside)
{
	char inside[TEMPORARY_MAX + 32];

	ck_assert_int_eq(mkdir(file, 0700), 0);
	snprintf(inside, sizeof(inside), "%s/precious", file);
	write_file(inside, "kept", 4);
	expect_set_aside(".bad-1/precious");

	/* Somebody else's choice of where our records go is not followed. */
	unlink(file);
	ck_assert_int_eq(symlink("/dev/null", file), 0);
	expect_set_aside(".bad-2");

	unlink(file);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	expect_set_aside(".bad-3");
}
END_TEST

START_TEST(test_empty_file_is_a_new_database)
{
	struct state *state;

	write_file(file, "", 0);
	state = open_state();
	put(state, "c", 3);
	state_close(state);
	ck_assert(!exists(".bad-1"));
	state = open_state();
	ck_assert_int_eq(get(state, "c"), 3);
	state_close(state);
}
END_TEST

static void expect_memory(const char *where)
{
	struct state *state;

	ck_assert_int_eq(state_open(&state, where), 0);
	put(state, "c", 5);
	ck_assert_int_eq(get(state, "c"), 5);
	put(state, "c", 6);
	ck_assert_int_eq(get(state, "c"), 6);
	state_close(state);

	ck_assert_int_eq(state_open(&state, where), 0);
	ck_assert_int_eq(get(state, "c"), -ENOENT);
	state_close(state);
}

START_TEST(test_kept_in_memory_where_the_disk_refuses)
{
	char path[TEMPORARY_MAX + 64];

	expect_memory(NULL);
	expect_memory("/proc/self"); /* refuses new files, also to root */

	snprintf(path, sizeof(path), "%s/file", dir);
	write_file(path, "", 0);
	expect_memory(path);

	snprintf(path, sizeof(path), "%s/missing/missing", dir);
	expect_memory(path);
}
END_TEST

/* Who goes back to the later version finds what it knew. */
START_TEST(test_later_version_is_left_as_it_is)
{
	fill(1);
	run_sql("ALTER TABLE object ADD COLUMN later TEXT; PRAGMA user_version = 1000");
	expect_memory(dir);
	ck_assert(!exists(".bad-1"));

	run_sql("UPDATE object SET later = 'still here'; PRAGMA user_version = 1000");
}
END_TEST

START_TEST(test_locked_database_is_left_as_it_is)
{
	struct state *state;
	sqlite3 *db;

	fill(1);
	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
				      "BEGIN EXCLUSIVE; UPDATE object SET size = size; COMMIT",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	expect_memory(dir);
	ck_assert(!exists(".bad-1"));
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);

	state = open_state();
	ck_assert_int_eq(get(state, "cookie-0"), 0);
	state_close(state);
}
END_TEST

START_TEST(test_state_directory_is_made)
{
	char path[TEMPORARY_MAX + 64], db[TEMPORARY_MAX + 96];
	struct state *state;

	snprintf(path, sizeof(path), "%s/new", dir);
	snprintf(db, sizeof(db), "%s/state.db", path);
	ck_assert_int_eq(state_open(&state, path), 0);
	ck_assert_int_eq(access(db, F_OK), 0);
	state_close(state);
}
END_TEST

/* ---- claims ------------------------------------------------------------------------------ */

static int cache_fd;
static char cache[TEMPORARY_MAX], copy[TEMPORARY_MAX + 16];

static void setup_claims(void)
{
	setup();
	temporary_dir(cache, TEMPORARY_DISK);
	cache_fd = open(cache, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(cache_fd, 0);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
}

static void teardown_claims(void)
{
	close(cache_fd);
	temporary_remove(cache);
	teardown();
}

static struct state *claim_state(void)
{
	struct state *state = open_state();

	ck_assert_int_eq(state_claim(state, cache_fd), 0);
	return state;
}

static void forget(struct state *state, const char *cookie)
{
	ck_assert_int_eq(state_forget(state, bytes_str("erofs,v"), bytes_str(cookie)), 0);
}

/* As cp(1) would, while nobody has it open. */
static void copy_file(const char *from, const char *to)
{
	static char data[1 << 20];
	_cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, data, sizeof(data));

	ck_assert_int_gt(n, 0);
	write_file(to, data, (size_t)n);
}

START_TEST(test_claimed_records_stay)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	put(state, "b", 2);
	put(state, "a", 3);
	forget(state, "b");
	state_close(state);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 3);
	ck_assert_int_eq(get(state, "b"), -ENOENT);
	state_close(state);

	/* Those of a version that knew no claims, where the cache has none either. */
	ck_assert_int_eq(removexattr(cache, "user.cachefilld.state"), 0);
	run_sql("DROP TABLE claim; PRAGMA user_version = 1");
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 3);
	state_close(state);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 3);
	state_close(state);
}
END_TEST

START_TEST(test_older_copy_is_believed_while_it_is_right)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	state_close(state);
	copy_file(file, copy);

	state = claim_state();
	put(state, "b", 2);
	state_close(state);
	copy_file(copy, file);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 1);
	ck_assert_int_eq(get(state, "b"), -ENOENT);

	put(state, "a", 2);
	forget(state, "a");
	put(state, "a", 2);
	state_close(state);
	copy_file(copy, file);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	state_close(state);
}
END_TEST

/* What was cached while the database was out of reach is not what it says. */
START_TEST(test_who_missed_something_is_not_believed)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	state_close(state);
	ck_assert_int_eq(state_open(&state, NULL), 0);
	ck_assert_int_eq(state_claim(state, cache_fd), 0);
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	state_close(state);

	state = claim_state();
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	put(state, "a", 2);
	state_close(state);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 2);
	state_close(state);
}
END_TEST

START_TEST(test_another_cache)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	state_close(state);
	ck_assert_int_eq(removexattr(cache, "user.cachefilld.state"), 0);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	state_close(state);

	ck_assert_int_eq(setxattr(cache, "user.cachefilld.state",
				  "of somebody who writes very long claims, longer than ours", 57,
				  0),
			 0);
	state = claim_state();
	state_close(state);
}
END_TEST

/* A power cut between the commit and the mark. */
START_TEST(test_mark_of_before_is_as_good)
{
	char mark[64];
	ssize_t n;
	struct state *state = claim_state();

	put(state, "a", 1);
	put(state, "b", 1);
	n = getxattr(cache, "user.cachefilld.state", mark, sizeof(mark));
	ck_assert_int_gt(n, 0);
	forget(state, "b");
	state_close(state);
	ck_assert_int_eq(setxattr(cache, "user.cachefilld.state", mark, (size_t)n, 0), 0);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 1);
	ck_assert_int_eq(get(state, "b"), -ENOENT);
	state_close(state);
}
END_TEST

static void expect_later(struct state *state)
{
	ck_assert_int_eq(get(state, "stays"), 1);
	ck_assert_int_eq(get(state, "changes"), 2);
	ck_assert_int_eq(get(state, "goes"), -ENOENT);
	ck_assert_int_eq(get(state, "comes"), 1);
}

static struct state *change_on_a_bad_disk(int error)
{
	struct state *state = claim_state();

	put(state, "stays", 1);
	put(state, "changes", 1);
	put(state, "goes", 1);
	disk_error = error;
	put(state, "comes", 1);
	put(state, "changes", 2);
	forget(state, "goes");
	expect_later(state);
	return state;
}

START_TEST(test_disk_that_takes_nothing_for_a_while)
{
	static const int errors[] = { ENOSPC, EROFS, EIO, EDQUOT };

	for (size_t i = 0; i < 4; i++) {
		struct state *state = change_on_a_bad_disk(errors[i]);

		disk_error = 0;
		put(state, "after", 1);
		expect_later(state);
		state_close(state);
		state = claim_state();
		expect_later(state);
		ck_assert_int_eq(get(state, "after"), 1);
		state_close(state);
		ck_assert_int_eq(unlink(file), 0);
	}
}
END_TEST

START_TEST(test_disk_that_takes_nothing_until_the_end)
{
	struct state *state = change_on_a_bad_disk(ENOSPC);

	state_close(state);
	disk_error = 0;
	state = claim_state();
	ck_assert_int_eq(get(state, "stays"), -ENOENT);
	ck_assert_int_eq(get(state, "changes"), -ENOENT);
	ck_assert_int_eq(get(state, "goes"), -ENOENT);
	state_close(state);
}
END_TEST

/* What only was not written costs itself, and nothing else. */
START_TEST(test_new_records_that_were_lost)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	disk_error = ENOSPC;
	put(state, "b", 1);
	ck_assert_int_eq(get(state, "b"), 1);
	state_close(state);
	disk_error = 0;
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 1);
	ck_assert_int_eq(get(state, "b"), -ENOENT);
	state_close(state);
}
END_TEST

/* Neither the record nor the mark can be changed: nobody may put other bytes there. */
START_TEST(test_record_that_cannot_be_taken_back)
{
	struct state *state = claim_state();
	int closed = open("/proc/self", O_PATH | O_CLOEXEC);

	put(state, "a", 1);
	disk_error = EIO;
	ck_assert_int_eq(dup3(closed, cache_fd, O_CLOEXEC), cache_fd); /* takes no attributes */
	close(closed);
	ck_assert_int_eq(state_forget(state, bytes_str("erofs,v"), bytes_str("a")), -EIO);
	ck_assert_int_eq(get(state, "a"), 1);
	state_close(state);
}
END_TEST

/* At the start, with a database that has to be changed before it can be used. */
START_TEST(test_full_disk_at_the_start)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	state_close(state);
	ck_assert_int_eq(removexattr(cache, "user.cachefilld.state"), 0);
	state = open_state();
	disk_error = ENOSPC;
	ck_assert_int_eq(state_claim(state, cache_fd), 0);
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	put(state, "b", 1);
	ck_assert_int_eq(get(state, "b"), 1);
	state_close(state);
	disk_error = 0;
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	state_close(state);
}
END_TEST

START_TEST(test_file_that_is_moved_while_it_is_in_use)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	ck_assert_int_eq(rename(file, copy), 0);
	put(state, "b", 1);
	put(state, "a", 2);
	ck_assert_int_eq(get(state, "a"), 2);
	ck_assert_int_eq(get(state, "b"), 1);
	ck_assert_int_eq(rename(copy, file), 0);
	put(state, "c", 1);
	state_close(state);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), 2);
	ck_assert_int_eq(get(state, "c"), 1);

	ck_assert_int_eq(unlink(file), 0);
	put(state, "a", 3);
	ck_assert_int_eq(get(state, "a"), 3);
	state_close(state);
	state = claim_state();
	ck_assert_int_eq(get(state, "a"), -ENOENT);
	state_close(state);
}
END_TEST

START_TEST(test_ten_thousand_records)
{
	struct state *state;
	char cookie[32];

	fill(10000);
	state = open_state();
	for (unsigned int i = 0; i < 10000; i++) {
		snprintf(cookie, sizeof(cookie), "cookie-%u", i);
		ck_assert_int_eq(get(state, cookie), i);
	}
	state_close(state);
}
END_TEST

/* Writes records for ever and says by one byte that each is in; every third is replaced. */
static void write_until_killed(int out)
{
	struct state *state = open_state();
	char cookie[32];

	for (unsigned int i = 0;; i++) {
		snprintf(cookie, sizeof(cookie), "cookie-%u", i);
		put(state, cookie, i % 3 ? i : i + 1000000);
		if (i % 3 == 0)
			put(state, cookie, i);
		if (write(out, "", 1) != 1)
			_exit(1);
	}
}

START_TEST(test_kill_in_the_middle)
{
	for (int round = 0; round < 5; round++) {
		unsigned int acknowledged = 0;
		struct state *state;
		char cookie[32], byte;
		int fds[2], status;
		pid_t pid;

		ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			write_until_killed(fds[1]);
		close(fds[1]);
		while (acknowledged < 100 + 37 * (unsigned int)round && read(fds[0], &byte, 1) == 1)
			acknowledged++;
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		close(fds[0]);

		state = open_state();
		ck_assert(!exists(".bad-1"));
		for (unsigned int i = 0; i < acknowledged; i++) {
			snprintf(cookie, sizeof(cookie), "cookie-%u", i);
			ck_assert_int_eq(get(state, cookie), i);
		}
		state_close(state);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *tc = tcase_create("state");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_records_survive_a_restart);
	tcase_add_test(tc, test_keys_are_bytes);
	tcase_add_test(tc, test_fields_out_of_bounds);
	tcase_add_test(tc, test_only_what_goes_is_synced);
	tcase_add_test(tc, test_garbage_is_set_aside);
	tcase_add_test(tc, test_number_of_files_set_aside_is_bounded);
	tcase_add_test(tc, test_truncated_file_is_set_aside);
	tcase_add_test(tc, test_damage_in_the_middle_is_set_aside);
	tcase_add_test(tc, test_other_schemas_are_set_aside);
	tcase_add_test(tc, test_what_has_the_name_of_the_file_is_set_aside);
	tcase_add_test(tc, test_later_version_is_left_as_it_is);
	tcase_add_test(tc, test_locked_database_is_left_as_it_is);
	tcase_add_test(tc, test_empty_file_is_a_new_database);
	tcase_add_test(tc, test_kept_in_memory_where_the_disk_refuses);
	tcase_add_test(tc, test_state_directory_is_made);
	tcase_add_test(tc, test_ten_thousand_records);
	tcase_add_test(tc, test_kill_in_the_middle);
	suite_add_tcase(s, tc);

	tc = tcase_create("claim");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup_claims, teardown_claims);
	tcase_add_test(tc, test_claimed_records_stay);
	tcase_add_test(tc, test_older_copy_is_believed_while_it_is_right);
	tcase_add_test(tc, test_who_missed_something_is_not_believed);
	tcase_add_test(tc, test_another_cache);
	tcase_add_test(tc, test_mark_of_before_is_as_good);
	tcase_add_test(tc, test_disk_that_takes_nothing_for_a_while);
	tcase_add_test(tc, test_disk_that_takes_nothing_until_the_end);
	tcase_add_test(tc, test_new_records_that_were_lost);
	tcase_add_test(tc, test_record_that_cannot_be_taken_back);
	tcase_add_test(tc, test_full_disk_at_the_start);
	tcase_add_test(tc, test_file_that_is_moved_while_it_is_in_use);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
