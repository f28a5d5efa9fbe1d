/* SPDX-License-Identifier: MIT */
/*
 * What cachefillctl-mount(1) and mount.cachefill(8) share: from names to mounts. Trouble is told on
 * stderr; results are 0 or a negative errno: -EINVAL for a wrong name or option, -EINTR and
 * -ECANCELED after a signal.
 */
#pragma once

#include "daemon/ctl/mount-make.h"
#include "daemon/ctl/mount-options.h"

/* Mounts an image of the store, or what a reference leads to. */
int mount_command(const struct mount_options *options, const char *image, const char *dir);

/* Undoes the mount at a directory. */
int umount_command(const char *run_dir, const char *dir, bool lazy);

/* All mounts that are on record. */
int umount_all_command(const char *run_dir, bool lazy);

/* RUN_DIR, or the usual one for NULL. */
int mount_command_open(const char *run_dir, struct mount_run *ret);
