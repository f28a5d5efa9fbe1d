/* SPDX-License-Identifier: MIT */
#include "daemon/util/locator.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "daemon/util/cleanup.h"

/* What follows the userinfo, and where that begins; the locator itself where there is none. */
static const char *skip_user(const char *locator, const char *end, size_t *ret_at)
{
	const char *authority = strstr(locator, "//"), *slash, *user;

	*ret_at = 0;
	if (!authority || authority + 2 >= end)
		return locator;
	authority += 2;
	slash = memchr(authority, '/', (size_t)(end - authority));
	user = memrchr(authority, '@', (size_t)((slash ? slash : end) - authority));
	if (!user)
		return locator;
	*ret_at = (size_t)(authority - locator);
	return user + 1;
}

/* ",TREE" of a verified object, which may have secrets of its own, encoded; or NULL. */
static const char *find_tree(const char *locator)
{
	const char *tree = locator + strcspn(locator, ",;");

	return locator_is_verified(locator) && *tree == ',' ? tree : NULL;
}

char *locator_print(const char *locator, char *buf, size_t n)
{
	const char *from = locator, *end = locator + strcspn(locator, "?#");
	const char *tree = find_tree(locator);
	size_t user, at = 0;
	const char *rest = skip_user(locator, end, &user);

	for (;; from++) {
		if (from == tree)
			from += strcspn(from, ";");
		if (from == locator + user && rest > from)
			from = rest;
		if (from >= end || at >= n - 1)
			break;
		buf[at++] = (unsigned char)*from < ' ' || *from == 0x7f ? '?' : *from;
	}
	buf[at] = '\0';
	if (from < end)
		memcpy(buf + at - 3, "...", 3);
	return buf;
}

#define HASH_LEN 17 /* "#" and digits */

void locator_record(const char *locator, char *buf, size_t n)
{
	size_t at;
	const char *rest = skip_user(locator, locator + strcspn(locator, "?#"), &at);
	uint64_t hash = XXH3_64bits_withSeed(rest, strlen(rest), XXH3_64bits(locator, at));

	locator_print(locator, buf, n - HASH_LEN);
	if (strcmp(buf, locator) != 0)
		sprintf(buf + strlen(buf), "#%016" PRIx64, hash);
}

/* ---- indexed objects ----------------------------------------------------------------------------
 */

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* In place; false: a '%' without two digits, or a NUL inside. */
static bool decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = digit(from[1]);
		low = high < 0 ? -1 : digit(from[2]);
		if (low < 0 || (high | low) == 0)
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return true;
}

int locator_split_indexed(const char *locator, char **ret_path, const char **ret_inner)
{
	const char *encoded = strchr(locator, ':');
	_cleanup_free_ char *path = NULL;
	size_t len;

	if (!encoded || *++encoded != '/')
		return -EINVAL;
	len = strcspn(encoded, ";");
	if (encoded[len] != ';' || encoded[len + 1] == '\0')
		return -EINVAL;
	path = strndup(encoded, len);
	if (!path)
		return -ENOMEM;
	if (!decode(path))
		return -EINVAL;
	*ret_path = steal(&path);
	*ret_inner = encoded + len + 1;
	return 0;
}

/* Percent-encodes what is not plain. Returns the end. */
static char *encode(char *to, const char *from, const char *plain)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *from; from++) {
		unsigned char c = (unsigned char)*from;

		if (strchr(plain, c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	*to = '\0';
	return to;
}

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

char *locator_join_indexed(const char *scheme, const char *path, const char *inner)
{
	char *whole = malloc(strlen(scheme) + 1 + 3 * strlen(path) + 1 + strlen(inner) + 1), *to;

	if (!whole)
		return NULL;
	to = encode(stpcpy(stpcpy(whole, scheme), ":"), path, PLAIN "/");
	strcpy(stpcpy(to, ";"), inner);
	return whole;
}

/* ---- verified objects --------------------------------------------------------------------- */

#define BESIDE ".verity"

/* What is behind a "?" belongs to the name of what a registry has, and to nobody's elsewhere. */
static char *tree_beside(const char *inner)
{
	size_t n = strncmp(inner, "oci:", 4) == 0 ? strlen(inner) : strcspn(inner, "?#");
	char *tree = malloc(strlen(inner) + sizeof(BESIDE)), *to;

	if (!tree)
		return NULL;
	to = mempcpy(tree, inner, n);
	strcpy(stpcpy(to, BESIDE), inner + n);
	return tree;
}

bool locator_is_verified(const char *locator)
{
	return strncmp(locator, LOCATOR_VERIFIED ":", sizeof(LOCATOR_VERIFIED)) == 0;
}

int locator_split_verified(const char *locator, char **ret_digest, char **ret_tree,
			   const char **ret_inner)
{
	_cleanup_free_ char *digest = NULL, *tree = NULL;
	const char *text = locator + sizeof(LOCATOR_VERIFIED);
	size_t len, digest_len;

	if (!locator_is_verified(locator))
		return -EINVAL;
	len = strcspn(text, ";");
	digest_len = strcspn(text, ",;");
	if (text[len] != ';' || text[len + 1] == '\0')
		return -EINVAL;
	digest = strndup(text, digest_len);
	tree = digest_len < len ? strndup(text + digest_len + 1, len - digest_len - 1)
				: tree_beside(text + len + 1);
	if (!digest || !tree)
		return -ENOMEM;
	if (!decode(digest) || (digest_len < len && (!decode(tree) || *tree == '\0')))
		return -EINVAL;
	*ret_digest = steal(&digest);
	*ret_tree = steal(&tree);
	*ret_inner = text + len + 1;
	return 0;
}

char *locator_join_verified(const char *digest, const char *tree, const char *inner)
{
	size_t n = sizeof(LOCATOR_VERIFIED) + strlen(digest) + 3 * (tree ? strlen(tree) : 0) + 3;
	char *whole = malloc(n + strlen(inner)), *to;

	if (!whole)
		return NULL;
	to = stpcpy(stpcpy(whole, LOCATOR_VERIFIED ":"), digest);
	if (tree)
		to = encode(stpcpy(to, ","), tree, PLAIN);
	strcpy(stpcpy(to, ";"), inner);
	return whole;
}
