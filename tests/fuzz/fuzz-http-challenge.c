/* SPDX-License-Identifier: MIT */
/*
 * The WWW-Authenticate field of a server, and the token request that is made of it.
 */
#include <stdlib.h>
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

/* What is noted of it says the same. */
static void check_print(const struct http_challenge *c)
{
	struct http_challenge again;
	char text[2 * (sizeof(c->realm) + sizeof(c->service)) + 32];

	FUZZ_CHECK(http_challenge_print(c, text, sizeof(text)));
	FUZZ_CHECK(http_challenge_parse(&again, text));
	FUZZ_CHECK(again.scheme == c->scheme && strcmp(again.realm, c->realm) == 0 &&
		   strcmp(again.service, c->service) == 0 && !again.scope[0] && !again.error[0]);
	for (size_t len = strlen(text), n = 0; n < len + 2; n++) {
		char *exact = malloc(n ? n : 1);

		FUZZ_CHECK(!http_challenge_print(c, exact, n) || strcmp(exact, text) == 0);
		free(exact);
		n += n / 16;
	}
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
		check_print(&c);
		FUZZ_CHECK(oci_token_request(&url, &form, &c, &nobody) == 0);
		FUZZ_CHECK(!form && strncmp(url, c.realm, strcspn(c.realm, "#")) == 0);
		/* What is behind the realm is encoded. */
		FUZZ_CHECK(!strpbrk(url + strcspn(c.realm, "#"), " \"#\r\n"));
		free(url);
	}
	free(text);
	return 0;
}
