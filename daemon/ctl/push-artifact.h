/* SPDX-License-Identifier: MIT */
/*
 * A manifest of blobs that belong to a manifest (its `subject`), so that who looks for them finds
 * them, and no registry takes them for garbage: under the tag that stands for it where the registry
 * itself keeps no list.
 */
#pragma once

#include <jansson.h>

#include "daemon/ctl/context.h"

enum { ARTIFACT_DIGEST_MAX = 72 };

struct artifact {
	struct context *context; /* open, with origins */
	const char *repository;	 /* "oci://HOST/NAME" */
	const char *type;	 /* of the artifact */
	/* The manifest that it belongs to. */
	const char *subject_digest, *subject_type;
	uint64_t subject_size;
	json_t *layers; /* descriptors of the blobs, which are there; borrowed */
	/* Set, for artifact_end(). */
	char *manifest; /* owned */
	char digest[ARTIFACT_DIGEST_MAX];
};

/* CTL_OK, or CTL_FAILED after it has said why. */
int artifact_push(struct artifact *artifact);
void artifact_end(struct artifact *artifact);
