/* SPDX-License-Identifier: MIT */
#include "daemon/util/locator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"

#define TARMAP "tarmap:"

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

/* ---- tar layers ---------------------------------------------------------------------------- */

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

bool locator_is_tarmap(const char *locator)
{
	return strncasecmp(locator, TARMAP, strlen(TARMAP)) == 0;
}

int locator_split_tarmap(const char *locator, char **ret_map, const char **ret_blob)
{
	const char *path = locator + strlen(TARMAP);
	_cleanup_free_ char *map = NULL;
	size_t len;

	if (!locator_is_tarmap(locator))
		return -EINVAL;
	len = strcspn(path, ";");
	if (*path != '/' || path[len] != ';' || path[len + 1] == '\0')
		return -EINVAL;
	map = strndup(path, len);
	if (!map)
		return -ENOMEM;
	if (!decode(map))
		return -EINVAL;
	*ret_map = steal(&map);
	*ret_blob = path + len + 1;
	return 0;
}

char *locator_join_tarmap(const char *map, const char *blob)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789/._-";
	static const char digits[] = "0123456789ABCDEF";
	char *whole = malloc(strlen(TARMAP) + 3 * strlen(map) + 1 + strlen(blob) + 1), *to;

	if (!whole)
		return NULL;
	to = stpcpy(whole, TARMAP);
	for (; *map; map++) {
		unsigned char c = (unsigned char)*map;

		if (strchr(plain, c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	*to++ = ';';
	strcpy(to, blob);
	return whole;
}
