/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>

#include "fetchers/oci-reference.h"

int oci_digest_check(const char *digest, const void *bytes, size_t len)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int n;

	if (!oci_digest_valid(digest))
		return -EINVAL;
	if (EVP_Digest(bytes, len, hash, &n, digest[3] == '2' ? EVP_sha256() : EVP_sha512(),
		       NULL) != 1)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return strcmp(text, digest + strlen("sha256:")) == 0 ? 0 : -EPROTO;
}
