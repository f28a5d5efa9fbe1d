/* SPDX-License-Identifier: MIT */
#include "fetchers/s3-profile.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *text;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(const char *text, size_t len)
{
	while (len > 0 && is_blank(*text)) {
		text++;
		len--;
	}
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	return (struct span){ text, len };
}

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.text, word, s.len) == 0;
}

int s3_profile_set(char *slot, size_t n, const char *value, size_t len)
{
	if (len >= n)
		return -EINVAL;
	/* It becomes a part of a header field. */
	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] == 0x7f)
			return -EINVAL;
	memcpy(slot, value, len);
	slot[len] = '\0';
	return 0;
}

/* "[name]" or "[profile name]" */
static bool opens(struct span line, const char *name)
{
	static const char word[] = "profile";
	const size_t len = sizeof(word) - 1;
	struct span s;

	if (line.len < 2 || line.text[line.len - 1] != ']')
		return false;
	s = trim(line.text + 1, line.len - 2);
	if (s.len > len && memcmp(s.text, word, len) == 0 && is_blank(s.text[len]))
		s = trim(s.text + len, s.len - len);
	return span_is(s, name);
}

static int take(struct s3_profile *p, struct span key, struct span value)
{
	static const char *const names[] = { "aws_access_key_id", "aws_secret_access_key",
					     "aws_session_token", "region" };
	const struct {
		char *slot;
		size_t n;
	} slots[] = { { p->id, sizeof(p->id) },
		      { p->secret, sizeof(p->secret) },
		      { p->token, sizeof(p->token) },
		      { p->region, sizeof(p->region) } };

	for (size_t i = 0; i < 4; i++)
		if (key.len == strlen(names[i]) && strncasecmp(key.text, names[i], key.len) == 0)
			return s3_profile_set(slots[i].slot, slots[i].n, value.text, value.len);
	return 0;
}

/* Where the parser is. */
struct place {
	bool inside; /* the section that is looked for */
	bool found;
	bool nested; /* the last key had no value: what is indented belongs to it */
};

static int take_line(struct s3_profile *p, struct place *at, const char *name, const char *text,
		     size_t len)
{
	struct span line = trim(text, len), key, value;
	const char *equal;

	if (line.len == 0 || *line.text == '#' || *line.text == ';')
		return 0;
	if (*line.text == '[') {
		at->inside = opens(line, name);
		at->found |= at->inside;
		at->nested = false;
		return 0;
	}
	equal = memchr(line.text, '=', line.len);
	if (!at->inside || !equal || (at->nested && is_blank(*text)))
		return 0;
	key = trim(line.text, (size_t)(equal - line.text));
	value = trim(equal + 1, line.len - (size_t)(equal + 1 - line.text));
	at->nested = value.len == 0;
	return take(p, key, value);
}

int s3_profile_parse(struct s3_profile *ret, const char *text, size_t len, const char *name)
{
	struct s3_profile p = { 0 };
	struct place at = { 0 };
	const char *end = text + len;
	int r = 0;

	while (r == 0 && text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop)
			stop = end;
		r = take_line(&p, &at, name, text, (size_t)(stop - text));
		text = stop + 1;
	}
	if (r == 0 && !at.found)
		r = -ENOENT;
	if (r == 0)
		*ret = p;
	explicit_bzero(&p, sizeof(p));
	return r;
}
