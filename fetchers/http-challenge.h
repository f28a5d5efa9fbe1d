/* SPDX-License-Identifier: MIT */
/*
 * What a server asks for before it lets a request in: the WWW-Authenticate field of RFC 9110,
 * 11.6.1, for the schemes Basic and Bearer. Pure, fuzzed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum http_scheme { HTTP_SCHEME_NONE, HTTP_SCHEME_BASIC, HTTP_SCHEME_BEARER };

struct http_challenge {
	enum http_scheme scheme;
	/* Parameters, unquoted, without control characters; empty: not given, or too long. */
	char realm[1024]; /* for Bearer the URL of the token server */
	char service[256], scope[512], error[64];
};

/*
 * Finds the challenge that we answer best in a field: a Bearer one that has a realm, else Basic.
 * False, *ret untouched: there is none.
 */
bool http_challenge_parse(struct http_challenge *ret, const char *text);

/*
 * As a field that is parsed to the same scheme, realm and service; the scope and the error, which
 * were about one request, are left out. False: n is too small, or there is no scheme.
 */
bool http_challenge_print(const struct http_challenge *challenge, char *ret, size_t n);
