/* SPDX-License-Identifier: MIT */
/*
 * What the kernel thinks of an object: the list of fscache's cookies, /proc/fs/fscache/cookies. It
 * is the only place that tells of a device that could not be opened: the mount succeeds all the
 * same, and every read of that device fails.
 */
#pragma once

enum mount_opened {
	MOUNT_OPENED_UNKNOWN, /* not in the list, or there is no list */
	MOUNT_OPENED_NOT_YET, /* it is being opened */
	MOUNT_OPENED_YES,
	MOUNT_OPENED_FAILED,
};

/* From the text of the list; pure. */
enum mount_opened mount_opened_parse(const char *list, const char *cookie);

/* Waits until it is decided, but not for ever. */
enum mount_opened mount_opened(const char *cookie);
