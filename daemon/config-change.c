/* SPDX-License-Identifier: MIT */
/* What is another one in another configuration, and when that comes into force. */
#include <stdio.h>
#include <string.h>

#include "daemon/config-key.h"
#include "daemon/config.h"
#include "daemon/engine/resolve.h"

/* Of keys that are not here a daemon that goes on for another takes the new value. */
static const struct {
	const char *key;
	enum config_when when;
} late[] = {
	{ "dir", CONFIG_STOPPED },
	{ "state-dir", CONFIG_STOPPED },
	{ "image-domain", CONFIG_STOPPED },
	/* What the device was opened and bound with. */
	{ "device", CONFIG_LATER },
	{ "tag", CONFIG_LATER },
	{ "secctx", CONFIG_LATER },
	{ "brun", CONFIG_LATER },
	{ "bcull", CONFIG_LATER },
	{ "bstop", CONFIG_LATER },
	{ "frun", CONFIG_LATER },
	{ "fcull", CONFIG_LATER },
	{ "fstop", CONFIG_LATER },
	/* A filter of system calls is never taken off, and helpers are not started under one. */
	{ "seccomp", CONFIG_LATER },
	{ "credential-helpers", CONFIG_LATER },
};

static enum config_when when_of(const char *key)
{
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		if (strcmp(late[i].key, key) == 0)
			return late[i].when;
	return CONFIG_NOW;
}

struct look {
	const char *key;
	char value[LOCATOR_MAX]; /* "": it has none, which is no value of any key */
};

static void note(void *arg, const char *key, const char *value, bool plain)
{
	struct look *look = arg;

	if (strcmp(key, look->key) == 0)
		snprintf(look->value, sizeof(look->value), "%s", value);
}

void config_changes(const struct config *from, const struct config *to, config_visit_change *visit,
		    void *arg)
{
	const char *key;

	for (size_t i = 0; (key = config_key_name(i)); i++) {
		struct look old = { .key = key }, new = { .key = key };

		config_each(from, NULL, note, &old);
		config_each(to, NULL, note, &new);
		if (strcmp(old.value, new.value) != 0)
			visit(arg, key, when_of(key));
	}
}
