/* SPDX-License-Identifier: MIT */
/* Names of images, and what people write for locators. Pure but for the directory we are in. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/ctl/image.h"
#include "daemon/util/bytes.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

#define DEVICE "device="

__attribute__((format(printf, 2, 3))) static int refuse(char *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CONTEXT_ERROR_MAX, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- names -------------------------------------------------------------------------------- */

/* "a//b", "/a", "a/", "./a", "a/..": names that a path would make something else of. */
static bool has_bad_segment(const char *name)
{
	for (const char *at = name;; at++) {
		size_t len = strcspn(at, "/");

		if (len == 0 || (len == 1 && at[0] == '.') ||
		    (len == 2 && at[0] == '.' && at[1] == '.'))
			return true;
		at += len;
		if (*at == '\0')
			return false;
	}
}

static bool is_locator(const char *text)
{
	return strstr(text, "://") || fetcher_class_find(text) || locator_is_verified(text);
}

static const char *name_fault(const char *name)
{
	if (*name == '\0')
		return "is empty";
	if (strlen(name) > IMAGE_NAME_MAX)
		return "is longer than 200 bytes";
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return "has a byte that is not printable ASCII, or a blank";
	if (*name == '-')
		return "begins with '-', as an option does";
	if (has_bad_segment(name))
		return "has an empty part between slashes, or one that is '.' or '..'";
	if (strncmp(name, DEVICE, strlen(DEVICE)) == 0)
		return "begins with 'device=', as a REF does";
	if (is_locator(name))
		return "is a locator, as a REF is";
	return NULL;
}

int image_name_check(const char *name, char *error)
{
	const char *fault = name_fault(name);
	char printed[128];

	if (!fault)
		return 0;
	return refuse(error, "'%s' cannot be the name of an image: it %s",
		      bytes_print(bytes_str(name), printed, sizeof(printed)), fault);
}

/* ---- references --------------------------------------------------------------------------- */

/* Everything that could mean something else in a locator. Returns the end. */
static char *encode(char *to, const char *from)
{
	for (; *from; from++)
		to += isalnum((unsigned char)*from) || strchr("/._~-", *from)
			      ? sprintf(to, "%c", *from)
			      : sprintf(to, "%%%02X", (unsigned char)*from);
	*to = '\0';
	return to;
}

/* Of a path as it was given: its directory as it is, so that it means the same from anywhere. */
static int path_locator(const char *path, char **ret)
{
	const char *base = strrchr(path, '/') + 1;
	_cleanup_free_ char *parent = strndup(path, (size_t)(base - path)), *dir = NULL;
	char *text, *to;

	if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return -EISDIR;
	dir = parent ? realpath(parent, NULL) : NULL;
	if (!dir)
		return parent ? -errno : -ENOMEM;
	text = malloc(3 * (strlen(dir) + strlen(base)) + sizeof("file://"));
	if (!text)
		return -ENOMEM;
	to = stpcpy(text, "file:");
	to = encode(to, strcmp(dir, "/") == 0 ? "" : dir);
	*to++ = '/';
	encode(to, base);
	*ret = text;
	return 0;
}

/* docker's rule: what stands before the first slash is a registry, if it looks like a host. */
static bool is_registry_reference(const char *ref)
{
	size_t host = strcspn(ref, "/");

	return ref[host] == '/' && ref[host + 1] &&
	       (memchr(ref, '.', host) || memchr(ref, ':', host) ||
		(host == 9 && strncmp(ref, "localhost", 9) == 0));
}

static bool is_path(const char *ref)
{
	return ref[0] == '/' || strncmp(ref, "./", 2) == 0 || strncmp(ref, "../", 3) == 0;
}

