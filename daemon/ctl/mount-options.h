/* SPDX-License-Identifier: MIT */
/*
 * What stands behind -o of cachefillctl-mount(1) and in the fourth field of an fstab(5): a list of
 * words and of NAME=VALUE, with commas between them. A value that begins with a quotation mark goes
 * to the next one and may have commas. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/ctl/mount-error.h"
#include "daemon/ctl/mount-record.h"

struct mount_options {
	enum mount_writable writable;
	bool read_only;			    /* "ro" was said */
	char *upper;			    /* owned, as all text; or NULL */
	unsigned long flags;		    /* MS_*, begins as MS_NODEV */
	uint32_t read_ahead_kib;	    /* 0: as the kernel has it */
	char *config, *state_dir, *run_dir; /* or NULL */
};

void mount_options_begin(struct mount_options *options);
/* Adds what `text` says. -EINVAL, -ENOMEM, with a sentence in error. */
int mount_options_add(struct mount_options *options, const char *text, char *error);
/* At the end: -EINVAL with a sentence when they contradict each other. */
int mount_options_check(const struct mount_options *options, char *error);
void mount_options_end(struct mount_options *options);

/* A size of --read-ahead: in units of 1024 bytes, at most 1 GiB. -EINVAL with a sentence. */
int mount_options_read_ahead(struct mount_options *options, const char *text, char *error);
