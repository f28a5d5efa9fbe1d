/* SPDX-License-Identifier: MIT */
#include "daemon/config-text.h"

#include <stdbool.h>
#include <string.h>

/* The byte under the reader, or '\n' at the end: a last line needs no newline. */
static char look(const struct config_reader *r)
{
	return r->at < r->end ? *r->at : '\n';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_key(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* What may stand right behind a word. */
static bool ends_word(char c)
{
	return is_blank(c) || c == '\n' || c == ';';
}

static void skip_blanks(struct config_reader *r)
{
	while (is_blank(look(r)))
		r->at++;
}

static void skip_comment(struct config_reader *r)
{
	while (look(r) != '\n')
		r->at++;
}

/* To the next item; false at the end of the text. */
static bool skip_between(struct config_reader *r)
{
	while (r->at < r->end) {
		char c = *r->at;

		if (c != '#' && c != '\n' && c != ';' && !is_blank(c))
			return true;
		if (c == '#') {
			skip_comment(r);
			continue;
		}
		r->line += c == '\n';
		r->at++;
	}
	return false;
}

/* Control characters would end up in logs, paths and commands for the kernel. */
static const char *add(struct config_entry *entry, char c)
{
	if ((unsigned char)c < ' ' || c == 0x7f)
		return c == '\n' ? "a quote is not closed" : "a control character";
	if (entry->used == sizeof(entry->text) - 1)
		return "the entry is too long";
	entry->text[entry->used++] = c;
	return NULL;
}

static const char *finish_word(struct config_entry *entry)
{
	/* The terminator of a full text has its place, the next word has none. */
	entry->text[entry->used] = '\0';
	if (entry->used < sizeof(entry->text) - 1)
		entry->used++;
	return NULL;
}

static const char *read_quoted(struct config_reader *r, struct config_entry *entry)
{
	char quote = *r->at++;
	const char *why = NULL;

	for (; !why && look(r) != quote; r->at += !why) {
		if (quote == '"' && look(r) == '\\') {
			r->at++;
			if (look(r) != '"' && look(r) != '\\')
				return "only \\\" and \\\\ are escapes; '...' takes all as it is";
		}
		why = add(entry, look(r));
	}
	if (why)
		return why;
	r->at++;
	if (!ends_word(look(r)) && look(r) != '}')
		return "text right behind a quote";
	return finish_word(entry);
}

static const char *read_bare(struct config_reader *r, struct config_entry *entry)
{
	const char *why = NULL;

	for (; !why && !ends_word(look(r)); r->at++) {
		if (look(r) == '"' || look(r) == '\'')
			return "a quote in the middle of a value; put all of it in quotes";
		why = add(entry, look(r));
	}
	return why ? why : finish_word(entry);
}

/* "{" alone; a value may begin with one. */
static bool at_block(const struct config_reader *r)
{
	return look(r) == '{' && (r->at + 1 == r->end || ends_word(r->at[1]) || r->at[1] == '#');
}

static const char *read_values(struct config_reader *r, struct config_entry *entry)
{
	for (skip_blanks(r);; skip_blanks(r)) {
		char c = look(r);
		const char *why;

		if (c == '\n' || c == ';' || c == '#' || c == '}' || at_block(r))
			return NULL;
		if (entry->n_values == CONFIG_VALUES_MAX)
			return "too many values; put text with blanks in quotes";
		entry->values[entry->n_values++] = entry->text + entry->used;
		why = c == '"' || c == '\'' ? read_quoted(r, entry) : read_bare(r, entry);
		if (why)
			return why;
	}
}

static const char *read_key(struct config_reader *r, struct config_entry *entry)
{
	const char *why = NULL;

	if (look(r) == '{')
		return "'{' belongs on the line of its section";
	if (!is_letter(look(r)))
		return "a key was expected: letters, digits, '-' and '_'";
	entry->key = entry->text;
	for (; !why && is_key(look(r)); r->at++)
		why = add(entry, look(r));
	if (why)
		return why;
	finish_word(entry);
	if (!ends_word(look(r)) && look(r) != '=')
		return "a key ends with a blank or '='";
	skip_blanks(r);
	if (look(r) == '=')
		r->at++;
	return NULL;
}

enum config_item config_read(struct config_reader *reader, struct config_entry *ret)
{
	bool more = skip_between(reader);

	ret->line = reader->line;
	ret->n_values = 0;
	ret->used = 0;
	ret->key = NULL;
	if (!more)
		return CONFIG_END;
	if (*reader->at == '}') {
		reader->at++;
		return CONFIG_BLOCK_END;
	}
	ret->fault = read_key(reader, ret);
	if (!ret->fault)
		ret->fault = read_values(reader, ret);
	if (ret->fault)
		return CONFIG_FAULT;
	if (!at_block(reader))
		return CONFIG_ENTRY;
	reader->at++;
	return CONFIG_BLOCK;
}
