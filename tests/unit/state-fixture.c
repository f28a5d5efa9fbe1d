/* SPDX-License-Identifier: MIT */
#include "tests/unit/state-fixture.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the disk ------------------------------------------------------------------------------ */

/* What SQLite calls lands here. */
unsigned int syncs;
int disk_error;

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

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t off);
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t off)
{
	if (disk_error == 0)
		return (ssize_t)syscall(SYS_pwrite64, fd, buf, n, off);
	errno = disk_error;
	return -1;
}

/* ---- records ------------------------------------------------------------------------------- */

void state_setup(void)
{
	disk_error = 0;
	database_setup("state.db");
}

struct state *open_state(void)
{
	struct state *state;

	ck_assert_int_eq(state_open(&state, dir), 0);
	return state;
}

struct state_object object_of(uint64_t size, const char *locator, const char *validator)
{
	struct state_object o = { .size = size };

	snprintf(o.locator, sizeof(o.locator), "%s", locator);
	snprintf(o.validator, sizeof(o.validator), "%s", validator);
	return o;
}

void put(struct state *state, const char *cookie, uint64_t size)
{
	struct state_object o = object_of(size, "https://h/x", "etag:1");

	ck_assert_int_eq(state_put(state, bytes_str("erofs,v"), bytes_str(cookie), &o), 0);
}

int64_t get(struct state *state, const char *cookie)
{
	struct state_object o;
	int r = state_get(state, bytes_str("erofs,v"), bytes_str(cookie), &o);

	return r < 0 ? r : (int64_t)o.size;
}

void forget(struct state *state, const char *cookie)
{
	ck_assert_int_eq(state_forget(state, bytes_str("erofs,v"), bytes_str(cookie)), 0);
}

void fill(unsigned int n)
{
	struct state *state = open_state();
	char cookie[32];

	for (unsigned int i = 0; i < n; i++) {
		snprintf(cookie, sizeof(cookie), "cookie-%u", i);
		put(state, cookie, i);
	}
	state_close(state);
}

/* ---- and the cache that they speak for ----------------------------------------------------- */

char cache[TEMPORARY_MAX];
int cache_fd;
char copy[TEMPORARY_MAX + 16];

void claims_setup(void)
{
	state_setup();
	temporary_dir(cache, TEMPORARY_DISK);
	cache_fd = open(cache, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(cache_fd, 0);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
}

void claims_teardown(void)
{
	close(cache_fd);
	temporary_remove(cache);
	database_teardown();
}

struct state *claim_state(void)
{
	struct state *state = open_state();

	ck_assert_int_eq(state_claim(state, cache_fd), 0);
	return state;
}

void claim_one_record(void)
{
	struct state *state = claim_state();

	put(state, "a", 1);
	state_close(state);
}

void expect_at_start(int64_t a, int64_t b)
{
	struct state *state = claim_state();

	ck_assert_int_eq(get(state, "a"), a);
	ck_assert_int_eq(get(state, "b"), b);
	state_close(state);
}
