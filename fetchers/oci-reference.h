/* SPDX-License-Identifier: MIT */
/*
 * What an oci: locator names:
 *
 *	oci://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST][?layer=N | ?title=TEXT | ?blob]
 *	oci://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]?referrers[=TYPE]
 *
 * Percent-encoding is undone in each part by itself, so that a key in a locator can be a repository
 * with its tag, but never a selector. Pure, fuzzed.
 */
#pragma once

#include <stdbool.h>

#define OCI_DIGEST_MAX 140 /* "sha512:" and 128 digits, with the terminator */
#define OCI_SCHEME     "oci://"

enum oci_select {
	OCI_SELECT_ONLY,      /* the one layer that there is, or the one that is an EROFS image */
	OCI_SELECT_LAYER,     /* by its number */
	OCI_SELECT_TITLE,     /* by its annotation org.opencontainers.image.title */
	OCI_SELECT_BLOB,      /* what the digest names is no manifest */
	OCI_SELECT_MANIFEST,  /* all layers: for lists, never in a locator */
	OCI_SELECT_REFERRERS, /* what says of itself that it belongs to the digest: for lists */
};

struct oci_reference {
	char *text;	      /* owned: what the others point into */
	const char *registry; /* "host", "host:port" */
	const char *repository;
	const char *tag; /* or digest, if there is one */
	char digest[OCI_DIGEST_MAX];
	enum oci_select select;
	unsigned int layer; /* counted from 0 */
	const char *title;
	const char *type; /* of referrers; characters of a media type but "+", or "" for any */
};

/* -EINVAL with a static half sentence: no such locator. -ENOMEM. */
int oci_reference_parse(struct oci_reference *ret, const char *locator, const char **ret_why);
void oci_reference_end(struct oci_reference *reference);

/* "sha256:" or "sha512:" and as many lower-case hexadecimal digits as that has. */
bool oci_digest_valid(const char *text);
