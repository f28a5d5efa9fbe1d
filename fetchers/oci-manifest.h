/* SPDX-License-Identifier: MIT */
/*
 * Manifests and indexes of the image specification, and their ancestors of Docker: which blob, or
 * which manifest next, does a reference mean? Pure, fuzzed. The text was checked against its
 * digest before, where there is one to check.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fetchers/oci-reference.h"

#define OCI_WHY_MAX	 120
#define OCI_MANIFEST_MAX (4u << 20) /* the specification's bound */

/* The Accept field's value for what can be understood here. */
extern const char oci_manifest_accept[];

/* "linux/amd64", "linux/arm/v7": the variant may be empty, then any will do. */
struct oci_platform {
	char os[32], architecture[32], variant[32];
};

/* False: not of that form. */
bool oci_platform_parse(struct oci_platform *ret, const char *text);

/* Of the machine that we run on. */
void oci_platform_host(struct oci_platform *ret);

struct oci_choice {
	bool is_manifest; /* another document; else the blob that was looked for */
	/* Of it; empty where this manifest is what was looked for (OCI_SELECT_MANIFEST). */
	char digest[OCI_DIGEST_MAX];
	uint64_t size;
};

/*
 * type: the Content-Type of the answer, or empty. Returns 0 or, with half a sentence in why:
 *   -ENOENT  no such layer, or nothing for that platform
 *   -EPROTO  not a manifest, or one that contradicts itself
 *   -EIO     several layers, and none is asked for
 */
int oci_manifest_choose(struct oci_choice *ret, const char *text, size_t len, const char *type,
			const struct oci_reference *reference, const struct oci_platform *platform,
			char why[OCI_WHY_MAX]);

/*
 * The digest and the size of a descriptor, which is JSON. 0, or -EPROTO with half a sentence in
 * why. These are also for oci-image.c and oci-referrers.c.
 */
struct json_t;
int oci_descriptor_read(const struct json_t *descriptor, char digest[OCI_DIGEST_MAX],
			uint64_t *ret_size, char why[OCI_WHY_MAX]);

/* What an object has under a key, where that is text, or "". */
const char *oci_text_of(const struct json_t *object, const char *key);

/* Half a sentence into why; returns err. */
int oci_manifest_verdict(int err, char why[OCI_WHY_MAX], const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
