/* SPDX-License-Identifier: MIT */
#include "daemon/origins-name.h"

#include <ctype.h>
#include <string.h>

static void put(struct origins_name *name, const char *from, size_t n, bool lower)
{
	for (size_t i = 0; i < n && name->len + 1 < sizeof(name->text); i++)
		name->text[name->len++] = lower ? (char)tolower((unsigned char)from[i]) : from[i];
	name->text[name->len] = '\0';
}

static const char *default_port(const char *scheme)
{
	if (strcmp(scheme, "https:") == 0)
		return ":443";
	return strcmp(scheme, "http:") == 0 ? ":80" : NULL;
}

/* "user@Host:443" -> "host"; a bucket is a name of its owner's choice. */
static void put_host(struct origins_name *name, const char *host, size_t n)
{
	const char *port = default_port(name->text);
	const char *user = memrchr(host, '@', n);
	bool is_bucket = strcmp(name->text, "s3:") == 0;

	if (user) {
		n -= (size_t)(user + 1 - host);
		host = user + 1;
	}
	if (port && n > strlen(port) && strncmp(host + n - strlen(port), port, strlen(port)) == 0)
		n -= strlen(port);
	put(name, "//", 2, false);
	put(name, host, n, !is_bucket);
}

/* file:/PATH, file:///PATH and file://localhost/PATH are the same. */
static const char *skip_local_host(const char *rest)
{
	if (strncmp(rest, "//localhost/", 12) == 0)
		return rest + 11;
	return strncmp(rest, "///", 3) == 0 ? rest + 2 : rest;
}

bool origins_name(struct origins_name *ret, const char *locator)
{
	size_t scheme = strcspn(locator, ":/?#"), host;
	const char *rest = locator + scheme + 1;

	ret->len = 0;
	if (scheme == 0 || locator[scheme] != ':' || strlen(locator) >= LOCATOR_MAX)
		return false;
	put(ret, locator, scheme + 1, true);
	if (strcmp(ret->text, "file:") == 0) {
		rest = skip_local_host(rest);
		if (rest[0] != '/' || rest[1] == '/')
			return false;
	} else {
		host = strncmp(rest, "//", 2) == 0 ? strcspn(rest + 2, "/?#") : 0;
		if (host == 0)
			return false;
		put_host(ret, rest + 2, host);
		rest += 2 + host;
	}
	put(ret, "/", 1, false);
	ret->root = ret->len;
	rest += *rest == '/';
	put(ret, rest, strlen(rest), false);
	return true;
}

/* What stands in a template before its first key, with {{ and }} as they are meant. */
static void template_fixed(char ret[LOCATOR_MAX], const char *template)
{
	size_t n = 0;

	for (const char *t = template; *t && n < LOCATOR_MAX - 1; t++) {
		if (*t == '{' && t[1] != '{')
			break;
		if (*t == '{' || (*t == '}' && t[1] == '}'))
			t++;
		ret[n++] = *t;
	}
	ret[n] = '\0';
}

char *origins_prefix(const char *template)
{
	char fixed[LOCATOR_MAX];

	template_fixed(fixed, template);
	return strdup(fixed);
}

char *origins_fixed(const char *template)
{
	char fixed[LOCATOR_MAX];
	struct origins_name name;

	template_fixed(fixed, template);
	if (!origins_name(&name, fixed))
		return strdup("");
	if (strncmp(name.text, "oci:", 4) == 0)
		*(strrchr(name.text, '/') + 1) = '\0';
	return strdup(name.text);
}
