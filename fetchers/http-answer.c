/* SPDX-License-Identifier: MIT */
#include "fetchers/http-answer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ETAG_PREFIX	"etag:"
#define MODIFIED_PREFIX "mtime:"

/* ---- collecting ------------------------------------------------------------------------- */

void http_answer_reset(struct http_answer *answer)
{
	*answer = (struct http_answer){ 0 };
}

/* A run of text inside a line. */
struct span {
	const char *text;
	size_t len;
};

static struct span span_trim(const char *text, size_t len)
{
	while (len > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	return (struct span){ text, len };
}

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.text, word, s.len) == 0;
}

/* What does not fit, or has a control character, is as good as not sent. */
static bool fits(struct span value, size_t n)
{
	if (value.len >= n)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.text[i] < ' ' || value.text[i] == 0x7f)
			return false;
	return true;
}

/*
 * Keeps a field's value, which is to be sent back some day; one that is there already must be the
 * same.
 */
static void keep(struct http_answer *answer, char *slot, size_t n, struct span value)
{
	if (!fits(value, n))
		return;
	if (slot[0] && (strlen(slot) != value.len || memcmp(slot, value.text, value.len) != 0))
		answer->bad = true;
	memcpy(slot, value.text, value.len);
	slot[value.len] = '\0';
}

/* RFC 9110, 5.3: a list may be sent as several fields. */
static void take_challenge(struct http_answer *answer, struct span value)
{
	size_t at = strlen(answer->challenge);

	if (at + 2 >= sizeof(answer->challenge) || !fits(value, sizeof(answer->challenge) - at - 2))
		return;
	if (at > 0) {
		memcpy(answer->challenge + at, ", ", 2);
		at += 2;
	}
	memcpy(answer->challenge + at, value.text, value.len);
	answer->challenge[at + value.len] = '\0';
}

static void take_length(struct http_answer *answer, struct span value)
{
	uint64_t length;

	if (!http_number_parse(&length, value.text, value.len) ||
	    (answer->length_known && answer->length != length)) {
		answer->bad = true;
		return;
	}
	answer->length_known = true;
	answer->length = length;
}

static void take_range(struct http_answer *answer, struct span value)
{
	if (answer->range_seen)
		answer->bad = true;
	answer->range_seen = true;
	answer->range_verdict = http_range_parse(&answer->range, value.text, value.len);
}

/* RFC 9110, 5.6.7: in one of three forms. 0: in none of them, or before 1970. */
static uint64_t parse_date(struct span value)
{
	static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT",
					     "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y" };
	char text[64];

	if (!fits(value, sizeof(text)))
		return 0;
	memcpy(text, value.text, value.len);
	text[value.len] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);
		time_t t = end && *end == '\0' ? timegm(&tm) : 0;

		if (t > 0)
			return (uint64_t)t;
	}
	return 0;
}

static void take_wait(struct http_answer *answer, struct span value)
{
	if (!http_number_parse(&answer->wait, value.text, value.len))
		answer->wait_until = parse_date(value);
}

static void take_field(struct http_answer *answer, struct span name, struct span value)
{
	static const char multipart[] = "multipart/";

	if (span_is(name, "Content-Length"))
		take_length(answer, value);
	else if (span_is(name, "Content-Range"))
		take_range(answer, value);
	else if (span_is(name, "Content-Encoding"))
		answer->encoded |= value.len > 0 && !span_is(value, "identity");
	else if (span_is(name, "Content-Type"))
		answer->multipart |= value.len >= strlen(multipart) &&
				     strncasecmp(value.text, multipart, strlen(multipart)) == 0;
	else if (span_is(name, "ETag"))
		keep(answer, answer->etag, sizeof(answer->etag), value);
	else if (span_is(name, "Last-Modified"))
		keep(answer, answer->modified, sizeof(answer->modified), value);
	else if (span_is(name, "WWW-Authenticate"))
		take_challenge(answer, value);
	else if (span_is(name, "Retry-After"))
		take_wait(answer, value);
	else if (span_is(name, "Date"))
		answer->date = parse_date(value);
}

/* "HTTP/1.1 206 Partial Content", "HTTP/2 206" */
static void take_status(struct http_answer *answer, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	uint64_t status;

	http_answer_reset(answer);
	if (space && (size_t)(line + len - space) >= 4 && http_number_parse(&status, space + 1, 3))
		answer->status = (unsigned int)status;
}

void http_answer_line(struct http_answer *answer, const char *line, size_t len)
{
	const char *colon;

	/* Trailers come after the body; nothing in them can take back what the head said. */
	if (answer->complete)
		return;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		take_status(answer, line, len);
		return;
	}
	if (span_trim(line, len).len == 0) {
		answer->complete = answer->status >= 200;
		return;
	}
	colon = memchr(line, ':', len);
	if (colon)
		take_field(answer, span_trim(line, (size_t)(colon - line)),
			   span_trim(colon + 1, (size_t)(line + len - colon - 1)));
}

