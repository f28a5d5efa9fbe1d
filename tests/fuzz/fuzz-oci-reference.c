/* SPDX-License-Identifier: MIT */
/*
 * A locator that a key is a part of: nothing in it may lead out of its repository.
 */
#include <errno.h>
#include <string.h>

#include "fetchers/oci-reference.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct oci_reference ref;
	char *text = strndup((const char *)data, n);
	const char *why = NULL;
	int r = oci_reference_parse(&ref, text, &why);

	if (r < 0) {
		FUZZ_CHECK(r == -EINVAL && why && *why);
	} else {
		FUZZ_CHECK(ref.registry[0] && !strpbrk(ref.registry, "/?#@% \r\n"));
		FUZZ_CHECK(ref.repository[0] && !strpbrk(ref.repository, "?#@%: \r\n"));
		FUZZ_CHECK(!strstr(ref.repository, "..") && !strstr(ref.repository, "//"));
		FUZZ_CHECK(ref.tag[0] && !strpbrk(ref.tag, "/?#@%: \r\n"));
		FUZZ_CHECK(!ref.digest[0] || oci_digest_valid(ref.digest));
		FUZZ_CHECK(ref.select != OCI_SELECT_BLOB || ref.digest[0]);
		FUZZ_CHECK(ref.select != OCI_SELECT_TITLE || ref.title[0]);
		oci_reference_end(&ref);
	}
	free(text);
	return 0;
}
