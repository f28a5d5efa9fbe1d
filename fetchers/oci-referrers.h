/* SPDX-License-Identifier: MIT */
/*
 * What belongs to a manifest, as the distribution specification has it: an index of the manifests
 * that have it for their subject, told by the registry or, by those that do not know of it, kept
 * under a tag. Pure, fuzzed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fetchers/oci-manifest.h"

#define OCI_REFERRERS_MAX 128

struct oci_referrer {
	char digest[OCI_DIGEST_MAX];
	uint64_t size;
	const char *media_type, *artifact_type; /* or "" */
};

/* Its text is valid until oci_referrers_end(). */
struct oci_referrers {
	struct oci_referrer
		*all;	      /* owned: the last in the index is the first, and that the newest */
	size_t n;	      /* at least one */
	struct json_t *index; /* private */
};

/*
 * Those of one type, or with "" all, as many as OCI_REFERRERS_MAX. 0, -ENOMEM, or with half a
 * sentence in why: -ENOENT, there are none; -EPROTO, it is no index.
 */
int oci_referrers_read(struct oci_referrers *ret, const char *text, size_t len,
		       const char *artifact_type, char why[OCI_WHY_MAX]);
void oci_referrers_end(struct oci_referrers *referrers);

/* The tag for what belongs to a digest: at most 97 characters. */
void oci_referrers_tag(char ret[OCI_DIGEST_MAX], const char *digest);
