/* SPDX-License-Identifier: MIT */
#include "daemon/engine/resolve.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

enum piece {
	PIECE_END,
	PIECE_LITERAL, /* one byte */
	PIECE_COOKIE,
	PIECE_VOLUME,
	PIECE_DOMAIN,
	PIECE_BAD, /* a brace that is neither doubled nor part of a name we know */
};

static const struct {
	const char *text;
	enum piece piece;
	char literal;
} braces[] = {
	{ "{{", PIECE_LITERAL, '{' }, { "}}", PIECE_LITERAL, '}' }, { "{cookie}", PIECE_COOKIE },
	{ "{volume}", PIECE_VOLUME }, { "{domain}", PIECE_DOMAIN },
};

/* Takes one piece off the template at *at. */
static enum piece next_piece(const char **at, char *ret_literal)
{
	char c = **at;

	if (c == '\0')
		return PIECE_END;
	if (c != '{' && c != '}') {
		*ret_literal = c;
		(*at)++;
		return PIECE_LITERAL;
	}
	for (size_t i = 0; i < sizeof(braces) / sizeof(braces[0]); i++) {
		size_t n = strlen(braces[i].text);

		if (strncmp(*at, braces[i].text, n) != 0)
			continue;
		*ret_literal = braces[i].literal;
		*at += n;
		return braces[i].piece;
	}
	return PIECE_BAD;
}

/* Length of "scheme:" (RFC 3986, 3.1), or 0. */
static size_t scheme_length(const char *s)
{
	size_t n = 0;

	if (!isalpha((unsigned char)s[0]))
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '+' || s[n] == '-' || s[n] == '.')
		n++;
	return s[n] == ':' ? n + 1 : 0;
}

/*
 * The first path segment that a server or a file system may take for "." or "..", or NULL. "%2e"
 * counts as a dot: RFC 3986, 6.2.2.2 makes them the same. Works on templates too, since no name in
 * braces holds a delimiter or is a dot.
 */
static const char *find_dot_segment(const char *s)
{
	s += scheme_length(s);
	for (;;) {
		const char *start = s;
		size_t dots = 0;

		while (*s == '.' || strncasecmp(s, "%2e", 3) == 0) {
			s += *s == '.' ? 1 : 3;
			dots++;
		}
		if ((dots == 1 || dots == 2) && (*s == '\0' || strchr("/?", *s)))
			return start;
		s += strcspn(s, "/?");
		if (*s == '\0')
			return NULL;
		s++;
	}
}

/* ---- templates -------------------------------------------------------------------------- */

static const char *literal_fault(const char *at)
{
	unsigned char c = (unsigned char)*at;

	if (c <= ' ' || c == 0x7f)
		return "spaces and control characters must be written as %XX";
	if (c == '\\' || c == '#')
		return "'\\' and '#' must be written as %5C and %23";
	if (c != '%')
		return NULL;
	if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
		return "'%' needs two hexadecimal digits behind it";
	return strncmp(at, "%00", 3) == 0 ? "%00 is in no name" : NULL;
}

/* Where a key may stand: never in the part that says which host is asked. */
static size_t authority_end(const char *template, size_t scheme)
{
	if (strncmp(template + scheme, "//", 2) != 0)
		return scheme;
	return scheme + 2 + strcspn(template + scheme + 2, "/?");
}

static const char *piece_fault(const char *template, const char **at, size_t fixed)
{
	const char *start = *at;
	char literal;

	switch (next_piece(at, &literal)) {
	case PIECE_LITERAL:
		return literal_fault(start);
	case PIECE_BAD:
		return "a brace must be doubled, or be part of {cookie}, {volume} or {domain}";
	default:
		return (size_t)(start - template) < fixed
			       ? "a key cannot be part of the host: begin the path first"
			       : NULL;
	}
}

int resolve_check_template(const char *locator, size_t *ret_at, const char **ret_why)
{
	size_t scheme = scheme_length(locator);
	size_t fixed = authority_end(locator, scheme);
	const char *why = NULL;
	const char *start = locator;

	if (scheme == 0)
		why = "begin with a scheme, such as https://";
	else if (strlen(locator) >= LOCATOR_MAX)
		why = "longer than a locator can be";
	for (const char *at = locator; !why && *at;) {
		start = at;
		why = piece_fault(locator, &at, fixed);
	}
	if (!why) {
		start = find_dot_segment(locator);
		why = start ? "'.' and '..' cannot be parts of the path" : NULL;
	}
	if (!why)
		return 0;
	*ret_at = (size_t)(start - locator);
	*ret_why = why;
	return -EINVAL;
}

