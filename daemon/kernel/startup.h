/* SPDX-License-Identifier: MIT */
/*
 * From nothing to a bound cache: open the device, look at the cache directory, scrub it, set the
 * limits, bind. Everything that can be wrong here ends in one sentence that says what, and how to
 * mend it, and in an exit status of its own.
 */
#pragma once

#include <stdbool.h>

#include "daemon/kernel/port.h"
#include "proto/cachefiles.h"

enum startup_status {
	STARTUP_OK = 0,
	/* 1: any other failure, 2: usage; 10..: what follows. Listed in cachefilld(8). */
	STARTUP_NO_DEVICE = 10, /* no /dev/cachefiles: module or CONFIG_CACHEFILES missing */
	STARTUP_NO_PERMISSION,	/* CAP_SYS_ADMIN in the initial user namespace is missing */
	STARTUP_DEVICE_BUSY,	/* says who holds it, found in /proc/<pid>/fd */
	STARTUP_NO_ONDEMAND,	/* kernel without CONFIG_CACHEFILES_ONDEMAND */
	STARTUP_BAD_CACHE_DIR,	/* missing, not a directory, not writable */
	STARTUP_BAD_FILESYSTEM, /* lacks xattr, O_TMPFILE, O_DIRECT, SEEK_HOLE, 4 KiB blocks */
	STARTUP_NO_SPACE,	/* free space or inodes below the cull limits */
	STARTUP_BIND_FAILED,	/* the kernel refused for another reason */
};

struct startup_config {
	const char *device;    /* "/dev/cachefiles" */
	const char *cache_dir; /* absolute */
	const char *tag;       /* constant for ever: see "the tag trap" */
	const char *secctx;    /* NULL: none */
	struct cf_limits limits;
};

/* Room for every sentence that the start may end in. */
#define STARTUP_ERROR_MAX 1024

/* Opens the device; says why there is none, or who has it. The first step of both below. */
enum startup_status startup_open_device(int *ret_fd, const char *device, char *error);

/*
 * Does all of it. On success *ret is a port on a bound device in on-demand mode and *ret_restore
 * says whether the kernel has `restore`. On failure the status is returned and error
 * (STARTUP_ERROR_MAX bytes) holds the sentence. What does not prevent the start but deserves a word
 * goes to the log.
 */
enum startup_status startup_bind(struct port **ret, bool *ret_restore,
				 const struct startup_config *config, char *error);

/*
 * The same for a device that was bound by another process, and of which device_fd (consumed) is a
 * copy: looks whether it is one, and the cache alive. Nothing is read, and nothing sent again yet.
 */
enum startup_status startup_adopt(struct port **ret, int device_fd,
				  const struct startup_config *config, char *error);

/*
 * `--probe`: prints, line by line, what the running kernel and the cache directory (may be NULL)
 * offer; changes nothing, and takes the device, if it is free, only for a moment. Returns
 * STARTUP_OK when a daemon could start, else the status of the first obstacle.
 */
enum startup_status startup_probe(const struct startup_config *config);
