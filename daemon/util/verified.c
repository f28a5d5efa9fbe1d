/* SPDX-License-Identifier: MIT */
#include "daemon/util/verified.h"

#include <stddef.h>
#include <string.h>

#include "daemon/util/locator.h"

#define SHA256_DIGITS 64

const char *verified_name(enum verified verified)
{
	static const char *const names[] = {
		[VERIFIED_NO] = "no",	      [VERIFIED_PENDING] = "pending",
		[VERIFIED_BLOCKS] = "blocks", [VERIFIED_WHOLE] = "whole",
		[VERIFIED_FAILED] = "failed",
	};

	return names[verified];
}

const char *verified_sha256(const char *validator)
{
	static const char begin[] = "digest:sha256:";
	const char *hex = validator + strlen(begin);

	return strncmp(validator, begin, strlen(begin)) == 0 &&
			       strspn(hex, "0123456789abcdef") == SHA256_DIGITS &&
			       hex[SHA256_DIGITS] == '\0'
		       ? hex
		       : NULL;
}

enum verified verified_least(enum verified a, enum verified b)
{
	if (a == VERIFIED_FAILED || b == VERIFIED_FAILED)
		return VERIFIED_FAILED;
	return a < b ? a : b;
}

enum verified verified_promised(const char *locator, const char *validator)
{
	if (locator_is_verified(locator))
		return VERIFIED_BLOCKS;
	return verified_sha256(validator) ? VERIFIED_PENDING : VERIFIED_NO;
}
