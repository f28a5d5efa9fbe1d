/* SPDX-License-Identifier: MIT */
/*
 * Manifests and indexes, errors of registries, and the answers of token servers: JSON of somebody
 * else.
 */
#include <errno.h>
#include <string.h>

#include "fetchers/oci-error.h"
#include "fetchers/oci-image.h"
#include "fetchers/oci-manifest.h"
#include "fetchers/oci-referrers.h"
#include "fetchers/oci-token.h"
#include "tests/fuzz/fuzz.h"

static void check_choice(const uint8_t *data, size_t n, const char *type,
			 const struct oci_reference *reference)
{
	static const struct oci_platform platform = { "linux", "amd64", "" };
	struct oci_choice choice = { .size = 7 };
	char why[OCI_WHY_MAX] = "";
	int r = oci_manifest_choose(&choice, (const char *)data, n, type, reference, &platform,
				    why);

	if (r < 0) {
		FUZZ_CHECK(r == -EPROTO || r == -ENOENT || r == -EIO);
		FUZZ_CHECK(*why && choice.size == 7);
		return;
	}
	if (reference->select == OCI_SELECT_MANIFEST && !choice.is_manifest)
		FUZZ_CHECK(!choice.digest[0] && choice.size == 0);
	else
		FUZZ_CHECK(oci_digest_valid(choice.digest) && choice.size <= INT64_MAX);
}

/* As a manifest, then as the configuration of one. */
static void check_image(const uint8_t *data, size_t n)
{
	static const char one[] =
		"{\"layers\":[{\"digest\":\"sha256:00000000000000000000000000000000"
		"00000000000000000000000000000000\",\"size\":1}]}";
	char why[OCI_WHY_MAX] = "";
	struct oci_image image;

	if (oci_image_read(&image, (const char *)data, n, why) == 0) {
		FUZZ_CHECK(image.n_layers >= 1 && image.n_layers <= OCI_LAYERS_MAX);
		for (size_t i = 0; i < image.n_layers; i++)
			FUZZ_CHECK(oci_digest_valid(image.layers[i].digest) &&
				   image.layers[i].media_type && image.layers[i].title);
		FUZZ_CHECK(!image.has_config || image.config_size <= OCI_CONFIG_MAX);
		oci_image_end(&image);
	} else {
		FUZZ_CHECK(*why);
	}
	FUZZ_CHECK(oci_image_read(&image, one, strlen(one), why) == 0);
	if (oci_image_configure(&image, (const char *)data, n, why) == 0)
		FUZZ_CHECK(oci_digest_valid(image.layers[0].diff_id));
	oci_image_end(&image);
}

static void check_referrers(const uint8_t *data, size_t n, const char *type)
{
	char why[OCI_WHY_MAX] = "", tag[OCI_DIGEST_MAX];
	struct oci_referrers referrers;

	if (oci_referrers_read(&referrers, (const char *)data, n, type, why) < 0) {
		FUZZ_CHECK(*why);
		return;
	}
	FUZZ_CHECK(referrers.n >= 1 && referrers.n <= OCI_REFERRERS_MAX);
	for (size_t i = 0; i < referrers.n; i++) {
		FUZZ_CHECK(oci_digest_valid(referrers.all[i].digest));
		FUZZ_CHECK(!*type || strcmp(referrers.all[i].artifact_type, type) == 0);
		oci_referrers_tag(tag, referrers.all[i].digest);
		FUZZ_CHECK(strlen(tag) == 71);
	}
	oci_referrers_end(&referrers);
}

static void check_error(const uint8_t *data, size_t n)
{
	char *text = strndup((const char *)data, n), why[OCI_ERROR_MAX];

	FUZZ_CHECK(text);
	memset(why, 1, sizeof(why));
	oci_error_parse(why, text);
	FUZZ_CHECK(memchr(why, '\0', sizeof(why)));
	for (const char *c = why; *c; c++)
		FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct oci_reference any = { 0 }, second = { .select = OCI_SELECT_LAYER, .layer = 1 },
			     whole = { .select = OCI_SELECT_MANIFEST },
			     titled = { .select = OCI_SELECT_TITLE, .title = "x" };
	const char *why = NULL;
	uint64_t seconds;
	char *token;

	check_choice(data, n, "", &any);
	check_choice(data, n, "application/vnd.oci.image.index.v1+json", &any);
	check_choice(data, n, "", &second);
	check_choice(data, n, "", &titled);
	check_choice(data, n, "", &whole);
	check_image(data, n);
	check_referrers(data, n, "");
	check_referrers(data, n, "application/vnd.cachefilld.tarindex.v1");
	check_error(data, n);
	if (oci_token_parse(&token, &seconds, (const char *)data, n, &why) == 0) {
		FUZZ_CHECK(*token && !strpbrk(token, " \r\n") && seconds >= 1 && seconds <= 86400);
		free(token);
	} else {
		FUZZ_CHECK(why && *why);
	}
	return 0;
}