/* ---- expansion -------------------------------------------------------------------------- */

struct expansion {
	char text[LOCATOR_MAX];
	size_t len;
	bool full;
};

static void put(struct expansion *out, char c)
{
	if (out->len + 1 < sizeof(out->text))
		out->text[out->len++] = c;
	else
		out->full = true;
}

static void put_encoded(struct expansion *out, struct bytes key)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < key.len; i++) {
		uint8_t c = key.data[i];

		/* Not isalnum(): what is a letter must not depend on the locale. */
		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    (c && strchr("._~-", c))) {
			put(out, (char)c);
		} else {
			put(out, '%');
			put(out, hex[c >> 4]);
			put(out, hex[c & 15]);
		}
	}
}

static struct bytes domain_of(struct bytes volume)
{
	static const char prefix[] = "erofs,";
	size_t n = strlen(prefix);

	if (volume.len >= n && memcmp(volume.data, prefix, n) == 0)
		return bytes_of(volume.data + n, volume.len - n);
	return volume;
}

static enum resolve_verdict expand(struct expansion *out, const char *template, struct bytes volume,
				   struct bytes cookie)
{
	for (;;) {
		struct bytes key;
		char literal;

		switch (next_piece(&template, &literal)) {
		case PIECE_END:
			out->text[out->len] = '\0';
			if (out->full)
				return RESOLVE_TOO_LONG;
			return find_dot_segment(out->text) ? RESOLVE_BAD_KEY : RESOLVE_OK;
		case PIECE_LITERAL:
			put(out, literal);
			continue;
		case PIECE_COOKIE:
			key = cookie;
			break;
		case PIECE_VOLUME:
			key = volume;
			break;
		case PIECE_DOMAIN:
			key = domain_of(volume);
			break;
		default:
			assert(!"a template that was not checked");
			return RESOLVE_BAD_KEY;
		}
		if (key.len == 0)
			return RESOLVE_BAD_KEY;
		put_encoded(out, key);
	}
}

static bool glob_matches(const char *glob, const char *printed)
{
	return !glob || fnmatch(glob, printed, 0) == 0;
}

enum resolve_verdict resolve_key(const struct resolve_rule *rules, size_t n_rules,
				 struct bytes volume, struct bytes cookie, size_t *ret_rule,
				 char locator[LOCATOR_MAX])
{
	/* Four characters per byte and a terminator: nothing is cut. */
	char volume_text[4 * RESOLVE_KEY_MAX + 4], cookie_text[4 * RESOLVE_KEY_MAX + 4];
	struct expansion out = { .len = 0 };
	enum resolve_verdict verdict;

	if (volume.len == 0 || cookie.len == 0)
		return RESOLVE_BAD_KEY;
	if (volume.len > RESOLVE_KEY_MAX || cookie.len > RESOLVE_KEY_MAX)
		return RESOLVE_TOO_LONG;
	bytes_print(volume, volume_text, sizeof(volume_text));
	bytes_print(cookie, cookie_text, sizeof(cookie_text));

	for (size_t i = 0; i < n_rules; i++) {
		if (!rules[i].locator || !glob_matches(rules[i].volume, volume_text) ||
		    !glob_matches(rules[i].cookie, cookie_text))
			continue;
		verdict = expand(&out, rules[i].locator, volume, cookie);
		if (verdict != RESOLVE_OK)
			return verdict;
		memcpy(locator, out.text, out.len + 1);
		*ret_rule = i;
		return RESOLVE_OK;
	}
	return RESOLVE_NO_RULE;
}

const char *resolve_verdict_text(enum resolve_verdict verdict)
{
	switch (verdict) {
	case RESOLVE_OK:
		return "resolved";
	case RESOLVE_NO_RULE:
		return "no source of the configuration matches these keys";
	case RESOLVE_BAD_KEY:
		return "the key is empty or would become a '.' or '..' in the locator";
	case RESOLVE_TOO_LONG:
		return "the key, or the locator that it makes, is too long";
	}
	return "unknown verdict";
}
