/* SPDX-License-Identifier: MIT */
/*
 * RUN_DIR, where the mounted images are administered while they are mounted. It is in memory: after
 * a boot nothing is mounted, and nothing is on record.
 *
 *	lock			locks of everything, see below
 *	layers/COOKIE/		where a layer is mounted, once
 *	mounts/ID.json		a record; ID is a hash of the directory
 *	mounts/ID.d/		what its overlay is made of: links to the layers, and perhaps a
 *tmpfs
 *
 * Locks are ranges of one file, held by the open file: a child shares them with its parent, and
 *they go when both have closed it or are dead. So a lock that a child holds, which waits in the
 *kernel and cannot be killed, outlives whoever started it.
 *
 *	records		held for moments, around each change of what is on record and for the end of
 *			layers
 *	a directory	by whoever mounts or unmounts there, from the first step to the last
 *	a layer		around the mount of it
 *
 * They are taken in the order directory, layer, records; never two of the same kind.
 */
#pragma once

#include <stdbool.h>

#include "daemon/ctl/mount-record.h"

#define MOUNT_RUN_DIR "/run/cachefilld"

struct mount_run {
	char *dir; /* canonical; owned */
	int lock;
};

/* Makes RUN_DIR when it is not there. -ENOTDIR, -EACCES, ... */
int mount_run_open(struct mount_run *ret, const char *dir);
void mount_run_close(struct mount_run *run);

/* Paths of PATH_MAX bytes; -ENAMETOOLONG. */
int mount_run_layer(const struct mount_run *run, const char *cookie, char *ret);
/* "" for name is the directory itself. */
int mount_run_private(const struct mount_run *run, const char *dir, const char *name, char *ret);

enum mount_lock {
	MOUNT_LOCK_RECORDS,
	MOUNT_LOCK_DIR,
	MOUNT_LOCK_LAYER,
};

/* `name`: of the directory or layer. Waits, -EINTR after a signal; or with try -EAGAIN. */
int mount_run_lock(const struct mount_run *run, enum mount_lock kind, const char *name, bool try);
void mount_run_unlock(const struct mount_run *run, enum mount_lock kind, const char *name);

/* Writes or replaces a record, in one step. */
int mount_run_put(const struct mount_run *run, const struct mount_record *record);
/* -ENOENT, -EUCLEAN: there is one that cannot be used (said on stderr). */
int mount_run_get(const struct mount_run *run, const char *dir, struct mount_record **ret);
/* 0 as well when there is none. */
int mount_run_remove(const struct mount_run *run, const char *dir);

struct mount_records {
	struct mount_record **list; /* by directory */
	size_t n;
};

/* All records that can be read; those that cannot are told on stderr. */
int mount_run_list(const struct mount_run *run, struct mount_records *ret);
void mount_records_end(struct mount_records *records);

/* A record other than the one of `except` (a directory, or NULL) uses the layer, the image. */
bool mount_records_use_layer(const struct mount_records *records, const char *cookie,
			     const char *except);
const struct mount_record *mount_records_find_image(const struct mount_records *records,
						    const char *state_dir, const char *image,
						    const char *except);

/* The inode of this process's mount namespace; 0 where /proc does not tell. */
uint64_t mount_namespace(void);
