/* SPDX-License-Identifier: MIT */
/*
 * What is mounted in this mount namespace, from /proc/self/mountinfo. Nothing here looks at a
 * mounted file system itself, since that may take for ever.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct mount_entry {
	char *dir; /* where it is; all text is of the table */
	char *root;
	char *type;
	char *source;
	char *super; /* options of the file system, comma-separated */
};

struct mount_table {
	struct mount_entry *entries; /* in the order in which they were mounted */
	size_t n_entries;
	char *text; /* owned: what the entries point into */
};

/* 0 or a negative errno. */
int mount_table_load(struct mount_table *ret);

/* Takes `text`, also after an error: -EINVAL for what is no mountinfo, -ENOMEM. Pure. */
int mount_table_parse(struct mount_table *ret, char *text);

void mount_table_end(struct mount_table *table);

/* What is mounted last at a canonical path, or NULL. */
const struct mount_entry *mount_table_top(const struct mount_table *table, const char *dir);

/* It is the EROFS file system with this fsid. */
bool mount_entry_is_layer(const struct mount_entry *entry, const char *cookie);
