/* SPDX-License-Identifier: MIT */
#include "daemon/util/locator.h"

#include <string.h>

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
