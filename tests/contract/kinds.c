/* SPDX-License-Identifier: MIT */
#include "tests/contract/kinds.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/origin.h"
#include "daemon/replay/pattern.h"

/* ---- file ------------------------------------------------------------------------------- */

static char dir[64], dir_template[80];

/* The number of times that each name was put. */
static struct {
	char name[32];
	unsigned int n;
} versions[64];

static unsigned int *version_of(const char *name)
{
	unsigned int i;

	for (i = 0; versions[i].name[0] && strcmp(versions[i].name, name) != 0; i++)
		ck_assert_uint_lt(i, 63);
	snprintf(versions[i].name, sizeof(versions[i].name), "%s", name);
	return &versions[i].n;
}

static void file_start(void)
{
	memset(versions, 0, sizeof(versions));
	snprintf(dir, sizeof(dir), "/tmp/contract-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(dir_template, sizeof(dir_template), "file:%s/{cookie}", dir);
}

static void file_stop(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static uint64_t file_key(const char *name)
{
	return pattern_key(name) + *version_of(name);
}

/* By rename, as files are meant to be replaced. */
static void file_put(const char *name, uint64_t size)
{
	char path[160], fresh[200];
	char *bytes = malloc(size + 1);
	int fd;

	++*version_of(name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	pattern_fill(bytes, size, file_key(name), 0);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	ck_assert_int_eq(rename(fresh, path), 0);
	free(bytes);
}

static void file_remove(const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

static const char *file_template(void)
{
	return dir_template;
}

/* ---- http ------------------------------------------------------------------------------- */

static struct origin *origin;
static char http_text[80];

static void http_start(void)
{
	ck_assert_int_eq(origin_start(&origin, NULL), 0);
	snprintf(http_text, sizeof(http_text), "%s/{cookie}", origin_url(origin));
}

static void http_stop(void)
{
	origin = origin_stop(origin);
}

static void http_put(const char *name, uint64_t size)
{
	origin_put(origin, name, size);
}

static void http_remove(const char *name)
{
	origin_remove(origin, name);
}

static uint64_t http_key(const char *name)
{
	return origin_key(origin, name);
}

static const char *http_template(void)
{
	return http_text;
}

/* The same behind a redirect. */
static void redirect_start(void)
{
	http_start();
	snprintf(http_text, sizeof(http_text), "%s/f=redir:302/{cookie}", origin_url(origin));
}

const struct kind kinds[] = {
	{ "file", file_start, file_stop, file_put, file_remove, file_key, file_template },
	{ "http", http_start, http_stop, http_put, http_remove, http_key, http_template },
	{ "http", redirect_start, http_stop, http_put, http_remove, http_key, http_template },
};
const unsigned int n_kinds = sizeof(kinds) / sizeof(kinds[0]);
