/* SPDX-License-Identifier: MIT */
/*
 * The credentials of one source: where they are, and what they are now. A file is read again when
 * it has changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <sys/stat.h>

#include "fetchers/fetcher.h"
#include "fetchers/s3-profile.h"

struct s3_keyring {
	char *path;    /* owned; NULL: the environment */
	char *profile; /* owned: the section of the file */
	struct s3_profile now;
	struct stat seen;	 /* of the file, when it was read */
	struct timespec changed; /* CLOCK_MONOTONIC: when `now` became another; 0: never */
};

/*
 * Looks in the file (or NULL), then at the usual places. profile NULL: $AWS_PROFILE or "default";
 * one that is given is looked for in files only. error: FETCH_ERROR_MAX bytes, filled when the
 * return value is negative, with the places.
 */
int s3_keyring_init(struct s3_keyring *keyring, const char *file, const char *profile, char *error);
void s3_keyring_end(struct s3_keyring *keyring);

/* Before a request: what is in the file now. Where that is no good, what was there stays. source:
 * whose it is, for the log, or NULL; as in struct fetcher. */
void s3_keyring_refresh(struct s3_keyring *keyring, const char *source);

/* A request was refused. True: there are, or were a moment ago, other credentials. */
bool s3_keyring_refused(struct s3_keyring *keyring, const char *source);

/* The region that the file of the tools' settings has for that profile; or stays as it is. */
void s3_keyring_region(char region[S3_REGION_MAX], const char *profile);
