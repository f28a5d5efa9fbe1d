/* SPDX-License-Identifier: MIT */
/*
 * Hash trees of bytes, made by libfsverity, on which fsverity(1) of Debian is built: nothing of
 * them is ours.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/fsverity.h"

/* A descriptor, and the tree behind it. */
struct verity_made {
	uint8_t *bytes; /* owned */
	size_t len;
	char digest[FSVERITY_DIGEST_TEXT];
};

/* salt: text of up to 32 bytes, or "" for none. Fails the test where the library does. */
void verity_make(struct verity_made *ret, const void *bytes, size_t len, const char *salt);
void verity_made_end(struct verity_made *made);
