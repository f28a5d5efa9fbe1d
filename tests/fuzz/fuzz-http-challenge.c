/* SPDX-License-Identifier: MIT */
/*
 * The WWW-Authenticate field of a server, and the token request that is made of it.
 */
#include <string.h>

#include "fetchers/http-challenge.h"
#include "fetchers/oci-token.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const char *text, size_t room)
{
	FUZZ_CHECK(strnlen(text, room) < room);
	for (; *text; text++)
		FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct auth_credentials nobody = { 0 };
	struct http_challenge c;
	char *text = strndup((const char *)data, n), *url, *form;

	if (http_challenge_parse(&c, text)) {
		FUZZ_CHECK(c.scheme == HTTP_SCHEME_BASIC || c.scheme == HTTP_SCHEME_BEARER);
		FUZZ_CHECK(c.scheme == HTTP_SCHEME_BASIC || c.realm[0]);
		check_text(c.realm, sizeof(c.realm));
		check_text(c.service, sizeof(c.service));
		check_text(c.scope, sizeof(c.scope));
		check_text(c.error, sizeof(c.error));
		FUZZ_CHECK(oci_token_request(&url, &form, &c, &nobody) == 0);
		FUZZ_CHECK(!form && strncmp(url, c.realm, strcspn(c.realm, "#")) == 0);
		/* What is behind the realm is encoded. */
		FUZZ_CHECK(!strpbrk(url + strcspn(c.realm, "#"), " \"#\r\n"));
		free(url);
	}
	free(text);
	return 0;
}
