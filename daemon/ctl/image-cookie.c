/* SPDX-License-Identifier: MIT */
/* How contents are named, and compared by that. Pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "daemon/ctl/image.h"
#include "daemon/util/verified.h"

#define SHA256_DIGITS 64

static void hash_text(char ret[IMAGES_COOKIE_MAX], const char *locator,
		      const struct fetch_identity *identity)
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t hash;
	char size[24];
	int at;

	/* There is nothing sensible to do without 600 bytes. */
	if (!state)
		abort();
	snprintf(size, sizeof(size), "%llu", (unsigned long long)identity->size);
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, locator, strlen(locator) + 1);
	XXH3_128bits_update(state, identity->validator, strlen(identity->validator) + 1);
	XXH3_128bits_update(state, size, strlen(size));
	XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	at = snprintf(ret, IMAGES_COOKIE_MAX, "x:");
	for (size_t i = 0; i < sizeof(hash.digest); i++)
		at += snprintf(ret + at, 3, "%02x", hash.digest[i]);
}

void image_cookie(char ret[IMAGES_COOKIE_MAX], const char *locator,
		  const struct fetch_identity *identity)
{
	const char *digits = verified_sha256(identity->validator);

	if (digits)
		snprintf(ret, IMAGES_COOKIE_MAX, "sha256:%.*s", SHA256_DIGITS, digits);
	else
		hash_text(ret, locator, identity);
}

bool image_same_layer(const struct images_layer *a, const struct images_layer *b)
{
	if (strcmp(a->primary.cookie, b->primary.cookie) != 0 || a->n_devices != b->n_devices)
		return false;
	for (size_t i = 0; i < a->n_devices; i++)
		if (strcmp(a->devices[i].cookie, b->devices[i].cookie) != 0)
			return false;
	return true;
}

bool image_same(const struct images_image *a, const struct images_image *b)
{
	if (a->n_layers != b->n_layers || strcmp(a->manifest_digest, b->manifest_digest) != 0)
		return false;
	for (size_t i = 0; i < a->n_layers; i++)
		if (!image_same_layer(&a->layers[i], &b->layers[i]))
			return false;
	return true;
}

static bool has_been(const struct images_image *image, size_t layer, const char *cookie)
{
	for (size_t i = 0; i < layer; i++) {
		const struct images_layer *l = &image->layers[i];

		if (strcmp(l->primary.cookie, cookie) == 0)
			return true;
		for (size_t k = 0; k < l->n_devices; k++)
			if (strcmp(l->devices[k].cookie, cookie) == 0)
				return true;
	}
	return false;
}

uint64_t image_size(const struct images_image *image)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < image->n_layers; i++) {
		const struct images_layer *l = &image->layers[i];

		if (!has_been(image, i, l->primary.cookie))
			sum += l->primary.size;
		for (size_t k = 0; k < l->n_devices; k++)
			if (!has_been(image, i, l->devices[k].cookie))
				sum += l->devices[k].size;
	}
	return sum;
}
