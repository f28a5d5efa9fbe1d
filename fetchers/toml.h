/* SPDX-License-Identifier: MIT */
/*
 * The part of TOML 1.0 that files such as hosts.toml are written in: comments, tables, dotted and
 * quoted keys, basic and literal strings, integers, booleans, arrays, inline tables. Not: strings
 * of several lines, floats, dates, arrays of tables, other bases of integers; these are errors, as
 * is whatever TOML forbids, with the number of the line. Bytes above 0x7f are not looked at. Pure,
 * bounded, fuzzed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_ERROR_MAX 120
#define TOML_SIZE_MAX  (64u << 10) /* bytes of text */

enum toml_type { TOML_TABLE, TOML_ARRAY, TOML_STRING, TOML_INTEGER, TOML_BOOLEAN };

struct toml {
	enum toml_type type;
	unsigned int line;	   /* where it begins, from 1 */
	char *key;		   /* owned; NULL in an array, and of the root */
	char *text;		   /* of a string: owned, no NUL inside */
	int64_t number;		   /* of an integer */
	bool truth;		   /* of a boolean */
	struct toml *first, *next; /* what is in a table or array, in its order; owned */
	/* private */
	struct toml **end;
	unsigned int depth;
	uint8_t origin;
};

/* The root, a table. -EINVAL with "line N: sentence" in error; -ENOMEM. */
int toml_parse(struct toml **ret, const char *text, size_t len, char error[TOML_ERROR_MAX]);

/* Takes NULL, returns NULL. */
struct toml *toml_free(struct toml *root);

/* What a table has under a key, or NULL. */
const struct toml *toml_get(const struct toml *table, const char *key);
