/* SPDX-License-Identifier: MIT */
/*
 * (volume key, cookie key) -> source and locator: ordered rules, first match wins. Pure.
 *
 * Keys are bytes that a mount option chose. Globs are matched on their printable form
 * (bytes_print), and in a locator every byte but [A-Za-z0-9._~-] is percent-encoded (RFC 3986,
 * 2.3), so that no key can change the structure of a URL or path.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/util/bytes.h"

#define LOCATOR_MAX	4096 /* with its terminator */
#define RESOLVE_KEY_MAX 1024 /* bytes; the kernel's keys are shorter than 256 */

struct resolve_rule {
	const char *volume;  /* glob on the volume key without its NUL, fnmatch(3); NULL: any */
	const char *cookie;  /* glob on the cookie key; NULL: any */
	const char *locator; /* template: {cookie} {volume} {domain}, {{ and }} for braces;
			      * NULL: for no key */
};

enum resolve_verdict {
	RESOLVE_OK,
	RESOLVE_NO_RULE,  /* no rule matches */
	RESOLVE_BAD_KEY,  /* empty, or would become a "." or ".." path segment */
	RESOLVE_TOO_LONG, /* key over RESOLVE_KEY_MAX, or locator over LOCATOR_MAX */
};

/*
 * volume without its final NUL. Each template has passed resolve_check_template(). On RESOLVE_OK
 * *ret_rule is the index and locator is filled; untouched otherwise. {domain} is the volume key
 * without "erofs,".
 */
enum resolve_verdict resolve_key(const struct resolve_rule *rules, size_t n_rules,
				 struct bytes volume, struct bytes cookie, size_t *ret_rule,
				 char locator[LOCATOR_MAX]);

/*
 * 0, or -EINVAL with the byte offset of the fault and a sentence (borrowed, static). A template is
 * a URL with a scheme, without a fragment, without "." and ".." segments, and no key may stand
 * where the host is named.
 */
int resolve_check_template(const char *locator, size_t *ret_at, const char **ret_why);

/* One sentence for people, static. */
const char *resolve_verdict_text(enum resolve_verdict verdict);
