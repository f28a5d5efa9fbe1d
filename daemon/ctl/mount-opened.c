/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-opened.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/mount-record.h"
#include "daemon/util/cleanup.h"

#define COOKIES		 "/proc/fs/fscache/cookies"
#define LOOK_INTERVAL_MS 10
#define LOOKS_MAX	 6000 /* a minute: the daemon's own deadline has passed by then */

static void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* State letters of fs/netfs/fscache_cookie.c: quiescent, L looking up, C creating, A active,
 * I invalidating, F failed, U using LRU, W withdrawing, R relinquishing, D dropped. */
static enum mount_opened state_of(char letter)
{
	switch (letter) {
	case 'L':
	case 'C':
		return MOUNT_OPENED_NOT_YET;
	case 'A':
	case 'I':
	case 'U':
		return MOUNT_OPENED_YES;
	default:
		return MOUNT_OPENED_FAILED;
	}
}

/* "COOKIE VOLUME REF ACT ACC S FL KEY..."; the key in hex. */
static enum mount_opened look_at(const char *line, const char *hex)
{
	char state, key[2 * MOUNT_COOKIE_MAX + 1];

	if (sscanf(line, "%*s %*s %*s %*s %*s %c %*s %400s", &state, key) != 2 ||
	    strcmp(key, hex) != 0)
		return MOUNT_OPENED_UNKNOWN;
	return state_of(state);
}

static void to_hex(const char *cookie, char *ret)
{
	for (; *cookie; cookie++, ret += 2)
		snprintf(ret, 3, "%02x", (unsigned char)*cookie);
}

/* One key may be there more than once: in another volume, or on its way out. */
static enum mount_opened better(enum mount_opened a, enum mount_opened b)
{
	static const int rank[] = {
		[MOUNT_OPENED_UNKNOWN] = 0,
		[MOUNT_OPENED_FAILED] = 1,
		[MOUNT_OPENED_NOT_YET] = 2,
		[MOUNT_OPENED_YES] = 3,
	};

	return rank[a] > rank[b] ? a : b;
}

enum mount_opened mount_opened_parse(const char *list, const char *cookie)
{
	enum mount_opened found = MOUNT_OPENED_UNKNOWN;
	char hex[2 * MOUNT_COOKIE_MAX + 1] = "";

	if (!mount_cookie_good(cookie))
		return found;
	to_hex(cookie, hex);
	for (const char *line = list; *line;) {
		size_t len = strcspn(line, "\n");
		char copy[1024];

		snprintf(copy, sizeof(copy), "%.*s", (int)(len < 1023 ? len : 1023), line);
		found = better(found, look_at(copy, hex));
		line += len + (line[len] == '\n');
	}
	return found;
}

static enum mount_opened look(const char *cookie)
{
	_cleanup_(fclosep) FILE *file = fopen(COOKIES, "re");
	enum mount_opened found = MOUNT_OPENED_UNKNOWN;
	char line[1024];

	while (file && fgets(line, sizeof(line), file))
		found = better(found, mount_opened_parse(line, cookie));
	return found;
}

enum mount_opened mount_opened(const char *cookie)
{
	const struct timespec pause = { .tv_nsec = LOOK_INTERVAL_MS * 1000000 };
	enum mount_opened found = look(cookie);

	for (int i = 0; i < LOOKS_MAX && found == MOUNT_OPENED_NOT_YET; i++) {
		nanosleep(&pause, NULL);
		found = look(cookie);
	}
	return found;
}
