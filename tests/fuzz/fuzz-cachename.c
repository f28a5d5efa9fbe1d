/* SPDX-License-Identifier: MIT */
/*
 * Names of cache files, both ways. The input is a length byte, a volume key of that length and a
 * cookie key; and all of it, read as text, is also a name that somebody put into the directory.
 */
#include <string.h>

#include "proto/cachename.h"
#include "tests/fuzz/fuzz.h"

static void check_key(struct bytes volume, struct bytes cookie)
{
	char name[CACHENAME_MAX], again[CACHENAME_MAX], path[CACHENAME_PATH_MAX];
	uint8_t key[CACHENAME_MAX];
	int n;

	if (cachename_encode(cookie, name) < 0) {
		FUZZ_CHECK(cachename_path(volume, cookie, path) < 0);
		return;
	}
	FUZZ_CHECK(*name && strlen(name) < CACHENAME_MAX && !strchr(name, '/'));

	/* The key again, or, with NULs at its end, one that the kernel keeps in the same file. */
	n = cachename_decode(name, key);
	FUZZ_CHECK(n > 0 && (size_t)n <= cookie.len && (size_t)n + 3 >= cookie.len);
	FUZZ_CHECK(memcmp(key, cookie.data, (size_t)n) == 0);
	for (size_t i = (size_t)n; i < cookie.len; i++)
		FUZZ_CHECK(cookie.data[i] == 0);
	FUZZ_CHECK(cachename_encode(bytes_of(key, (size_t)n), again) == 0);
	FUZZ_CHECK(strcmp(again, name) == 0);
	FUZZ_CHECK(cachename_fanout(volume, cookie) ==
		   cachename_fanout(volume, bytes_of(key, (size_t)n)));

	if (cachename_path(volume, cookie, path) == 0) {
		const char *below = path + strlen("cache/");
		size_t len = strlen(path);

		FUZZ_CHECK(strncmp(path, "cache/I", 7) == 0);
		FUZZ_CHECK(len == 7 + volume.len + 5 + strlen(name));
		FUZZ_CHECK(strchr(below, '/') == below + 1 + volume.len);
		FUZZ_CHECK(strcmp(path + len - strlen(name), name) == 0);
	}
}

static void check_name(const uint8_t *data, size_t n)
{
	char *name = malloc(n + 1), again[CACHENAME_MAX];
	uint8_t key[CACHENAME_MAX];
	int len;

	FUZZ_CHECK(name);
	memcpy(name, data, n);
	name[n] = 0;
	len = cachename_decode(name, key);
	if (len >= 0) {
		FUZZ_CHECK(len > 0 && cachename_encode(bytes_of(key, (size_t)len), again) == 0);
		FUZZ_CHECK(strcmp(again, name) == 0);
	}
	free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t size;

	check_name(data, n);
	FUZZ_CHECK(!cachename_parse_xattr(data, n, &size) || n == CACHENAME_OBJECT_XATTR_LEN);
	if (n > 0) {
		size_t volume = data[0] < n - 1 ? data[0] : n - 1;

		check_key(bytes_of(data + 1, volume), bytes_of(data + 1 + volume, n - 1 - volume));
	}
	return 0;
}
