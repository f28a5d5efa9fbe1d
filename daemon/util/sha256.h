/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 of bytes that come in pieces. A library of its own: it brings libcrypto with it, which
 * uses the instructions of the processor where it has any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	SHA256_SIZE = 32, /* the digest */
	SHA256_HEX = 65,  /* as text, with its NUL */
};

struct sha256;

int sha256_new(struct sha256 **ret); /* -ENOMEM */
struct sha256 *sha256_free(struct sha256 *sha);
static inline void sha256_freep(struct sha256 **sha)
{
	sha256_free(*sha);
}

void sha256_update(struct sha256 *sha, const void *bytes, size_t len);

/* Either ends the computation; what comes then begins another one. Text is in lower case. */
void sha256_final(struct sha256 *sha, uint8_t ret[static SHA256_SIZE]);
void sha256_hex(struct sha256 *sha, char ret[static SHA256_HEX]);
