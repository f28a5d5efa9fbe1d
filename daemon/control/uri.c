/* SPDX-License-Identifier: MIT */
#include "daemon/control/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* In place: what is decoded is never longer. */
static int decode(char *text, const char **why)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		int high, low;

		if (*at != '%') {
			*to++ = *at;
			continue;
		}
		high = digit(at[1]);
		low = high < 0 ? -1 : digit(at[2]);
		if (low < 0 || (high == 0 && low == 0)) {
			*why = low < 0 ? "a \"%\" without two hexadecimal digits"
				       : "a byte of zero (%00)";
			return -EINVAL;
		}
		*to++ = (char)(high << 4 | low);
		at += 2;
	}
	*to = '\0';
	return 0;
}

static int take_param(struct uri *uri, char *text, const char **why)
{
	char *name = text, *value = strchrnul(text, '=');
	int err;

	if (uri->n_params == URI_PARAMS_MAX) {
		*why = "too many parameters";
		return -EINVAL;
	}
	if (*value)
		*value++ = '\0';
	err = decode(name, why);
	if (err == 0)
		err = decode(value, why);
	if (err == 0 && uri_param(uri, name)) {
		*why = "a parameter is given twice";
		err = -EINVAL;
	}
	if (err < 0)
		return err;
	uri->params[uri->n_params].name = name;
	uri->params[uri->n_params++].value = value;
	return 0;
}

static int take_query(struct uri *uri, char *query, const char **why)
{
	int err = 0;

	while (err == 0 && query) {
		char *part = strsep(&query, "&");

		if (*part)
			err = take_param(uri, part, why);
	}
	return err;
}

static void freep(struct uri **uri)
{
	free(*uri);
}

int uri_parse(struct uri **ret, const char *raw, const char **why)
{
	_cleanup_(freep) struct uri *uri = NULL;
	size_t len = strlen(raw);
	char *query;
	int err;

	*why = "it does not begin with a slash";
	if (raw[0] != '/')
		return -EINVAL;
	*why = "it is too long";
	if (len > URI_MAX)
		return -EINVAL;
	uri = calloc(1, sizeof(*uri) + len + 1);
	if (!uri)
		return -ENOMEM;
	uri->path = memcpy(uri->text, raw, len + 1);
	query = strchr(uri->path, '?');
	if (query)
		*query++ = '\0';
	err = decode(uri->path, why);
	if (err == 0)
		err = take_query(uri, query, why);
	if (err == 0)
		*ret = steal(&uri);
	return err;
}

const char *uri_param(const struct uri *uri, const char *name)
{
	for (size_t i = 0; i < uri->n_params; i++)
		if (strcmp(uri->params[i].name, name) == 0)
			return uri->params[i].value;
	return NULL;
}
