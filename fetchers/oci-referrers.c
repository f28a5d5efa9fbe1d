/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-referrers.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1: it is of that type. */
static int take(struct oci_referrer *ret, const json_t *descriptor, const char *type, char *why)
{
	*ret = (struct oci_referrer){ 0 };
	if (oci_descriptor_read(descriptor, ret->digest, &ret->size, why) < 0)
		return -EPROTO;
	ret->media_type = oci_text_of(descriptor, "mediaType");
	ret->artifact_type = oci_text_of(descriptor, "artifactType");
	return !*type || strcmp(type, ret->artifact_type) == 0;
}

static int take_all(struct oci_referrers *ret, const char *type, char *why)
{
	const json_t *manifests = json_object_get(ret->index, "manifests");
	int r = 0;

	if (!json_is_array(manifests))
		return oci_manifest_verdict(-EPROTO, why, "the list of referrers is no index");
	ret->all = calloc(OCI_REFERRERS_MAX, sizeof(*ret->all));
	if (!ret->all)
		return oci_manifest_verdict(-ENOMEM, why, "no memory");
	for (size_t i = json_array_size(manifests);
	     r >= 0 && i-- > 0 && ret->n < OCI_REFERRERS_MAX;) {
		r = take(&ret->all[ret->n], json_array_get(manifests, i), type, why);
		ret->n += r == 1;
	}
	if (r >= 0 && ret->n == 0)
		return oci_manifest_verdict(-ENOENT, why, "nothing refers to it");
	return r < 0 ? r : 0;
}

int oci_referrers_read(struct oci_referrers *ret, const char *text, size_t len,
		       const char *artifact_type, char why[OCI_WHY_MAX])
{
	struct oci_referrers referrers = { 0 };
	int r;

	referrers.index = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = take_all(&referrers, artifact_type, why);
	if (r < 0)
		oci_referrers_end(&referrers);
	else
		*ret = referrers;
	return r;
}

void oci_referrers_end(struct oci_referrers *referrers)
{
	free(referrers->all);
	json_decref(referrers->index);
	*referrers = (struct oci_referrers){ 0 };
}

void oci_referrers_tag(char ret[OCI_DIGEST_MAX], const char *digest)
{
	int n = (int)strcspn(digest, ":");

	snprintf(ret, OCI_DIGEST_MAX, "%.*s-%.64s", n < 32 ? n : 32, digest,
		 digest[n] ? digest + n + 1 : "");
}
