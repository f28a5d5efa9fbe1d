/* SPDX-License-Identifier: MIT */
#include "tests/lib/proxy-internal.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 65536

/* ---- instead of an answer ------------------------------------------------------------------- */

static void say(struct proxy_answer *a, int status, const char *fields)
{
	char text[32];

	snprintf(text, sizeof(text), "%d\n", status);
	snprintf(a->head, sizeof(a->head),
		 "HTTP/1.1 %d Fault\r\nContent-Type: text/plain\r\n%sContent-Length: %zu\r\n\r\n",
		 status, fields, strlen(text));
	a->body = strdup(text);
	a->len = strlen(text);
}

static void say_status(struct proxy_answer *a, const struct http_fault *f)
{
	int status = (int)http_fault_arg(f, 0, 500);
	long after = http_fault_arg(f, 1, 1);
	char fields[64] = "";

	if ((status == 429 || status == 503) && after >= 0)
		snprintf(fields, sizeof(fields), "Retry-After: %ld\r\n", after);
	say(a, status, fields);
}

static void say_same_place(struct proxy_answer *a, const char *request)
{
	const char *path = strchr(request, ' ');
	char fields[2048];

	path = path ? path + 1 : "/";
	snprintf(fields, sizeof(fields), "Location: %.*s\r\n", (int)strcspn(path, " \r\n"), path);
	say(a, 302, fields);
}

static void say_several_parts(struct proxy_answer *a)
{
	static const char body[] = "--part\r\nContent-Range: bytes 0-0/2\r\n\r\nx\r\n"
				   "--part\r\nContent-Range: bytes 1-1/2\r\n\r\ny\r\n--part--\r\n";

	snprintf(a->head, sizeof(a->head),
		 "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; "
		 "boundary=part\r\nContent-Length: %zu\r\n\r\n",
		 sizeof(body) - 1);
	a->body = strdup(body);
	a->len = sizeof(body) - 1;
}

bool proxy_instead(const struct http_faults *faults, const char *request, struct proxy_answer *ret)
{
	const struct http_fault *status = http_fault_find(faults, "status");

	if (http_fault_find(faults, "garbage")) {
		snprintf(ret->head, sizeof(ret->head),
			 "\x16\x03\x01 this is not the protocol\r\n\r\n");
		ret->body = strdup("");
		ret->close = true;
	} else if (status) {
		say_status(ret, status);
	} else if (http_fault_find(faults, "loop")) {
		say_same_place(ret, request);
	} else if (http_fault_find(faults, "multipart")) {
		say_several_parts(ret);
	} else {
		return false;
	}
	return true;
}

/* ---- heads ---------------------------------------------------------------------------------- */

static void spoil_validators(struct proxy *proxy, const struct http_faults *faults, char *head)
{
	size_t len;
	const char *etag = proxy_field(head, "ETag", &len);
	char text[300];

	if (etag && http_fault_find(faults, "weak")) {
		snprintf(text, sizeof(text), "W/%.*s", (int)len, etag);
		proxy_field_set(head, "ETag", text);
	}
	if (etag && http_fault_find(faults, "etag")) {
		snprintf(text, sizeof(text), "\"new-%u\"", ++proxy->serial);
		proxy_field_set(head, "ETag", text);
	}
	if (http_fault_find(faults, "noetag"))
		proxy_field_set(head, "ETag", NULL);
	if (http_fault_find(faults, "nomtime"))
		proxy_field_set(head, "Last-Modified", NULL);
	if (http_fault_find(faults, "mtime"))
		proxy_field_set(head, "Last-Modified", HTTP_FAULT_MODIFIED);
}

static void spoil_range(const struct http_faults *faults, char *head)
{
	long long first = proxy_field_number(head, "Content-Range", 0, -1);
	long long last = proxy_field_number(head, "Content-Range", 1, -1);
	long long total = proxy_field_number(head, "Content-Range", 2, -1);
	long shift = http_fault_amount(faults, "shift", 1);
	char text[100];

	if (total < 0)
		return;
	snprintf(text, sizeof(text), "bytes %lld-%lld/%lld", first + shift, last + shift,
		 total + http_fault_amount(faults, "total", 1));
	proxy_field_set(head, "Content-Range", http_fault_find(faults, "nocr") ? NULL : text);
}

static void spoil_length(const struct http_faults *faults, struct proxy_answer *a)
{
	long lie = http_fault_amount(faults, "lie", 1);
	char text[32];

	if (lie) {
		snprintf(text, sizeof(text), "%lld", (long long)a->len + lie);
		proxy_field_set(a->head, "Content-Length", text);
		a->close = true;
	}
	if (http_fault_find(faults, "gzip"))
		proxy_field_set(a->head, "Content-Encoding", "gzip");
}

/* ---- bodies --------------------------------------------------------------------------------- */

static void spoil_body(const struct http_faults *faults, struct proxy_answer *a)
{
	long more = http_fault_amount(faults, "more", 1);
	size_t less = (size_t)http_fault_amount(faults, "less", 1);

	if (http_fault_find(faults, "corrupt") && a->len > 0)
		a->body[a->len / 2] ^= 0x10;
	if (more > 0) {
		a->body = realloc(a->body, a->len + (size_t)more);
		memset(a->body + a->len, 'x', (size_t)more);
		a->len += (size_t)more;
	}
	if (less <= a->len)
		a->len -= less;
}

/* The same bytes as chunks. */
static void make_chunked(struct proxy_answer *a)
{
	size_t room = a->len + (a->len / CHUNK + 2) * 32, len = 0;
	char *out = malloc(room);

	for (size_t at = 0; at < a->len;) {
		size_t n = a->len - at < CHUNK ? a->len - at : CHUNK;

		len += (size_t)snprintf(out + len, room - len, "%zx\r\n", n);
		memcpy(out + len, a->body + at, n);
		memcpy(out + len + n, "\r\n", 2);
		len += n + 2;
		at += n;
	}
	memcpy(out + len, "0\r\n\r\n", 5);
	free(a->body);
	a->body = out;
	a->len = len + 5;
	proxy_field_set(a->head, "Content-Length", NULL);
	proxy_field_set(a->head, "Transfer-Encoding", "chunked");
}

void proxy_spoil(struct proxy *proxy, const struct http_faults *faults, struct proxy_answer *a)
{
	spoil_validators(proxy, faults, a->head);
	spoil_range(faults, a->head);
	spoil_length(faults, a);
	spoil_body(faults, a);
	if (http_fault_find(faults, "chunked") || http_fault_find(faults, "more") ||
	    http_fault_find(faults, "less"))
		make_chunked(a);
}
