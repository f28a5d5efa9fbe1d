/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/kconfig.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

/* A line "OPTION=y"; every option that is off has none, or one that is a comment. */
static enum kconfig parse_line(const char *line, const char *option)
{
	size_t n = strlen(option);

	if (strncmp(line, option, n) != 0 || line[n] != '=')
		return KCONFIG_UNKNOWN;
	if (line[n + 1] == 'm')
		return KCONFIG_MODULE;
	return line[n + 1] == 'y' ? KCONFIG_YES : KCONFIG_NO;
}

/* gzopen() reads plain text as it is, so that one reader does for all places. */
static enum kconfig search_file(const char *path, const char *option)
{
	enum kconfig value = KCONFIG_UNKNOWN;
	gzFile file = gzopen(path, "re");
	char line[512];
	int error;

	if (!file)
		return KCONFIG_UNKNOWN;
	while (value == KCONFIG_UNKNOWN && gzgets(file, line, sizeof(line)))
		value = parse_line(line, option);
	if (value == KCONFIG_UNKNOWN && gzeof(file)) {
		gzerror(file, &error);
		value = error == Z_OK ? KCONFIG_NO : KCONFIG_UNKNOWN;
	}
	gzclose(file);
	return value;
}

enum kconfig kconfig_get(const char *option)
{
	enum kconfig value;
	char path[PATH_MAX];
	struct utsname u;

	value = search_file("/proc/config.gz", option);
	if (value != KCONFIG_UNKNOWN || uname(&u) < 0)
		return value;
	snprintf(path, sizeof(path), "/boot/config-%s", u.release);
	value = search_file(path, option);
	if (value != KCONFIG_UNKNOWN)
		return value;
	snprintf(path, sizeof(path), "/lib/modules/%s/config", u.release);
	return search_file(path, option);
}

const char *kconfig_text(enum kconfig value)
{
	switch (value) {
	case KCONFIG_NO:
		return "no";
	case KCONFIG_MODULE:
		return "module";
	case KCONFIG_YES:
		return "yes";
	case KCONFIG_UNKNOWN:
		break;
	}
	return "unknown";
}

int kconfig_misc_minor(const char *name)
{
	FILE *file = fopen("/proc/misc", "re");
	char entry[64];
	int minor, found = -ENOENT;

	if (!file)
		return -ENOENT;
	while (found < 0 && fscanf(file, "%d %63s", &minor, entry) == 2)
		if (strcmp(entry, name) == 0)
			found = minor;
	fclose(file);
	return found;
}