static int check_bytes(const char *ref, char *error)
{
	char printed[128];

	if (*ref == '\0')
		return refuse(error, "an empty REF");
	if (strlen(ref) >= IMAGES_LOCATOR_MAX)
		return refuse(error, "a REF of more than %d bytes", IMAGES_LOCATOR_MAX - 1);
	for (const char *c = ref; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return refuse(error, "'%s': a REF cannot have control characters",
				      bytes_print(bytes_str(ref), printed, sizeof(printed)));
	return 0;
}

/* They would be stored, and sent to whoever the REF leads to. */
static bool has_credentials(const char *ref)
{
	const char *host = strstr(ref, "://");

	return host && memchr(host + 3, '@', strcspn(host + 3, "/?#"));
}

/* Of one that names a single thing: no digest in front of it any more. */
static int plain_locator(const char *ref, char **ret, char *error)
{
	char printed[128];
	char *locator = NULL;
	int r = 0;

	if (is_path(ref))
		r = path_locator(ref, &locator);
	else if (is_locator(ref))
		locator = strdup(ref);
	else if (!is_registry_reference(ref))
		return refuse(error,
			      "'%s' is no REF: a locator (https:, s3:, oci:, file:), a path that "
			      "begins with '/' or './', or a reference REGISTRY/NAME:TAG",
			      image_ref_print(ref, printed, sizeof(printed)));
	else if (asprintf(&locator, "oci://%s", ref) < 0)
		locator = NULL;
	if (!locator) {
		refuse(error, "%s: %s", image_ref_print(ref, printed, sizeof(printed)),
		       strerror(r < 0 ? -r : ENOMEM));
		return r < 0 ? r : -ENOMEM;
	}
	*ret = locator;
	return 0;
}

static bool is_digest(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 7 + 64 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

/* "fs-verity:sha256:DIGEST;REF" */
static int verified_locator(const char *ref, char **ret, char *error)
{
	_cleanup_free_ char *digest = NULL, *tree = NULL, *inner = NULL, *front = NULL;
	const char *bytes;
	int r = locator_split_verified(ref, &digest, &tree, &bytes);

	if (r == -ENOMEM)
		return refuse(error, "out of memory"), r;
	if (r < 0 || !is_digest(digest) || locator_is_verified(bytes))
		return refuse(error,
			      "a REF to be verified is fs-verity:sha256:DIGEST;REF, with the 64 "
			      "digits that 'fsverity digest' prints");
	r = plain_locator(bytes, &inner, error);
	if (r < 0)
		return r;
	front = strndup(ref, (size_t)(bytes - ref));
	if (!front || asprintf(ret, "%s%s", front, inner) < 0)
		return refuse(error, "out of memory"), -ENOMEM;
	return 0;
}

int image_ref_locator(const char *ref, char **ret_locator, bool *ret_device, char *error)
{
	char printed[128];
	int r;

	*ret_device = strncmp(ref, DEVICE, strlen(DEVICE)) == 0;
	ref += *ret_device ? strlen(DEVICE) : 0;
	r = check_bytes(ref, error);
	if (r < 0)
		return r;
	if (has_credentials(ref))
		return refuse(error,
			      "%s: a user and a password cannot be part of a REF; a source section "
			      "of the configuration has places for them",
			      image_ref_print(ref, printed, sizeof(printed)));
	return locator_is_verified(ref) ? verified_locator(ref, ret_locator, error)
					: plain_locator(ref, ret_locator, error);
}

char *image_ref_print(const char *ref, char *buf, size_t n)
{
	bool oci = strncasecmp(ref, "oci:", 4) == 0 && !strchr(ref, '#');

	/* What is selected is no secret there, and tells two of an image apart. */
	if (oci && !strchr(ref, '@'))
		return bytes_print(bytes_str(ref), buf, n);
	return locator_print(ref, buf, n);
}

char *image_name_print(const struct images_image *image, char *buf, size_t n)
{
	if (is_locator(image->name))
		return image_ref_print(image->name, buf, n);
	snprintf(buf, n, "%s", image->name);
	return buf;
}
