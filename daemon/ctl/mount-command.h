/* SPDX-License-Identifier: MIT */
/*
 * What cachefillctl-mount(1) and mount.cachefill(8) share: from names to mounts. Trouble is told on
 * stderr; results are 0 or a negative errno: -EINVAL for a wrong name or option, -EINTR and
 * -ECANCELED after a signal, -EALREADY (not told): it is mounted there, just like that.
 */
#pragma once

#include "daemon/ctl/context.h"
#include "daemon/ctl/mount-make.h"
#include "daemon/ctl/mount-options.h"

/* Mounts an image. The context is not open yet; what the options say of it wins. */
int mount_command(struct context *context, const struct mount_options *options, const char *image,
		  const char *dir);

/* Undoes the mount at a directory. */
int umount_command(const char *run_dir, const char *dir, bool lazy);

/* All mounts that are on record. */
int umount_all_command(const char *run_dir, bool lazy);

/* RUN_DIR; trouble is told. */
int mount_command_open(const char *run_dir, struct mount_run *ret);
