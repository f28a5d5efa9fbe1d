/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of one mounted image while it is mounted: where it is and what it is made of,
 * so that exactly this can be undone. JSON text, bounded in both directions; pure, and nothing that
 * is written in it is believed without a look.
 *
 * A record is written before the first step of its mount and removed after the last of its undoing.
 * How often a layer is used is counted in the records, and stored nowhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MOUNT_RECORD_TEXT_MAX = 1 << 20, /* bytes of a record */
	MOUNT_LAYERS_MAX = 500,		 /* what overlayfs takes */
	MOUNT_COOKIE_MAX = 200,		 /* with its NUL: longer keys are dangerous, see below */
};

enum mount_writable {
	MOUNT_READ_ONLY,
	MOUNT_IN_MEMORY, /* the upper directory is a tmpfs of its own, gone with the mount */
	MOUNT_IN_DIR,	 /* it is UPPER/upper, and stays */
};

struct mount_record {
	char *dir;	 /* canonical, where the image is; all text is owned and never NULL */
	char *image;	 /* its name in the store */
	char *state_dir; /* of that store; absolute, as the configuration has it */
	char *domain;	 /* in which its layers were mounted */
	char *upper;	 /* for MOUNT_IN_DIR: the directory that holds "upper" and "work"; or "" */
	enum mount_writable writable;
	bool transient;	   /* the image is removed with its last mount */
	bool complete;	   /* every step was made: what is missing now, somebody else has undone */
	uint64_t mount_ns; /* inode of the mount namespace */
	char **layers;	   /* cookies, bottom to top */
	size_t n_layers;   /* 1 ... MOUNT_LAYERS_MAX */
};

/*
 * Can be an object's key and the name of a directory: printable, no slash, no blank, shorter than
 * MOUNT_COOKIE_MAX. Keys of 253 to 255 bytes in a domain hit a BUG_ON inside mount(2).
 */
bool mount_cookie_good(const char *cookie);

/* Text as mount(2) and /proc/self/mountinfo can carry it: absolute, canonical, of bounded length.
 */
bool mount_path_good(const char *path);

/* 0; -EINVAL: it is not a record, `error` (of error_max bytes) says why; -ENOMEM. */
int mount_record_parse(struct mount_record **ret, const char *text, size_t len, char *error,
		       size_t error_max);

/* The text, with a newline at its end; to be freed. -EINVAL: parsing it would fail. -ENOMEM. */
int mount_record_format(const struct mount_record *record, char **ret);

bool mount_record_uses(const struct mount_record *record, const char *cookie);
/* Several layers, or a writable one: overlayfs. Else the layer itself. */
bool mount_record_stacked(const struct mount_record *record);

struct mount_record *mount_record_free(struct mount_record *record);
void mount_record_freep(struct mount_record **record);
