/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "daemon/ctl/ctl.h"
#include "daemon/util/cleanup.h"

#define READ_AHEAD_MAX (1ull << 30) /* bytes */

/* Everything about times of access excludes the rest of it. */
#define ATIME (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

struct flag {
	const char *name;
	unsigned long set, clear;
};

static const struct flag flags[] = {
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "nosymfollow", MS_NOSYMFOLLOW, 0 },
	{ "symfollow", 0, MS_NOSYMFOLLOW },
	{ "noatime", MS_NOATIME, ATIME },
	{ "relatime", MS_RELATIME, ATIME },
	{ "strictatime", MS_STRICTATIME, ATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "defaults", 0, 0 },
	{ "rw", 0, 0 }, /* mount(8) says it whenever nobody has said "ro" */
};

/* For mount(8) and the service manager; it keeps most of them from us. */
static const char *const others[] = { "auto",  "noauto", "nofail", "_netdev", "group",
				      "owner", "user",	 "users",  "nouser",  "silent",
				      "loud",  "async",	 "atime" };

void mount_options_begin(struct mount_options *options)
{
	*options = (struct mount_options){
		.flags = MS_NODEV,
	};
}

void mount_options_end(struct mount_options *options)
{
	free(options->upper);
	free(options->config);
	free(options->state_dir);
	free(options->run_dir);
	*options = (struct mount_options){ 0 };
}

static int replace(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

int mount_options_read_ahead(struct mount_options *options, const char *text, char *error)
{
	uint64_t bytes;

	if (ctl_parse_bytes(text, &bytes) < 0 || bytes > READ_AHEAD_MAX || bytes % 1024 != 0)
		return mount_fail(error, -EINVAL,
				  "read-ahead: a number of KiB up to 1GiB is expected, not '%.64s'",
				  text);
	options->read_ahead_kib = (uint32_t)(bytes / 1024);
	return 0;
}

static int set_value(struct mount_options *options, const char *name, const char *value,
		     char *error)
{
	char **text = strcmp(name, "upper") == 0       ? &options->upper
		      : strcmp(name, "config") == 0    ? &options->config
		      : strcmp(name, "state-dir") == 0 ? &options->state_dir
		      : strcmp(name, "run-dir") == 0   ? &options->run_dir
						       : NULL;

	if (text && !*value)
		return mount_fail(error, -EINVAL, "%s: a directory or file is missing", name);
	if (text == &options->upper)
		options->writable = MOUNT_IN_DIR;
	if (text)
		return replace(text, value);
	if (strcmp(name, "read-ahead") == 0)
		return mount_options_read_ahead(options, value, error);
	if (strcmp(name, "comment") == 0)
		return 0;
	return mount_fail(error, -EINVAL, "there is no option '%.64s='", name);
}

static int set_word(struct mount_options *options, const char *name, char *error)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(name, flags[i].name) == 0) {
			options->flags = (options->flags & ~flags[i].clear) | flags[i].set;
			return 0;
		}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i]) == 0)
			return 0;
	if (strcmp(name, "ro") == 0) {
		options->read_only = true;
		return 0;
	}
	if (strcmp(name, "writable") == 0) {
		if (!options->upper)
			options->writable = MOUNT_IN_MEMORY;
		return 0;
	}
	return mount_fail(error, -EINVAL, "there is no option '%.64s'", name);
}

static int set(struct mount_options *options, const char *name, const char *value, char *error)
{
	if (strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0)
		return 0;
	return value ? set_value(options, name, value, error) : set_word(options, name, error);
}

/* Cuts the next one off, in place; NULL when a quotation does not end. */
static char *next(char **rest, char **ret_value)
{
	char *name = *rest, *p = name + strcspn(name, ",=");
	bool more;

	*ret_value = NULL;
	if (*p == '=') {
		*p++ = '\0';
		*ret_value = p;
		if (*p == '"') {
			char *end = strchr(p + 1, '"');

			if (!end || (end[1] && end[1] != ','))
				return NULL;
			*ret_value = p + 1;
			*end = '\0';
			p = end + 1;
		} else {
			p += strcspn(p, ",");
		}
	}
	more = *p == ',';
	*p = '\0';
	*rest = more ? p + 1 : p;
	return name;
}

int mount_options_add(struct mount_options *options, const char *text, char *error)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && *rest) {
		char *value, *name = next(&rest, &value);

		if (!name)
			return mount_fail(error, -EINVAL,
					  "a quotation mark is missing, or out of place");
		if (*name || value)
			r = set(options, name, value, error);
	}
	return r == -ENOMEM ? mount_fail(error, r, "out of memory") : r;
}

int mount_options_check(const struct mount_options *options, char *error)
{
	if (options->read_only && options->writable != MOUNT_READ_ONLY)
		return mount_fail(error, -EINVAL, "read-only and writable at once");
	return 0;
}
