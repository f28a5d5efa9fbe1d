/* SPDX-License-Identifier: MIT */
/*
 * After the device is open no capability is needed any more: commands, writes and completions
 * work through the descriptors, and the kernel does its own I/O with the credentials of bind.
 */
#pragma once

/*
 * Gives up every capability, for good (permitted, bounding, ambient sets; no_new_privs). The user
 * stays: the files of the cache belong to the one who bound it, and stale ones must be marked.
 * 0 or a negative errno.
 */
int privileges_drop(void);

/* Raises RLIMIT_NOFILE to its hard limit: one descriptor per object that is open. */
void privileges_raise_nofile(void);
