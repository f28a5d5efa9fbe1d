/* SPDX-License-Identifier: MIT */
/*
 * A borrowed run of bytes. Keys come from a mount option: they may hold any byte, also NUL, and
 * are never C strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){ .data = data, .len = len };
}

static inline struct bytes bytes_str(const char *s)
{
	return bytes_of(s, strlen(s));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/*
 * Writes b for people: printable ASCII as it is, everything else and the backslash as \xNN; cut
 * with "..." where it does not fit. Always terminates (n >= 4). Returns buf.
 */
char *bytes_print(struct bytes b, char *buf, size_t n);

/* The other way: the bytes of a text that was not cut, at most n. -EINVAL: bytes_print() does not
 * write such; -E2BIG. */
int bytes_parse(const char *text, uint8_t *buf, size_t n, size_t *ret_len);
