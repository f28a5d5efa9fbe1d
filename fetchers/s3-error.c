/* SPDX-License-Identifier: MIT */
#include "fetchers/s3-error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CODE_MAX 64

/* 400 and 301 do not say whose fault it is; these do. */
static const struct {
	const char *code, *hint;
	bool is_access;
} known[] = {
	{ "SignatureDoesNotMatch", ": check the secret key", true },
	{ "RequestTimeTooSkewed", ": check the clock", true },
	{ "InvalidAccessKeyId", ": check the credentials", true },
	{ "ExpiredToken", ": the credentials are too old", true },
	{ "TokenRefreshRequired", ": the credentials are too old", true },
	{ "InvalidToken", ": check the session token", true },
	{ "AuthorizationHeaderMalformed", ": check the region", true },
	{ "PermanentRedirect", ": check region and endpoint", true },
	{ "InvalidObjectState", ": the object is archived", true },
};

/* The text between <Code> and </Code>: letters, digits and dots. */
static bool find_code(char code[CODE_MAX], const char *body, size_t len)
{
	static const char tag[] = "<Code>";
	const char *at = memmem(body, len, tag, sizeof(tag) - 1);
	size_t n = 0;

	if (!at)
		return false;
	at += sizeof(tag) - 1;
	for (const char *end = body + len; at < end && *at != '<'; at++) {
		bool good = (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') ||
			    (*at >= 'A' && *at <= 'Z') || *at == '.';

		if (!good || n == CODE_MAX - 1)
			return false;
		code[n++] = *at;
	}
	code[n] = '\0';
	return n > 0 && at < body + len;
}

int s3_error_parse(char why[S3_WHY_MAX], int err, const char *body, size_t len)
{
	char code[CODE_MAX];

	why[0] = '\0';
	if (!find_code(code, body, len))
		return err;
	snprintf(why, S3_WHY_MAX, "%s", code);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(code, known[i].code) == 0) {
			snprintf(why, S3_WHY_MAX, "%s%s", code, known[i].hint);
			return known[i].is_access ? -EACCES : err;
		}
	return err;
}
