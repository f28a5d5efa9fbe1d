/* SPDX-License-Identifier: MIT */
/*
 * Undoing mounts. Whatever ends a process that mounts or unmounts, a record tells what it may have
 * made, and the locks tell whether somebody still works on it. So each command begins by undoing
 * what others left: half-made mounts, and layers whose last user was unmounted by hand.
 */
#pragma once

#include "daemon/ctl/mount-stack.h"

/* Takes the lock of a canonical directory, for whoever works there. 0, or with a sentence
 * -ECANCELED (a signal came) or another negative errno. */
int mount_lock_dir(const struct mount_run *run, const char *dir, char *error);

/*
 * Undoes what a record tells of a canonical directory. -ENOENT without a sentence: there is none.
 * -EBUSY: it is in use. Each step that was undone already is left out.
 */
int mount_undo(const struct mount_run *run, const char *dir, bool lazy, char *error);

/* The same for whoever has locked the directory. */
int mount_undo_record(const struct mount_run *run, const struct mount_record *record, bool lazy,
		      char *error);

/* Undoes what is left of others. Trouble is told on stderr. */
void mount_sweep(const struct mount_run *run);

/* What the record tells is mounted at its directory, perhaps under something else. */
bool mount_is_there(const struct mount_record *record, const struct mount_table *table);

/* Its mount namespace is another one than ours, and there are still processes in it. */
bool mount_elsewhere(const struct mount_record *record);
