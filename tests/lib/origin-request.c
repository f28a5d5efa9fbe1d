/* SPDX-License-Identifier: MIT */
#include "tests/lib/origin-internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

static void decode(char *to, const char *from)
{
	for (; *from; from++)
		if (*from == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0) {
			*to++ = (char)(hex(from[1]) << 4 | hex(from[2]));
			from += 2;
		} else {
			*to++ = *from;
		}
	*to = '\0';
}

/* As in http-fault.h; what is none is no part of the name either. */
static void take_fault(struct origin_request *req, struct origin *origin, const char *text)
{
	struct http_fault fault;

	if (!http_fault_parse(&fault, text, strlen(text)) || req->faults.n == HTTP_FAULT_MAX)
		return;
	if (fault.times && origin_count(origin, req->path) > fault.times)
		return;
	req->faults.list[req->faults.n++] = fault;
}

/* /f=...//f=.../NAME */
static void take_path(struct origin_request *req, struct origin *origin, const char *path)
{
	const char *at = path + strspn(path, "/");

	snprintf(req->path, sizeof(req->path), "%s", at);
	while (strncmp(at, "f=", 2) == 0) {
		size_t len = strcspn(at, "/");
		char text[64];

		snprintf(text, sizeof(text), "%.*s", (int)(len - 2), at + 2);
		take_fault(req, origin, text);
		at += len;
		at += strspn(at, "/");
	}
	snprintf(req->name, sizeof(req->name), "%s", at);
	req->name[strcspn(req->name, "?")] = '\0';
	decode(req->name, req->name);
}

/* "bytes=A-B", "bytes=A-", "bytes=-N"; several are none. */
static void take_range(struct origin_request *req, const char *value)
{
	char *end;

	if (strncasecmp(value, "bytes=", 6) != 0 || strchr(value, ','))
		return;
	value += 6;
	req->has_range = true;
	req->range.last = UINT64_MAX;
	if (*value == '-') {
		req->suffix = true;
		req->range.first = strtoull(value + 1, NULL, 10);
		return;
	}
	req->range.first = strtoull(value, &end, 10);
	if (*end == '-' && end[1])
		req->range.last = strtoull(end + 1, NULL, 10);
}

static void take_field(struct origin_request *req, const char *name, const char *value)
{
	if (strcasecmp(name, "Range") == 0)
		take_range(req, value);
	else if (strcasecmp(name, "If-Match") == 0)
		snprintf(req->if_match, sizeof(req->if_match), "%s", value);
	else if (strcasecmp(name, "If-Range") == 0)
		snprintf(req->if_range, sizeof(req->if_range), "%s", value);
	else if (strcasecmp(name, "If-Unmodified-Since") == 0)
		snprintf(req->if_unmodified, sizeof(req->if_unmodified), "%s", value);
	else if (strcasecmp(name, "Host") == 0)
		snprintf(req->host, sizeof(req->host), "%s", value);
	else if (strcasecmp(name, "Connection") == 0)
		req->close |= strcasecmp(value, "close") == 0;
}

bool origin_request_parse(struct origin_request *ret, struct origin *origin, char *head)
{
	char *save = NULL, *line = strtok_r(head, "\r\n", &save);
	char method[8], path[ORIGIN_NAME_MAX], version[16];

	*ret = (struct origin_request){ 0 };
	if (!line || sscanf(line, "%7s %1023s %15s", method, path, version) != 3)
		return false;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return false;
	ret->head_only = *method == 'H';
	ret->close = strcmp(version, "HTTP/1.1") != 0;
	while ((line = strtok_r(NULL, "\r\n", &save))) {
		char *colon = strchr(line, ':');

		if (!colon)
			return false;
		*colon++ = '\0';
		take_field(ret, line, colon + strspn(colon, " \t"));
	}
	/* A proxy's client sends a whole URL. */
	if (strncasecmp(path, "http://", 7) == 0)
		take_path(ret, origin, strchr(path + 7, '/') ? strchr(path + 7, '/') : "/");
	else
		take_path(ret, origin, path);
	return true;
}
