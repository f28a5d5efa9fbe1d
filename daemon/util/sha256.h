/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 of bytes that come in pieces. A library of its own: it brings libcrypto with it.
 */
#pragma once

#include <stddef.h>

enum { SHA256_HEX = 65 }; /* the digest as text, with its NUL */

struct sha256;

int sha256_new(struct sha256 **ret); /* -ENOMEM */
struct sha256 *sha256_free(struct sha256 *sha);
static inline void sha256_freep(struct sha256 **sha)
{
	sha256_free(*sha);
}

void sha256_update(struct sha256 *sha, const void *bytes, size_t len);

/* Lower case. Ends the computation: only free it afterwards. */
void sha256_hex(struct sha256 *sha, char ret[static SHA256_HEX]);
