/* SPDX-License-Identifier: MIT */
/* What to do about an error of an origin. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/image.h"

static const char *registry_hint(int err, const char *error)
{
	/* A server without TLS, as openssl sees it. */
	if (strstr(error, "wrong version number") || strstr(error, "packet length too long"))
		return "a registry without TLS needs a source section with 'plain-http = yes'";
	switch (err) {
	case -EACCES:
		return "'podman login' or 'docker login' make credentials; a source section names "
		       "another file with 'auth-file'";
	case -ENOENT:
		return "look at the name, the tag and the platform; private repositories of some "
		       "registries seem absent without credentials";
	case -EPROTO:
		return "the registry's copy is damaged, or something between changes it: push it "
		       "again, or take another registry";
	default:
		return NULL;
	}
}

static const char *any_hint(int err)
{
	switch (err) {
	case -EACCES:
		return "credentials stand in a source section of the configuration";
	case -ECONNREFUSED:
	case -EHOSTUNREACH:
	case -ECONNRESET:
	case -ETIMEDOUT:
		return "is it up, and reached from here? a proxy is taken from the environment";
	case -EOPNOTSUPP:
		return "its server must serve ranges";
	default:
		return NULL;
	}
}

void image_add_hint(char *error, int err, const char *locator)
{
	size_t len = strlen(error);
	bool registry = strncmp(locator, "oci:", 4) == 0;
	const char *hint = registry ? registry_hint(err, error) : NULL;

	hint = hint ? hint : any_hint(err);
	if (hint)
		snprintf(error + len, CONTEXT_ERROR_MAX - len, " (%s)", hint);
}