void http_answer_field(const char *line, size_t len, const char *name, char *ret, size_t n)
{
	const char *colon = memchr(line, ':', len);
	struct span value;

	if (!colon || !span_is(span_trim(line, (size_t)(colon - line)), name))
		return;
	value = span_trim(colon + 1, (size_t)(line + len - colon - 1));
	if (!fits(value, n))
		return;
	memcpy(ret, value.text, value.len);
	ret[value.len] = '\0';
}

uint64_t http_answer_wait(const struct http_answer *answer, uint64_t now)
{
	uint64_t wait = answer->wait;

	/* By the server's own clock, if it says what that shows. */
	if (answer->date > 0)
		now = answer->date;
	if (answer->wait_until > now)
		wait = answer->wait_until - now;
	return wait < HTTP_WAIT_MAX ? wait : HTTP_WAIT_MAX;
}

bool http_answer_redirects(const struct http_answer *answer)
{
	switch (answer->status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return true;
	default:
		return false;
	}
}

/* ---- judging ---------------------------------------------------------------------------- */

static int verdict(int err, const char **ret_why, const char *why)
{
	*ret_why = why;
	return err;
}

/* A strong entity tag: RFC 9110, 8.8.3. Only these can be compared byte for byte. */
static bool is_strong_etag(const char *tag)
{
	size_t len = strlen(tag);

	return len >= 2 && tag[0] == '"' && strchr(tag + 1, '"') == tag + len - 1;
}

static void validator_of(const struct http_answer *answer, char *ret)
{
	if (is_strong_etag(answer->etag))
		snprintf(ret, FETCH_VALIDATOR_MAX, ETAG_PREFIX "%s", answer->etag);
	else if (answer->modified[0])
		snprintf(ret, FETCH_VALIDATOR_MAX, MODIFIED_PREFIX "%s", answer->modified);
	else
		ret[0] = '\0';
}

/* What each status means that brings no bytes. */
static int check_status(const struct http_answer *answer, const char **ret_why)
{
	switch (answer->status) {
	case 401:
	case 403:
	case 407:
		return verdict(-EACCES, ret_why, "access refused");
	case 404:
	case 410:
		return verdict(-ENOENT, ret_why, "no such object");
	case 408:
	case 429:
		return verdict(-EAGAIN, ret_why, "server is busy");
	case 500:
	case 502:
	case 503:
	case 504:
		return verdict(-EAGAIN, ret_why, "server failed");
	case 412:
		return verdict(-ESTALE, ret_why, "the object has changed");
	default:
		if (answer->status >= 500)
			return verdict(-EIO, ret_why, "server failed");
		if (answer->status >= 400)
			return verdict(-EIO, ret_why, "request refused");
		return verdict(-EPROTO, ret_why, "unexpected answer");
	}
}

/* Those that bring bytes must say clearly which. */
static int check_body(const struct http_answer *answer, const char **ret_why)
{
	if (answer->bad)
		return verdict(-EPROTO, ret_why, "contradictory fields");
	if (answer->encoded)
		return verdict(-EPROTO, ret_why, "content is encoded although not asked for");
	if (answer->status == 206 && answer->multipart)
		return verdict(-EPROTO, ret_why, "several ranges instead of one");
	if (answer->status != 206)
		return 0;
	if (!answer->range_seen)
		return verdict(-EPROTO, ret_why, "no Content-Range");
	if (answer->range_verdict != HTTP_RANGE_OK)
		return verdict(-EPROTO, ret_why, "malformed Content-Range");
	if (!answer->range.total_known)
		return verdict(-EPROTO, ret_why, "size is not told");
	if (answer->length_known && answer->length != answer->range.last - answer->range.first + 1)
		return verdict(-EPROTO, ret_why, "Content-Length contradicts Content-Range");
	return 0;
}

/* 200 and 416 for a look: servers without ranges, and objects without bytes. */
static int look_whole(const struct http_answer *answer, size_t head_len, uint64_t *ret_size,
		      uint64_t *ret_body, const char **ret_why)
{
	bool none = answer->status == 416;

	if (none && (!answer->range_seen || answer->range_verdict != HTTP_RANGE_UNSATISFIED ||
		     answer->range.total != 0))
		return verdict(-EPROTO, ret_why, "first byte refused, but not said to be missing");
	if (!none && !answer->length_known)
		return verdict(-EOPNOTSUPP, ret_why, "server tells no size and ignores ranges");
	if (!none && answer->length > head_len)
		return verdict(-EOPNOTSUPP, ret_why, "server ignores ranges");
	*ret_size = *ret_body = none ? 0 : answer->length;
	return 0;
}

