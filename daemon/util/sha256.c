/* SPDX-License-Identifier: MIT */
#include "daemon/util/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/evp.h>

struct sha256 {
	EVP_MD_CTX *ctx; /* owned */
};

int sha256_new(struct sha256 **ret)
{
	struct sha256 *sha = malloc(sizeof(*sha));

	if (!sha)
		return -ENOMEM;
	sha->ctx = EVP_MD_CTX_new();
	if (!sha->ctx || EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) != 1) {
		sha256_free(sha);
		return -ENOMEM;
	}
	*ret = sha;
	return 0;
}

struct sha256 *sha256_free(struct sha256 *sha)
{
	if (sha)
		EVP_MD_CTX_free(sha->ctx);
	free(sha);
	return NULL;
}

/* Neither can fail once the digest was found: it is computed in memory that is there. */
void sha256_update(struct sha256 *sha, const void *bytes, size_t len)
{
	if (EVP_DigestUpdate(sha->ctx, bytes, len) != 1)
		abort();
}

void sha256_hex(struct sha256 *sha, char ret[static SHA256_HEX])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (EVP_DigestFinal_ex(sha->ctx, hash, &n) != 1 || n != SHA256_HEX / 2)
		abort();
	for (unsigned int i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}
