/* SPDX-License-Identifier: MIT */
#include "fetchers/oci-token.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/secret.h"

#define SECONDS_DEFAULT 60    /* of the protocol, where none are told */
#define SECONDS_MAX	86400 /* whoever says more is asked again all the same */
#define CLIENT		"cachefilld"

static void put_encoded(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=", name);
	for (; *value; value++)
		if (strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~",
			   *value))
			fputc(*value, f);
		else
			fprintf(f, "%%%02X", (unsigned char)*value);
}

/* One "scope" each, as the protocol wants it: in the challenge blanks divide them. */
static void put_scopes(FILE *f, const char *scope, const char *divider)
{
	char one[sizeof(((struct http_challenge *)NULL)->scope)];

	for (scope += strspn(scope, " "); *scope; scope += strspn(scope, " ")) {
		size_t len = strcspn(scope, " ");

		snprintf(one, sizeof(one), "%.*s", (int)len, scope);
		fputs(divider, f);
		put_encoded(f, "scope", one);
		scope += len;
	}
}

static int text_end(FILE *f, char **text)
{
	bool failed = ferror(f);

	return fclose(f) != 0 || failed || !*text ? -ENOMEM : 0;
}

static int make_url(char **ret, const struct http_challenge *challenge, bool scopes)
{
	size_t n;
	FILE *f = open_memstream(ret, &n);
	const char *divider = strchr(challenge->realm, '?') ? "&" : "?";

	if (!f)
		return -ENOMEM;
	/* What stands behind a "#" would not be sent. */
	fprintf(f, "%.*s", (int)strcspn(challenge->realm, "#"), challenge->realm);
	if (scopes && challenge->service[0]) {
		fputs(divider, f);
		put_encoded(f, "service", challenge->service);
		divider = "&";
	}
	if (scopes && challenge->scope[0]) {
		fputs(divider, f);
		put_encoded(f, "client_id", CLIENT);
		put_scopes(f, challenge->scope, "&");
	}
	return text_end(f, ret);
}

/* OAuth2, RFC 6749, 6: one field with all scopes. */
static int make_form(char **ret, const struct http_challenge *challenge, const char *token)
{
	size_t n;
	FILE *f = open_memstream(ret, &n);

	if (!f)
		return -ENOMEM;
	fputs("grant_type=refresh_token&client_id=" CLIENT "&", f);
	put_encoded(f, "service", challenge->service);
	fputc('&', f);
	put_encoded(f, "scope", challenge->scope);
	fputc('&', f);
	put_encoded(f, "refresh_token", token);
	return text_end(f, ret);
}

int oci_token_request(char **ret_url, char **ret_form, const struct http_challenge *challenge,
		      const struct auth_credentials *credentials)
{
	_cleanup_free_ char *url = NULL;
	char *form = NULL;
	bool post = credentials->identity_token != NULL;
	int r = make_url(&url, challenge, !post);

	if (r == 0 && post)
		r = make_form(&form, challenge, credentials->identity_token);
	if (r < 0)
		return r;
	*ret_url = steal(&url);
	*ret_form = form;
	return 0;
}

static char *base64(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	size_t len = strlen(text);
	char *ret = malloc((len + 2) / 3 * 4 + 1), *to = ret;

	for (size_t i = 0; ret && i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)(uint8_t)text[i] << 16;

		group |= left > 1 ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0;
		group |= left > 2 ? (uint8_t)text[i + 2] : 0;
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[group & 63] : '=';
	}
	if (ret)
		*to = '\0';
	return ret;
}

static char *authorization(const char *scheme, const char *text)
{
	return text ? secret_join("Authorization: ", scheme, " ", text) : NULL;
}

char *oci_token_basic(const struct auth_credentials *credentials)
{
	char *pair = secret_join(credentials->user, ":", credentials->password, NULL);
	char *encoded, *ret;

	if (!pair)
		return NULL;
	encoded = base64(pair);
	ret = authorization("Basic", encoded);
	secret_free(encoded);
	secret_free(pair);
	return ret;
}

char *oci_token_bearer(const char *token)
{
	return authorization("Bearer", token);
}

/* RFC 6750, 2.1, and nothing that would be another field. */
static bool sendable(const char *token)
{
	return *token && strspn(token, "0123456789abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~+/=:") == strlen(token);
}

int oci_token_parse(char **ret_token, uint64_t *ret_seconds, const char *text, size_t len,
		    const char **ret_why)
{
	json_auto_t *answer = auth_json_load(text, len);
	const char *token = json_string_value(json_object_get(answer, "token"));
	const json_t *seconds = json_object_get(answer, "expires_in");
	char *copy;

	if (!token)
		token = json_string_value(json_object_get(answer, "access_token"));
	*ret_why = "the token server sent no token";
	if (!token || !sendable(token))
		return -EPROTO;
	*ret_why = "no memory";
	copy = strdup(token);
	if (!copy)
		return -ENOMEM;
	*ret_token = copy;
	*ret_seconds = SECONDS_DEFAULT;
	if (json_is_integer(seconds) && json_integer_value(seconds) > 0)
		*ret_seconds = (uint64_t)json_integer_value(seconds);
	if (*ret_seconds > SECONDS_MAX)
		*ret_seconds = SECONDS_MAX;
	return 0;
}
