/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-reference.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/util/cleanup.h"
#include "fetchers/common.h"
#include "fetchers/http-range.h"

#define LOWER	  "abcdefghijklmnopqrstuvwxyz"
#define UPPER	  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	  "0123456789"
#define REPO_MAX  255
#define TAG_MAX	  128
#define LAYER_MAX 10000

bool oci_digest_valid(const char *text)
{
	size_t digits = 0;

	if (strncmp(text, "sha256:", 7) == 0)
		digits = 64;
	else if (strncmp(text, "sha512:", 7) == 0)
		digits = 128;
	return digits > 0 && strspn(text + 7, DIGITS "abcdef") == digits &&
	       text[7 + digits] == '\0';
}

/* A host name, an address (also in brackets), a port. */
static bool valid_registry(const char *text)
{
	const char *port;
	size_t len;

	if (*text == '[') {
		len = 1 + strspn(text + 1, DIGITS "abcdefABCDEF:.");
		if (len < 3 || text[len++] != ']')
			return false;
	} else {
		len = strspn(text, LOWER UPPER DIGITS ".-_");
		if (len == 0 || *text == '-' || *text == '.')
			return false;
	}
	port = text + len;
	if (*port == '\0')
		return true;
	len = strspn(port + 1, DIGITS);
	return *port == ':' && len >= 1 && len <= 5 && port[1 + len] == '\0';
}

/* ".", "_", "__" or any number of "-". */
static size_t separator(const char *at)
{
	if (*at == '.')
		return 1;
	if (*at == '_')
		return at[1] == '_' ? 2 : 1;
	return strspn(at, "-");
}

/* Distribution specification, "Pulling manifests": components of letters, digits, separators. */
static bool valid_repository(const char *text)
{
	const char *at = text;

	if (strlen(text) > REPO_MAX)
		return false;
	for (;;) {
		size_t word = strspn(at, LOWER DIGITS);

		if (word == 0)
			return false;
		at += word;
		if (*at == '\0')
			return true;
		at += *at == '/' ? 1 : separator(at);
		if (at[-1] != '/' && !strchr("._-", at[-1]))
			return false;
	}
}

static bool valid_tag(const char *text)
{
	size_t len = strspn(text, LOWER UPPER DIGITS "._-");

	return len >= 1 && len <= TAG_MAX && text[len] == '\0' && !strchr(".-", *text);
}

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static int take_selector(struct oci_reference *ref, char *text, const char **ret_why)
{
	uint64_t n;

	if (strcmp(text, "blob") == 0) {
		ref->select = OCI_SELECT_BLOB;
		return 0;
	}
	if (strncmp(text, "layer=", 6) == 0) {
		ref->select = OCI_SELECT_LAYER;
		if (!http_number_parse(&n, text + 6, strlen(text + 6)) || n > LAYER_MAX)
			return refuse(ret_why, "'layer=' needs a number, from 0");
		ref->layer = (unsigned int)n;
		return 0;
	}
	if (strncmp(text, "title=", 6) == 0) {
		ref->select = OCI_SELECT_TITLE;
		ref->title = text + 6;
		if (fetch_unescape(text + 6) <= 0)
			return refuse(ret_why, "'title=' needs a text");
		return 0;
	}
	if (strcmp(text, "referrers") == 0 || strncmp(text, "referrers=", 10) == 0) {
		ref->select = OCI_SELECT_REFERRERS;
		ref->type = text + 9 + (text[9] == '=');
		if (ref->type[strspn(ref->type, LOWER UPPER DIGITS "._-/")])
			return refuse(ret_why, "'referrers=' needs a media type");
		return 0;
	}
	return refuse(ret_why, "only '?layer=N', '?title=TEXT' and '?blob' can be asked for");
}

/* REPOSITORY[:TAG][@DIGEST] */
static int take_name(struct oci_reference *ref, char *text, const char **ret_why)
{
	char *at, *colon;

	if (fetch_unescape(text) < 0)
		return refuse(ret_why, "'%' needs two hexadecimal digits behind it");
	at = strchr(text, '@');
	if (at) {
		*at++ = '\0';
		if (!oci_digest_valid(at))
			return refuse(ret_why, "not a digest: sha256:HEX or sha512:HEX");
		strcpy(ref->digest, at);
	}
	colon = strrchr(text, ':');
	if (colon) {
		*colon++ = '\0';
		if (!valid_tag(colon))
			return refuse(ret_why, "not a tag");
	}
	if (!valid_repository(text))
		return refuse(ret_why, "not the name of a repository");
	ref->repository = text;
	ref->tag = colon ? colon : "latest";
	return 0;
}

static int take_all(struct oci_reference *ref, const char **ret_why)
{
	char *registry = ref->text + strlen(OCI_SCHEME), *name, *query;
	int r;

	if (strpbrk(ref->text, "#"))
		return refuse(ret_why, "has a fragment");
	query = strchr(ref->text, '?');
	if (query)
		*query++ = '\0';
	name = strchr(registry, '/');
	if (!name)
		return refuse(ret_why, "no repository");
	*name++ = '\0';
	if (!valid_registry(registry))
		return refuse(ret_why, "not a registry: HOST or HOST:PORT");
	ref->registry = registry;
	r = take_name(ref, name, ret_why);
	if (r == 0 && query)
		r = take_selector(ref, query, ret_why);
	if (r == 0 && ref->select == OCI_SELECT_BLOB && !ref->digest[0])
		r = refuse(ret_why, "'?blob' needs a digest");
	return r;
}

int oci_reference_parse(struct oci_reference *ret, const char *locator, const char **ret_why)
{
	struct oci_reference ref = { 0 };
	int r;

	if (strncasecmp(locator, OCI_SCHEME, strlen(OCI_SCHEME)) != 0)
		return refuse(ret_why, "does not begin with oci://");
	*ret_why = "no memory";
	ref.text = strdup(locator);
	if (!ref.text)
		return -ENOMEM;
	r = take_all(&ref, ret_why);
	if (r < 0) {
		free(ref.text);
		return r;
	}
	*ret = ref;
	return 0;
}

void oci_reference_end(struct oci_reference *reference)
{
	free(reference->text);
	reference->text = NULL;
}
