/* SPDX-License-Identifier: MIT */
#include "fetchers/toml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"

#define DEPTH_MAX 16
#define NODES_MAX 4096

/* How a table came to be, which decides who may add to it. */
enum origin {
	ORIGIN_VALUE,  /* on the right of a "=": nobody */
	ORIGIN_PATH,   /* named on the way to a deeper one: may still get a header of its own */
	ORIGIN_HEADER, /* the lines that follow its header */
	ORIGIN_DOTTED, /* further dotted keys */
};

struct parser {
	const char *at, *end;
	unsigned int line, nodes;
	struct toml *root, *table; /* table: that of the last header */
	char *error;
};

__attribute__((format(printf, 2, 3))) static int fail(struct parser *p, const char *fmt, ...)
{
	int n = snprintf(p->error, TOML_ERROR_MAX, "line %u: ", p->line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error + n, TOML_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	for (char *c = p->error; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return -EINVAL;
}

static int no_memory(struct parser *p)
{
	fail(p, "no memory");
	return -ENOMEM;
}

/* ---- the tree --------------------------------------------------------------------------- */

/* No deeper than DEPTH_MAX. */
struct toml *toml_free(struct toml *root)
{
	struct toml *child, *next;

	if (!root)
		return NULL;
	for (child = root->first; child; child = next) {
		next = child->next;
		toml_free(child);
	}
	free(root->key);
	free(root->text);
	free(root);
	return NULL;
}

static void toml_freep(struct toml **root)
{
	toml_free(*root);
}

const struct toml *toml_get(const struct toml *table, const char *key)
{
	const struct toml *child = table->first;

	while (child && strcmp(child->key, key) != 0)
		child = child->next;
	return child;
}

static int node_new(struct parser *p, struct toml **ret, enum toml_type type, unsigned int depth)
{
	struct toml *node;

	if (depth > DEPTH_MAX)
		return fail(p, "too deep");
	if (++p->nodes > NODES_MAX)
		return fail(p, "more than %d values", NODES_MAX);
	node = malloc(sizeof(*node));
	if (!node)
		return no_memory(p);
	*node = (struct toml){ .type = type, .line = p->line, .depth = depth };
	node->end = &node->first;
	*ret = node;
	return 0;
}

static void append(struct toml *parent, struct toml *child)
{
	*parent->end = child;
	parent->end = &child->next;
}

/* Into a table; the key is given away. */
static int table_add(struct parser *p, struct toml *table, char **key, struct toml **child)
{
	if (toml_get(table, *key))
		return fail(p, "'%.60s' is defined twice", *key);
	(*child)->key = steal(key);
	append(table, steal(child));
	return 0;
}

static int table_make(struct parser *p, struct toml *table, char **key, enum origin origin,
		      struct toml **ret)
{
	_cleanup_(toml_freep) struct toml *child = NULL;
	int r = node_new(p, &child, TOML_TABLE, table->depth + 1);

	if (r < 0)
		return r;
	child->origin = (uint8_t)origin;
	*ret = child;
	return table_add(p, table, key, &child);
}

/* ---- characters ------------------------------------------------------------------------- */

static char peek(const struct parser *p)
{
	return p->at < p->end ? *p->at : '\0';
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
		p->at++;
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

/* Blanks, a comment, and one end of a line. *ret: there was one, or the end of the text. */
static int skip_line(struct parser *p, bool *ret)
{
	skip_blanks(p);
	if (peek(p) == '#')
		while (p->at < p->end && !is_control(*p->at))
			p->at++;
	if (p->at + 1 < p->end && p->at[0] == '\r' && p->at[1] == '\n')
		p->at++;
	*ret = p->at == p->end || *p->at == '\n';
	if (p->at < p->end && *p->at == '\n') {
		p->at++;
		p->line++;
	} else if (p->at < p->end && is_control(*p->at)) {
		return fail(p, "a control character");
	}
	return 0;
}

static int hex_number(struct parser *p, size_t digits, uint32_t *ret)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	uint32_t n = 0;

	for (size_t i = 0; i < digits; i++, p->at++) {
		const char *digit = peek(p) ? strchr(hex, *p->at) : NULL;

		if (!digit)
			return fail(p, "an escape needs %zu hexadecimal digits", digits);
		n = n << 4 | (uint32_t)((digit - hex) % 16);
	}
	*ret = n;
	return 0;
}

/* In UTF-8, which is never longer than its escape. */
static char *put_code_point(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* Behind the backslash. */
static int take_escape(struct parser *p, char **to)
{
	static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
	const char *name = peek(p) ? strchr(names, *p->at) : NULL;
	uint32_t c = 0;
	int r;

	if (name) {
		p->at++;
		*(*to)++ = values[name - names];
		return 0;
	}
	if (peek(p) != 'u' && peek(p) != 'U')
		return fail(p, "no such escape in a string");
	r = hex_number(p, *p->at++ == 'u' ? 4 : 8, &c);
	if (r < 0)
		return r;
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return fail(p, "an escape of no character");
	*to = put_code_point(*to, c);
	return 0;
}

static int take_string(struct parser *p, char **ret)
{
	char quote = *p->at, *to;
	_cleanup_free_ char *text = NULL;

	if (p->end - p->at >= 3 && p->at[1] == quote && p->at[2] == quote)
		return fail(p, "strings of several lines are not understood");
	p->at++;
	text = to = malloc((size_t)(p->end - p->at) + 1);
	if (!text)
		return no_memory(p);
	while (p->at < p->end && *p->at != quote) {
		int r = 0;

		if (*p->at == '\n')
			break;
		if (is_control(*p->at))
			return fail(p, "a control character in a string");
		if (*p->at == '\\' && quote == '"') {
			p->at++;
			r = take_escape(p, &to);
		} else {
			*to++ = *p->at++;
		}
		if (r < 0)
			return r;
	}
	if (peek(p) != quote)
		return fail(p, "a string without its end");
	p->at++;
	*to++ = '\0';
	/* The room was for all that is left of the text. */
	*ret = realloc(text, (size_t)(to - text));
	if (!*ret)
		return no_memory(p);
	text = NULL;
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------- */

static int take_key(struct parser *p, char **ret)
{
	static const char bare[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
	const char *start;

	skip_blanks(p);
	if (peek(p) == '"' || peek(p) == '\'')
		return take_string(p, ret);
	for (start = p->at; peek(p) && strchr(bare, *p->at);)
		p->at++;
	if (p->at == start)
		return fail(p, "a key is missing");
	*ret = strndup(start, (size_t)(p->at - start));
	return *ret ? 0 : no_memory(p);
}

/* The table in which a path of keys goes on: made, or one that may be gone through. */
static int descend(struct parser *p, struct toml **table, char **key, bool header)
{
	struct toml *child = (struct toml *)toml_get(*table, *key);

	if (!child)
		return table_make(p, *table, key, header ? ORIGIN_PATH : ORIGIN_DOTTED, table);
	if (child->type != TOML_TABLE || child->origin == ORIGIN_VALUE ||
	    (!header && child->origin != ORIGIN_DOTTED))
		return fail(p, "'%.60s' is defined twice", *key);
	*table = child;
	return 0;
}

/* "a.b.c": goes down from *table to where the last key belongs. */
static int take_path(struct parser *p, struct toml **table, char **ret_key, bool header)
{
	for (;;) {
		_cleanup_free_ char *key = NULL;
		int r = take_key(p, &key);

		if (r < 0)
			return r;
		skip_blanks(p);
		if (peek(p) != '.') {
			*ret_key = steal(&key);
			return 0;
		}
		p->at++;
		r = descend(p, table, &key, header);
		if (r < 0)
			return r;
	}
}

/* ---- values ----------------------------------------------------------------------------- */

static int take_value(struct parser *p, unsigned int depth, struct toml **ret);

static int take_assignment(struct parser *p, struct toml *table)
{
	_cleanup_(toml_freep) struct toml *value = NULL;
	_cleanup_free_ char *key = NULL;
	int r = take_path(p, &table, &key, false);

	if (r < 0)
		return r;
	if (peek(p) != '=')
		return fail(p, "'=' is missing behind '%.60s'", key);
	p->at++;
	r = take_value(p, table->depth + 1, &value);
	return r < 0 ? r : table_add(p, table, &key, &value);
}

static int take_inline_table(struct parser *p, struct toml *table)
{
	p->at++;
	skip_blanks(p);
	if (peek(p) == '}') {
		p->at++;
		return 0;
	}
	for (;;) {
		int r = take_assignment(p, table);

		if (r < 0)
			return r;
		skip_blanks(p);
		if (peek(p) == '}') {
			p->at++;
			return 0;
		}
		if (peek(p) != ',')
			return fail(p, "',' or '}' is missing");
		p->at++;
	}
}

/* Between the parts of an array there may be lines. */
static int skip_lines(struct parser *p)
{
	bool more = true;
	int r = 0;

	while (r == 0 && more && p->at < p->end)
		r = skip_line(p, &more);
	return r;
}

static int take_array(struct parser *p, struct toml *array)
{
	p->at++;
	for (;;) {
		_cleanup_(toml_freep) struct toml *value = NULL;
		int r = skip_lines(p);

		if (r == 0 && peek(p) == ']') {
			p->at++;
			return 0;
		}
		r = r < 0 ? r : take_value(p, array->depth + 1, &value);
		if (r < 0)
			return r;
		append(array, steal(&value));
		r = skip_lines(p);
		if (r < 0)
			return r;
		if (peek(p) == ',')
			p->at++;
		else if (peek(p) != ']')
			return fail(p, "',' or ']' is missing");
	}
}

/* Decimal, with "_" between digits. */
static bool is_integer(const char *text, size_t len, int64_t *ret)
{
	size_t i = len > 0 && (text[0] == '+' || text[0] == '-') ? 1 : 0;
	bool negative = text[0] == '-', digit = false;
	int64_t n = 0;

	if (i == len || (text[i] == '0' && len > i + 1))
		return false;
	for (; i < len; i++) {
		if (text[i] == '_' && digit && i + 1 < len) {
			digit = false;
			continue;
		}
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, text[i] - '0', &n))
			return false;
		digit = true;
	}
	if (!negative && __builtin_sub_overflow(0, n, &n))
		return false;
	*ret = n;
	return true;
}

static int take_word(struct parser *p, struct toml *value)
{
	const char *start = p->at;
	size_t len;

	while (peek(p) && strchr("0123456789abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-+.:",
				 *p->at))
		p->at++;
	len = (size_t)(p->at - start);
	if (len == 0)
		return fail(p, "a value is missing");
	value->type = TOML_BOOLEAN;
	value->truth = len == 4 && memcmp(start, "true", 4) == 0;
	if (value->truth || (len == 5 && memcmp(start, "false", 5) == 0))
		return 0;
	value->type = TOML_INTEGER;
	if (is_integer(start, len, &value->number))
		return 0;
	return fail(p, "'%.*s' is no string, integer or boolean", len < 40 ? (int)len : 40, start);
}

static int take_value(struct parser *p, unsigned int depth, struct toml **ret)
{
	_cleanup_(toml_freep) struct toml *value = NULL;
	int r = node_new(p, &value, TOML_TABLE, depth);

	if (r < 0)
		return r;
	skip_blanks(p);
	switch (peek(p)) {
	case '"':
	case '\'':
		value->type = TOML_STRING;
		r = take_string(p, &value->text);
		break;
	case '[':
		value->type = TOML_ARRAY;
		r = take_array(p, value);
		break;
	case '{':
		r = take_inline_table(p, value);
		break;
	default:
		r = take_word(p, value);
	}
	if (r == 0)
		*ret = steal(&value);
	return r;
}

/* ---- lines ------------------------------------------------------------------------------ */

static int take_header(struct parser *p)
{
	struct toml *table = p->root, *child;
	_cleanup_free_ char *key = NULL;
	int r;

	p->at++;
	if (peek(p) == '[')
		return fail(p, "arrays of tables are not understood");
	r = take_path(p, &table, &key, true);
	if (r < 0)
		return r;
	if (peek(p) != ']')
		return fail(p, "']' is missing");
	p->at++;
	child = (struct toml *)toml_get(table, key);
	if (!child)
		return table_make(p, table, &key, ORIGIN_HEADER, &p->table);
	if (child->type != TOML_TABLE || child->origin != ORIGIN_PATH)
		return fail(p, "'%.60s' is defined twice", key);
	child->origin = ORIGIN_HEADER;
	p->table = child;
	return 0;
}

static int take_line(struct parser *p)
{
	bool ended;
	int r = skip_line(p, &ended);

	if (r < 0 || ended)
		return r;
	r = peek(p) == '[' ? take_header(p) : take_assignment(p, p->table);
	if (r == 0)
		r = skip_line(p, &ended);
	return r < 0 || ended ? r : fail(p, "something stands behind the end");
}

int toml_parse(struct toml **ret, const char *text, size_t len, char error[TOML_ERROR_MAX])
{
	_cleanup_(toml_freep) struct toml *root = NULL;
	struct parser p = { .at = text, .end = text + len, .line = 1, .error = error };
	int r;

	if (len > TOML_SIZE_MAX)
		return fail(&p, "longer than %u bytes", TOML_SIZE_MAX);
	r = node_new(&p, &root, TOML_TABLE, 0);
	p.root = p.table = root;
	while (r == 0 && p.at < p.end)
		r = take_line(&p);
	if (r == 0)
		*ret = steal(&root);
	return r;
}
