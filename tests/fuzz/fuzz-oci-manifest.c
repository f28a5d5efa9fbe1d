/* SPDX-License-Identifier: MIT */
/*
 * Manifests and indexes, and the answers of token servers: JSON of somebody else.
 */
#include <errno.h>
#include <string.h>

#include "fetchers/oci-manifest.h"
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
	FUZZ_CHECK(oci_digest_valid(choice.digest) && choice.size <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct oci_reference any = { 0 }, second = { .select = OCI_SELECT_LAYER, .layer = 1 },
			     titled = { .select = OCI_SELECT_TITLE, .title = "x" };
	const char *why = NULL;
	uint64_t seconds;
	char *token;

	check_choice(data, n, "", &any);
	check_choice(data, n, "application/vnd.oci.image.index.v1+json", &any);
	check_choice(data, n, "", &second);
	check_choice(data, n, "", &titled);
	if (oci_token_parse(&token, &seconds, (const char *)data, n, &why) == 0) {
		FUZZ_CHECK(*token && !strpbrk(token, " \r\n") && seconds >= 1 && seconds <= 86400);
		free(token);
	} else {
		FUZZ_CHECK(why && *why);
	}
	return 0;
}