static int look_part(const struct http_answer *answer, size_t head_len, uint64_t *ret_size,
		     uint64_t *ret_body, const char **ret_why)
{
	const struct http_range *range = &answer->range;
	uint64_t asked = head_len > 0 ? head_len : 1;

	if (range->total > INT64_MAX)
		return verdict(-EPROTO, ret_why, "size is out of bounds");
	if (range->first != 0 || range->last + 1 != (asked < range->total ? asked : range->total))
		return verdict(-EPROTO, ret_why, "another range than asked for");
	*ret_size = range->total;
	*ret_body = range->last + 1;
	return 0;
}

int http_answer_look(const struct http_answer *answer, size_t head_len, struct fetch_identity *ret,
		     uint64_t *ret_body, const char **ret_why)
{
	uint64_t size = 0, body = 0;
	int r;

	assert(answer->complete);
	if (answer->status != 200 && answer->status != 206 && answer->status != 416)
		return check_status(answer, ret_why);
	r = check_body(answer, ret_why);
	if (r == 0)
		r = answer->status == 206 ? look_part(answer, head_len, &size, &body, ret_why)
					  : look_whole(answer, head_len, &size, &body, ret_why);
	if (r < 0)
		return r;
	ret->size = size;
	validator_of(answer, ret->validator);
	*ret_body = body;
	return 0;
}

/* Whether the answer names the pinned object: a validator that is gone is no proof. */
static bool is_pinned(const struct http_answer *answer, const struct fetch_identity *pinned)
{
	const char *validator = pinned->validator;

	if (strncmp(validator, ETAG_PREFIX, strlen(ETAG_PREFIX)) == 0)
		return strcmp(answer->etag, validator + strlen(ETAG_PREFIX)) == 0;
	if (strncmp(validator, MODIFIED_PREFIX, strlen(MODIFIED_PREFIX)) == 0)
		return strcmp(answer->modified, validator + strlen(MODIFIED_PREFIX)) == 0;
	return true;
}

int http_answer_read(const struct http_answer *answer, const struct fetch_identity *pinned,
		     uint64_t off, uint64_t len, const char **ret_why)
{
	const struct http_range *range = &answer->range;
	bool whole = answer->status == 200;
	int r;

	assert(answer->complete);
	if (answer->status == 416)
		return verdict(-ESTALE, ret_why, "the object has become shorter");
	if (!whole && answer->status != 206)
		return check_status(answer, ret_why);
	r = check_body(answer, ret_why);
	if (r < 0)
		return r;
	if (!is_pinned(answer, pinned))
		return verdict(-ESTALE, ret_why, "the object has changed");
	if (whole ? answer->length_known && answer->length != pinned->size
		  : range->total != pinned->size)
		return verdict(-ESTALE, ret_why, "the object's size has changed");
	/* All of a small object is what was asked for, also from a server without ranges. */
	if (whole && !(answer->length_known && off == 0 && len == pinned->size))
		return verdict(-EOPNOTSUPP, ret_why, "server ignores ranges");
	if (!whole && (range->first != off || range->last - range->first + 1 != len))
		return verdict(-EPROTO, ret_why, "another range than asked for");
	return 0;
}

int http_answer_whole(const struct http_answer *answer, uint64_t room, const char **ret_why)
{
	assert(answer->complete);
	if (answer->status != 200)
		return check_status(answer, ret_why);
	if (answer->length_known && answer->length > room)
		return verdict(-EPROTO, ret_why, "too long an answer");
	return check_body(answer, ret_why);
}

int http_answer_success(const struct http_answer *answer, const char **ret_why)
{
	assert(answer->complete);
	return answer->status >= 200 && answer->status < 300 ? 0 : check_status(answer, ret_why);
}

int http_condition_print(char buf[HTTP_CONDITION_MAX], const struct fetch_identity *pinned)
{
	const char *validator = pinned->validator, *text = NULL, *field = NULL;

	if (validator[0] == '\0') {
		buf[0] = '\0';
		return 0;
	}
	if (strncmp(validator, ETAG_PREFIX, strlen(ETAG_PREFIX)) == 0) {
		field = "If-Match: ";
		text = validator + strlen(ETAG_PREFIX);
	} else if (strncmp(validator, MODIFIED_PREFIX, strlen(MODIFIED_PREFIX)) == 0) {
		field = "If-Unmodified-Since: ";
		text = validator + strlen(MODIFIED_PREFIX);
	}
	if (!text || !*text || strpbrk(text, "\r\n") || (field[3] == 'M' && !is_strong_etag(text)))
		return -EINVAL;
	snprintf(buf, HTTP_CONDITION_MAX, "%s%s", field, text);
	return 0;
}
