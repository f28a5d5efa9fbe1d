/* SPDX-License-Identifier: MIT */
#include "fetchers/http-challenge.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOKEN_CHARS                        \
	"!#$%&'*+-.^_`|~0123456789"        \
	"abcdefghijklmnopqrstuvwxyzABCDEF" \
	"GHIJKLMNOPQRSTUVWXYZ"

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/*
 * A token or a quoted string, without its quotes. Returns what follows, NULL where there is none.
 * What does not fit is as good as empty.
 */
static const char *take_value(const char *at, char *ret, size_t n)
{
	bool quoted = *at == '"';
	size_t len = 0;

	for (at += quoted; quoted ? *at && *at != '"' : *at && strchr(TOKEN_CHARS "/:=?", *at);
	     at++) {
		if (quoted && *at == '\\' && !*++at)
			return NULL;
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return NULL;
		if (len < n)
			ret[len] = *at;
		len++;
	}
	ret[len < n ? len : 0] = '\0';
	if (quoted)
		return *at == '"' ? at + 1 : NULL;
	return len > 0 ? at : NULL;
}

static const char *take_param(struct http_challenge *c, const char *name, size_t len,
			      const char *value)
{
	char ignored[1];
	const struct {
		const char *name;
		char *slot;
		size_t n;
	} params[] = {
		{ "realm", c->realm, sizeof(c->realm) },
		{ "service", c->service, sizeof(c->service) },
		{ "scope", c->scope, sizeof(c->scope) },
		{ "error", c->error, sizeof(c->error) },
	};

	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (strlen(params[i].name) == len && strncasecmp(params[i].name, name, len) == 0)
			return take_value(value, params[i].slot, params[i].n);
	return take_value(value, ignored, sizeof(ignored));
}

static enum http_scheme scheme_of(const char *name, size_t len)
{
	if (len == 5 && strncasecmp(name, "Basic", len) == 0)
		return HTTP_SCHEME_BASIC;
	if (len == 6 && strncasecmp(name, "Bearer", len) == 0)
		return HTTP_SCHEME_BEARER;
	return HTTP_SCHEME_NONE;
}

static void keep_better(struct http_challenge *best, const struct http_challenge *c)
{
	if (c->scheme == HTTP_SCHEME_BEARER && !c->realm[0])
		return;
	if (c->scheme > best->scheme)
		*best = *c;
}

/*
 * "Scheme" and "name=value" are told apart by what follows the word. A token68, which neither
 * scheme has, ends what can be understood.
 */
bool http_challenge_parse(struct http_challenge *ret, const char *text)
{
	struct http_challenge best = { 0 }, c = { 0 };

	for (const char *at = text + strspn(text, " \t,"); at && *at; at += strspn(at, " \t,")) {
		size_t word = strspn(at, TOKEN_CHARS);
		const char *after = skip_blanks(at + word);

		if (word == 0)
			break;
		if (*after == '=') {
			at = take_param(&c, at, word, skip_blanks(after + 1));
			if (at)
				continue;
			c.scheme = HTTP_SCHEME_NONE;
			break;
		}
		keep_better(&best, &c);
		c = (struct http_challenge){ .scheme = scheme_of(at, word) };
		at = after;
	}
	keep_better(&best, &c);
	if (best.scheme == HTTP_SCHEME_NONE)
		return false;
	*ret = best;
	return true;
}

/* ", name="value"" at the end of text that has room for n; false: it does not fit. */
static bool put_param(char *text, size_t n, const char *divider, const char *name,
		      const char *value)
{
	size_t at = strlen(text);
	int len;

	if (!*value)
		return true;
	len = snprintf(text + at, n - at, "%s%s=\"", divider, name);
	if (len < 0 || (size_t)len >= n - at)
		return false;
	for (at += (size_t)len; *value; value++) {
		if (at + 4 >= n)
			return false;
		if (*value == '"' || *value == '\\')
			text[at++] = '\\';
		text[at++] = *value;
	}
	if (at + 2 > n)
		return false;
	text[at++] = '"';
	text[at] = '\0';
	return true;
}

bool http_challenge_print(const struct http_challenge *c, char *ret, size_t n)
{
	const char *scheme = c->scheme == HTTP_SCHEME_BEARER ? "Bearer" : "Basic";

	if (c->scheme == HTTP_SCHEME_NONE || strlen(scheme) >= n)
		return false;
	strcpy(ret, scheme);
	return put_param(ret, n, " ", "realm", c->realm) &&
	       put_param(ret, n, c->realm[0] ? "," : " ", "service", c->service);
}
