/* SPDX-License-Identifier: MIT */
/*
 * Mounting an image: the order of the steps. First a record of all that may be made, then layers,
 * then the overlay or bind mount, then a record that says that all of it was made.
 */
#pragma once

#include "daemon/ctl/mount-stack.h"

struct mount_request {
	const struct images_image *image;
	const char *dir;       /* as it was given */
	const char *state_dir; /* of the store that has the image */
	const char *domain;
	enum mount_writable writable;
	const char *upper;   /* as it was given, or NULL */
	unsigned long flags; /* MS_* */
	uint32_t read_ahead_kib;
	/*
	 * The image is on record now, and the records are locked: a last look at the store, so that
	 * what is mounted is what it has. An error, with a sentence, ends it all.
	 */
	int (*claimed)(void *arg, char *error);
	void *arg;
};

/*
 * 0; -EALREADY: this image is mounted there, just like that. Else a negative errno with a sentence
 * in error, and nothing is left behind. -EINTR: it was interrupted while the kernel waits for the
 * daemon; what has been made is undone once that has ended.
 */
int mount_make(const struct mount_run *run, const struct mount_request *request, char *error);
