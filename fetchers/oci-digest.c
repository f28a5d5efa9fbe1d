/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>

#include "fetchers/oci-reference.h"

#define HEX_MAX (2 * EVP_MAX_MD_SIZE + 1)

static int hash_hex(const EVP_MD *md, const void *bytes, size_t len, char hex[HEX_MAX])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (EVP_Digest(bytes, len, hash, &n, md, NULL) != 1)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return 0;
}

int oci_digest_check(const char *digest, const void *bytes, size_t len)
{
	char hex[HEX_MAX];
	int r;

	if (!oci_digest_valid(digest))
		return -EINVAL;
	r = hash_hex(digest[3] == '2' ? EVP_sha256() : EVP_sha512(), bytes, len, hex);
	if (r < 0)
		return r;
	return strcmp(hex, digest + strlen("sha256:")) == 0 ? 0 : -EPROTO;
}

int oci_digest_make(char *ret, size_t n, const void *bytes, size_t len)
{
	char hex[HEX_MAX];
	int r = hash_hex(EVP_sha256(), bytes, len, hex);

	if (r == 0)
		snprintf(ret, n, "sha256:%s", hex);
	return r;
}
