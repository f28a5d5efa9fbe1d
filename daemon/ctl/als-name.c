/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/als-name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fetchers/oci-reference.h"

/* The one registry whose name is not its host. */
#define HUB_HOST "registry-1.docker.io"
#define HUB_NAME "docker.io"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int compose(const struct oci_reference *reference, char *ret, const char **ret_why)
{
	const char *host = reference->registry;
	bool digest = reference->digest[0];
	int n;

	if (reference->select != OCI_SELECT_ONLY) {
		*ret_why = "it names one layer, not an image";
		return -EINVAL;
	}
	if (strcmp(host, HUB_HOST) == 0)
		host = HUB_NAME;
	n = snprintf(ret, ALS_REFERENCE_MAX, "%s/%s%s%s", host, reference->repository,
		     digest ? "@" : ":", digest ? reference->digest : reference->tag);
	if (n < ALS_REFERENCE_MAX)
		return als_name_check(ret, ret_why);
	*ret_why = "it is too long";
	return -EINVAL;
}

int als_name_of(const char *locator, char ret[ALS_REFERENCE_MAX], const char **ret_why)
{
	char name[ALS_REFERENCE_MAX];
	struct oci_reference reference;
	int r;

	if (strncmp(locator, OCI_SCHEME, strlen(OCI_SCHEME)) != 0) {
		*ret_why = "it is not in a registry";
		return -EINVAL;
	}
	r = oci_reference_parse(&reference, locator, ret_why);
	if (r < 0)
		return r;
	r = compose(&reference, name, ret_why);
	oci_reference_end(&reference);
	if (r == 0)
		memcpy(ret, name, sizeof(name));
	return r;
}

/* The host in front, and a tag or digest at the end: podman would add them itself, and look for
 * that name. */
int als_name_check(const char *name, const char **ret_why)
{
	const char *slash = strchr(name, '/');
	const char *last = strrchr(name, '/');

	*ret_why = NULL;
	if (strlen(name) >= ALS_REFERENCE_MAX)
		*ret_why = "it is too long";
	else if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "._-/:@[]+")])
		*ret_why = "it has a character that no name of an image has";
	else if (!slash || slash == name || !last[1])
		*ret_why = "it lacks its registry or its repository";
	else if (!strpbrk(last, ":@"))
		*ret_why = "it lacks its tag or digest";
	return *ret_why ? -EINVAL : 0;
}

/* ---- base64 (RFC 4648, 4) ---------------------------------------------------------------- */

void als_name_encode(const char *name, char ret[ALS_ENCODED_MAX])
{
	size_t n = strnlen(name, ALS_REFERENCE_MAX - 1);
	char *at = ret;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t bits = (uint32_t)(uint8_t)name[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(uint8_t)name[i + 1] << 8;
		if (left > 2)
			bits |= (uint8_t)name[i + 2];
		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*at++ = left > 2 ? digits[bits & 63] : '=';
	}
	*at = '\0';
}

/* Back and forth: whatever is not exactly what we write is no name. */
int als_name_decode(const char *encoded, char ret[ALS_REFERENCE_MAX])
{
	char name[ALS_REFERENCE_MAX + 3], again[ALS_ENCODED_MAX];
	const char *why;
	size_t n = strlen(encoded), len = 0;

	if (n == 0 || n % 4 != 0 || n >= ALS_ENCODED_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i += 4) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			const char *digit = strchr(digits, encoded[i + j]);

			/* Padding is zero, and ends the text by that. */
			bits = bits << 6 | (digit ? (uint32_t)(digit - digits) : 0);
		}
		name[len++] = (char)(bits >> 16);
		name[len++] = (char)(bits >> 8);
		name[len++] = (char)bits;
		if (len + 3 >= sizeof(name))
			break;
	}
	name[len] = '\0';
	if (strlen(name) >= ALS_REFERENCE_MAX || als_name_check(name, &why) < 0)
		return -EINVAL;
	als_name_encode(name, again);
	if (strcmp(again, encoded) != 0)
		return -EINVAL;
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}
