/* SPDX-License-Identifier: MIT */
#include "daemon/util/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/evp.h>

struct sha256 {
	EVP_MD_CTX *ctx; /* owned */
	EVP_MD *md;	 /* owned; looked up once, which takes longer than to hash a block */
};

int sha256_new(struct sha256 **ret)
{
	struct sha256 *sha = malloc(sizeof(*sha));

	if (!sha)
		return -ENOMEM;
	sha->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha->ctx = EVP_MD_CTX_new();
	if (!sha->ctx || !sha->md || EVP_DigestInit_ex2(sha->ctx, sha->md, NULL) != 1) {
		sha256_free(sha);
		return -ENOMEM;
	}
	*ret = sha;
	return 0;
}

struct sha256 *sha256_free(struct sha256 *sha)
{
	if (!sha)
		return NULL;
	EVP_MD_CTX_free(sha->ctx);
	EVP_MD_free(sha->md);
	free(sha);
	return NULL;
}

/* Nothing can fail once the digest was found: it is computed in memory that is there. */
void sha256_update(struct sha256 *sha, const void *bytes, size_t len)
{
	if (EVP_DigestUpdate(sha->ctx, bytes, len) != 1)
		abort();
}

void sha256_final(struct sha256 *sha, uint8_t ret[static SHA256_SIZE])
{
	if (EVP_DigestFinal_ex(sha->ctx, ret, NULL) != 1 ||
	    EVP_DigestInit_ex2(sha->ctx, NULL, NULL) != 1)
		abort();
}

void sha256_hex(struct sha256 *sha, char ret[static SHA256_HEX])
{
	uint8_t hash[SHA256_SIZE];

	sha256_final(sha, hash);
	for (unsigned int i = 0; i < SHA256_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
}
