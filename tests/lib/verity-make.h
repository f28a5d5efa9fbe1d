/* SPDX-License-Identifier: MIT */
/*
 * Hash trees of bytes, made by fsverity(1) of Debian: nothing of it is ours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/fsverity.h"

bool verity_installed(void);

/* A descriptor, and the tree behind it. */
struct verity_made {
	uint8_t *bytes; /* owned */
	size_t len;
	char digest[FSVERITY_DIGEST_TEXT];
};

/* salt: hexadecimal, or "" for none. Fails the test where the tool does. */
void verity_make(struct verity_made *ret, const void *bytes, size_t len, const char *salt);
void verity_made_end(struct verity_made *made);
