/* SPDX-License-Identifier: MIT */
#include "daemon/util/locator.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

char *locator_print(const char *locator, char *buf, size_t n)
{
	const char *authority = strstr(locator, "//");
	size_t len = strcspn(locator, "?#"), at = 0;
	const char *end = locator + len;
	const char *from = locator;

	if (authority && authority + 2 < end) {
		const char *slash = memchr(authority + 2, '/', (size_t)(end - authority - 2));
		const char *stop = slash ? slash : end;
		const char *user = memrchr(authority + 2, '@', (size_t)(stop - authority - 2));

		at = (size_t)(authority + 2 - locator);
		if (!user || at >= n)
			at = 0;
		else
			from = user + 1;
		memcpy(buf, locator, at);
	}
	for (; from < end && at < n - 1; from++)
		buf[at++] = (unsigned char)*from < ' ' || *from == 0x7f ? '?' : *from;
	buf[at] = '\0';
	if (from < end)
		memcpy(buf + at - 3, "...", 3);
	return buf;
}

/* ---- indexed objects ----------------------------------------------------------------------------
 */

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* In place; false: a '%' without two digits, or a NUL inside. */
static bool decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = digit(from[1]);
		low = high < 0 ? -1 : digit(from[2]);
		if (low < 0 || (high | low) == 0)
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return true;
}

int locator_split_indexed(const char *locator, char **ret_path, const char **ret_inner)
{
	const char *encoded = strchr(locator, ':');
	_cleanup_free_ char *path = NULL;
	size_t len;

	if (!encoded || *++encoded != '/')
		return -EINVAL;
	len = strcspn(encoded, ";");
	if (encoded[len] != ';' || encoded[len + 1] == '\0')
		return -EINVAL;
	path = strndup(encoded, len);
	if (!path)
		return -ENOMEM;
	if (!decode(path))
		return -EINVAL;
	*ret_path = steal(&path);
	*ret_inner = encoded + len + 1;
	return 0;
}

char *locator_join_indexed(const char *scheme, const char *path, const char *inner)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789/._-";
	static const char digits[] = "0123456789ABCDEF";
	char *whole = malloc(strlen(scheme) + 1 + 3 * strlen(path) + 1 + strlen(inner) + 1), *to;

	if (!whole)
		return NULL;
	to = stpcpy(stpcpy(whole, scheme), ":");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (strchr(plain, c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	*to++ = ';';
	strcpy(to, inner);
	return whole;
}
