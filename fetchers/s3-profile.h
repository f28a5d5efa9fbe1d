/* SPDX-License-Identifier: MIT */
/*
 * One section of a file of credentials, as the AWS tools write it:
 *
 *	[default]
 *	aws_access_key_id = ...
 *	aws_secret_access_key = ...
 *
 * Pure.
 */
#pragma once

#include <stddef.h>

#define S3_KEY_MAX    512  /* of id, secret and region, with the terminator */
#define S3_TOKEN_MAX  4096 /* of a session token */
#define S3_REGION_MAX 64

struct s3_profile {
	char id[S3_KEY_MAX];
	char secret[S3_KEY_MAX];
	char token[S3_TOKEN_MAX];   /* empty: none */
	char region[S3_REGION_MAX]; /* empty: none */
};

/*
 * Sections of one name add up, the last word counts; "[profile x]" is "[x]". -ENOENT: there is no
 * such section; -EINVAL: one of its values is too long, or no printable text without blanks.
 */
int s3_profile_parse(struct s3_profile *ret, const char *text, size_t len, const char *name);

/* -EINVAL as above; *ret is a slot of n bytes. */
int s3_profile_set(char *slot, size_t n, const char *value, size_t len);
