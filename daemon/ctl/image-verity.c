/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image-verity.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image-layer.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "daemon/util/verified.h"

#define DIGEST "io.cachefilld.fsverity.digest"
#define TREE   "io.cachefilld.fsverity.tree"

/* "sha256:" and 64 digits. */
static bool is_sha256(const char *digest)
{
	char validator[128];

	return strlen(digest) < sizeof(validator) - 8 &&
	       verified_sha256(strcat(strcpy(validator, "digest:"), digest));
}

static int no_memory(char *error)
{
	snprintf(error, CONTEXT_ERROR_MAX, "out of memory");
	return -ENOMEM;
}

/* The tree is believed as far as it fits the digest: wherever it lies, it proves nothing else. */
static int make_locator(char **ret, const char *part, const char *digest, const char *tree,
			char *error)
{
	_cleanup_free_ char *place = NULL;
	int repository = (int)strcspn(part, "@");

	if (!is_sha256(digest) || !is_sha256(tree) || part[repository] != '@') {
		snprintf(
			error, CONTEXT_ERROR_MAX,
			"what the manifest says of the fs-verity digest of a layer makes no sense");
		return -EPROTO;
	}
	if (asprintf(&place, "%.*s@%s?blob", repository, part, tree) < 0) {
		place = NULL;
		return no_memory(error);
	}
	*ret = locator_join_verified(digest, place, part);
	return *ret ? 0 : no_memory(error);
}

static const char *note(const json_t *layer, const char *name)
{
	const json_t *notes = json_object_get(layer, "annotations");

	return json_string_value(json_object_get(notes, name));
}

static int read_layers(char **locators, const struct fetch_list *list, const json_t *layers,
		       bool *ret_some, char *error)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < list->n_parts; i++) {
		const json_t *layer = json_array_get(layers, i);
		const char *digest = note(layer, DIGEST), *tree = note(layer, TREE);

		/* Of an archive the blocks that are read are not those of the blob. */
		if (strcmp(list->parts[i].media_type, IMAGE_TYPE_EROFS) != 0 || !digest)
			continue;
		err = make_locator(&locators[i], list->parts[i].locator, digest, tree ?: "", error);
		*ret_some = true;
	}
	return err;
}

int image_verity_locators(char ***ret, const struct fetch_list *list, char *error)
{
	char **locators = calloc(list->n_parts + 1, sizeof(*locators));
	json_t *json = json_loads(list->manifest, 0, NULL);
	bool some = false;
	int err = locators ? read_layers(locators, list, json_object_get(json, "layers"), &some,
					 error)
			   : no_memory(error);

	json_decref(json);
	if (err < 0 || !some) {
		image_verity_free(locators, list->n_parts);
		locators = NULL;
	}
	*ret = locators;
	return err;
}

void image_verity_free(char **locators, size_t n)
{
	for (size_t i = 0; locators && i < n; i++)
		free(locators[i]);
	free(locators);
}
