/* SPDX-License-Identifier: MIT */
/*
 * Layers: each EROFS file system is mounted once per host, at RUN_DIR/layers/COOKIE, for all images
 * that have it. The kernel would refuse to mount one a second time in the same domain.
 */
#pragma once

#include <stdint.h>

#include "daemon/ctl/mount-error.h"
#include "daemon/ctl/mount-run.h"
#include "daemon/ctl/mount-table.h"
#include "daemon/images/images.h"

struct mount_layer {
	const struct mount_run *run;
	const struct images_layer *layer;
	const char *domain;
	uint32_t read_ahead_kib;
	void (*abandoned)(void *arg); /* as in struct mount_call */
	void *arg;
};

/*
 * Mounts it unless it is mounted. The record that uses it is written already. -EINTR: see
 * mount_wait_call(). Else a negative errno with a sentence in error, of MOUNT_ERROR_MAX.
 */
int mount_layer_get(const struct mount_layer *layer, char *error);

/*
 * Unmounts it and removes its directory, as far as there is something; the caller holds the lock of
 * the records, and none of them needs it. -EBUSY: somebody works in it (with `lazy` it goes when
 * they have ended), or is about to mount it: later commands try again.
 */
int mount_layer_put(const struct mount_run *run, const struct mount_table *table,
		    const char *cookie, bool lazy);

/* What a person can do about a mount(2) of this layer that failed so; pure. */
void mount_layer_explain(const struct images_layer *layer, int err, char *error);

/* 0, or -EINVAL with a sentence: it must not be mounted like that; pure. */
int mount_layer_check(const struct images_layer *layer, const char *domain, char *error);
