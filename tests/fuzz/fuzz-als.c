/* SPDX-License-Identifier: MIT */
/*
 * What layers for podman are found by: three texts with a NUL between them, a manifest, its
 * configuration, and a name, which is also tried as a locator, as base64 and as the JSON of an
 * info.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/als-info.h"
#include "daemon/ctl/als-match.h"
#include "daemon/ctl/als-name.h"
#include "fetchers/oci-reference.h"
#include "tests/fuzz/fuzz.h"

/* The first layer finds the image that was made of its archive, whatever else that says. */
static void check_match(struct als_layer *layers, size_t n, const char *manifest)
{
	struct images_layer layer = { .origin_digest = layers[0].digest, .diff_id = (char *)"" };
	struct images_image image = { .name = (char *)"image",
				      .manifest = (char *)manifest,
				      .layers = &layer,
				      .n_layers = 1 };

	FUZZ_CHECK(als_match(layers, n, &image) == 0);
	FUZZ_CHECK(layers[0].image && strcmp(layers[0].image, "image") == 0);
	FUZZ_CHECK(layers[0].index == 0);
}

static void check_layers(const char *manifest, const char *config)
{
	struct als_layer *layers = NULL;
	const char *why = NULL;
	size_t n = 0;
	int compression, r = als_layers_read(&layers, &n, manifest, config, &why);

	if (r < 0) {
		FUZZ_CHECK(r == -EINVAL && why && !layers);
		return;
	}
	FUZZ_CHECK(n >= 1 && n <= 500);
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(oci_digest_valid(layers[i].digest));
		FUZZ_CHECK(oci_digest_valid(layers[i].diff_id));
		FUZZ_CHECK(als_compression(layers[i].media_type, &compression) == 0);
		FUZZ_CHECK(layers[i].size <= INT64_MAX && !layers[i].image);
	}
	check_match(layers, n, manifest);
	als_layers_free(layers, n);
}

static void check_name(const char *text)
{
	char name[ALS_REFERENCE_MAX], encoded[ALS_ENCODED_MAX];
	const char *why = NULL;

	if (als_name_check(text, &why) == 0) {
		als_name_encode(text, encoded);
		FUZZ_CHECK(!strchr(encoded, '/'));
		FUZZ_CHECK(als_name_decode(encoded, name) == 0 && strcmp(name, text) == 0);
	} else {
		FUZZ_CHECK(why);
	}
	why = NULL;
	if (als_name_of(text, name, &why) == 0)
		FUZZ_CHECK(als_name_check(name, &why) == 0);
	else
		FUZZ_CHECK(why);
	if (als_name_decode(text, name) == 0) {
		als_name_encode(name, encoded);
		FUZZ_CHECK(strcmp(encoded, text) == 0);
	}
}

static void check_info(const char *text)
{
	struct als_info info, again;
	char *formatted;

	if (als_info_parse(&info, text, strlen(text)) < 0)
		return;
	formatted = als_info_format(&info);
	FUZZ_CHECK(formatted && als_info_parse(&again, formatted, strlen(formatted)) == 0);
	FUZZ_CHECK(strcmp(info.digest, again.digest) == 0 && info.size == again.size);
	FUZZ_CHECK(strcmp(info.diff_id, again.diff_id) == 0 && info.diff_size == again.diff_size);
	free(formatted);
	als_info_end(&info);
	als_info_end(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 3);
	const char *config, *name;

	memcpy(text, data, n);
	memset(text + n, 0, 3);
	config = text + strlen(text) + 1;
	config = config <= text + n ? config : text + n;
	name = config + strlen(config) + 1;
	name = name <= text + n ? name : text + n;
	check_layers(text, config);
	check_name(name);
	check_info(name);
	free(text);
	return 0;
}
