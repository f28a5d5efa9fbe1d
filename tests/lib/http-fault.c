/* SPDX-License-Identifier: MIT */
#include "tests/lib/http-fault.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
	"refuse", "deaf",   "expired", "wrongname", "unknownca", "tlscut", "status",  "rst",
	"close",  "hang",   "garbage", "delay",	    "loop",	 "redir",  "norange", "chunked",
	"shift",  "total",  "short",   "nocr",	    "multipart", "gzip",   "etag",    "mtime",
	"weak",	  "noetag", "nomtime", "noif",	    "lie",	 "stall",  "trunc",   "midrst",
	"more",	  "less",   "slow",    "corrupt",   "from",
};

static bool known(const char *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

bool http_fault_parse(struct http_fault *ret, const char *text, size_t len)
{
	char copy[64], *at, *limit;

	*ret = (struct http_fault){ 0 };
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	limit = strchr(copy, '@');
	if (limit) {
		*limit++ = '\0';
		ret->times = (unsigned int)strtoul(limit, NULL, 10);
	}
	at = copy + strcspn(copy, ":");
	for (; *at && ret->n_args < 2; at += strcspn(at, ":")) {
		*at++ = '\0';
		ret->arg[ret->n_args++] = strtol(at, NULL, 10);
	}
	if (strlen(copy) >= sizeof(ret->kind))
		return false;
	strcpy(ret->kind, copy);
	return known(ret->kind);
}

bool http_faults_parse(struct http_faults *ret, const char *text, const char **ret_bad)
{
	ret->n = 0;
	while (*text) {
		size_t len = strcspn(text, "/");

		if (ret->n == HTTP_FAULT_MAX || !http_fault_parse(&ret->list[ret->n], text, len)) {
			*ret_bad = text;
			return false;
		}
		ret->n++;
		text += len + (text[len] == '/');
	}
	return true;
}

const struct http_fault *http_fault_find(const struct http_faults *faults, const char *kind)
{
	for (int i = 0; i < faults->n; i++)
		if (strcmp(faults->list[i].kind, kind) == 0)
			return &faults->list[i];
	return NULL;
}

long http_fault_arg(const struct http_fault *fault, int i, long otherwise)
{
	return i < fault->n_args ? fault->arg[i] : otherwise;
}

long http_fault_amount(const struct http_faults *faults, const char *kind, long otherwise)
{
	const struct http_fault *fault = http_fault_find(faults, kind);

	return fault ? http_fault_arg(fault, 0, otherwise) : 0;
}
