/* SPDX-License-Identifier: MIT */
/*
 * What is verified, in front of the file fetcher and of the http one: NAME, and its hash tree
 * NAME.verity, are files of one directory.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "fetchers/verify.h"
#include "tests/contract/kinds-internal.h"
#include "tests/lib/origin.h"
#include "tests/lib/temporary.h"
#include "tests/lib/verity-make.h"

static struct origin *origin;

/* The digests of what was put. */
static struct {
	char name[32], digest[FSVERITY_DIGEST_TEXT];
} digests[64];

static unsigned int slot_of(const char *name)
{
	unsigned int i;

	for (i = 0; digests[i].name[0] && strcmp(digests[i].name, name) != 0; i++)
		ck_assert_uint_lt(i, 63);
	return i;
}

void verify_start(void)
{
	memset(digests, 0, sizeof(digests));
	file_start();
}

void verify_http_start(void)
{
	struct origin_options options = { .root = file_dir() };

	verify_start();
	ck_assert_int_eq(origin_start(&origin, &options), 0);
}

void verify_http_stop(void)
{
	origin = origin_stop(origin);
	file_stop();
}

void verify_put(const char *name, uint64_t size)
{
	uint8_t *bytes = malloc(size + 1);
	unsigned int slot = slot_of(name);
	struct verity_made made;
	char tree[64];

	file_next_version(name);
	pattern_fill(bytes, size, file_key(name), 0);
	verity_make(&made, bytes, size, "");
	snprintf(tree, sizeof(tree), "%s.verity", name);
	file_write(tree, made.bytes, made.len);
	file_write(name, bytes, size);
	snprintf(digests[slot].name, sizeof(digests[slot].name), "%s", name);
	memcpy(digests[slot].digest, made.digest, sizeof(made.digest));
	verity_made_end(&made);
	free(bytes);
}

void verify_remove(const char *name)
{
	char path[TEMPORARY_MAX + 80];

	snprintf(path, sizeof(path), "%s/%s.verity", file_dir(), name);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s", file_dir(), name);
	unlink(path);
}

/* Of a name that stands percent-encoded in locators. */
static const char *locator_at(const char *place, const char *name)
{
	static char locator[TEMPORARY_MAX + 320];
	const char *put_as = strchr(name, '%') ? "a b.%c" : name, *digest;

	digest = digests[slot_of(put_as)].digest;
	if (!*digest)
		digest = "sha256:"
			 "0000000000000000000000000000000000000000000000000000000000000000";
	snprintf(locator, sizeof(locator), "fs-verity:%s;%s/%s", digest, place, name);
	return locator;
}

const char *verify_file_locator(const char *name)
{
	char place[TEMPORARY_MAX + 16];

	snprintf(place, sizeof(place), "file:%s", file_dir());
	return locator_at(place, name);
}

const char *verify_http_locator(const char *name)
{
	return locator_at(origin_url(origin), name);
}

const char *verify_template(void)
{
	return "fs-verity:{cookie}";
}

static int file_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	char place[TEMPORARY_MAX + 32];

	snprintf(place, sizeof(place), "file:%s/{cookie}", file_dir());
	return pair_create(ret, loop, place, verify_new);
}

static int http_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	char place[80];

	snprintf(place, sizeof(place), "%s/{cookie}", origin_url(origin));
	return pair_create(ret, loop, place, verify_new);
}

const struct fetcher_class verify_file_class = {
	.name = "file",
	.schemes = (const char *const[]){ "fs-verity", NULL },
	.create = file_create,
};

const struct fetcher_class verify_http_class = {
	.name = "http",
	.schemes = (const char *const[]){ "fs-verity", NULL },
	.create = http_create,
};
