/* SPDX-License-Identifier: MIT */
/*
 * From mounted layers to the directory that a person named: a read-only image of one layer is that
 * layer once more (a bind mount), everything else an overlay.
 *
 * The overlay is told of its layers and of its upper directory by links of one or two letters in a
 * directory of ours, seen from there. So hundreds of layers fit into the page that mount(2) takes,
 * and no name has to be escaped.
 */
#pragma once

#include "daemon/ctl/mount-layers.h"

struct mount_stack {
	const struct mount_run *run;
	const struct mount_record *record;
	unsigned long flags; /* MS_NODEV and so on; MS_RDONLY is added where it must be */
};

/* What stands as source of the mount in /proc/self/mountinfo. */
const char *mount_stack_source(const struct mount_record *record);

/* The last step: all of it is there afterwards, or nothing. A negative errno, with a sentence. */
int mount_stack_make(const struct mount_stack *stack, char *error);

/* The entry is what mount_stack_make() makes of this record. */
bool mount_stack_is(const struct mount_record *record, const struct mount_entry *entry);

/* Removes what lies beside the mount: links, and the tmpfs. 0 or a negative errno. */
int mount_stack_clean(const struct mount_run *run, const struct mount_record *record,
		      const struct mount_table *table, bool lazy);
