/* SPDX-License-Identifier: MIT */
/*
 * The parser's own: the tables of the grammar (what follows a verb, which numbers can be expected),
 * and the parts of a line that are taken word by word.
 */
#pragma once

#include "tests/lib/scenario.h"

enum scenario_kind {
	SCENARIO_FLAG,
	SCENARIO_COUNT,
	SCENARIO_SIZE,
	SCENARIO_TIME,
	SCENARIO_ERROR,
	SCENARIO_NAME,
	SCENARIO_WORDS, /* comma-separated, looked at by the stage */
};

struct scenario_option_form {
	const char *key;
	enum scenario_kind kind;
	bool needed;
};

/*
 * `args`, in this order of the line: p a place, t a time, n a name, N a new object, o an object, m
 * a mount, l a mount or reader, r a reader, R a range, M "as" a new mount, S "as" a new reader, >
 * an outcome may follow, T terms.
 */
struct scenario_form {
	const char *verb; /* of two words, where the second is no argument */
	enum scenario_verb number;
	const char *args;
	const struct scenario_option_form *options; /* ended by key NULL; or NULL */
	bool setting;
	bool emulated; /* only the emulated kernel can do it */
};

struct scenario_term_form {
	const char *name;
	char thing; /* o, m, r as above, i a message id, 0 none */
	bool optional;
	bool time;
	bool real; /* known there too */
};

/* Ended by verb or name NULL. */
extern const struct scenario_form scenario_forms[];
extern const struct scenario_term_form scenario_terms[];

#define SCENARIO_WORDS_MAX 24

struct scenario_parser {
	struct scenario *scenario; /* owned until it is handed out */
	unsigned int line;
	char *words[SCENARIO_WORDS_MAX]; /* of this line */
	size_t n_words, at;		 /* at: the next one to be looked at */
	uint64_t passed;		 /* ns, in all */
	char *fault;			 /* owned; the first one ends it all */
};

/* Always false. */
bool scenario_fault(struct scenario_parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* NULL at the end of the line. */
char *scenario_next_word(struct scenario_parser *p);
/* kind: o, m, r as in a form; l: m or r. */
bool scenario_is_known(const struct scenario *scenario, char kind, const char *name);
const char *scenario_kind_text(char kind);

/* Each of these takes what it is called after, from p->at on; false: a fault. */
bool scenario_take_arg(struct scenario_parser *p, char kind, struct scenario_step *step);
bool scenario_take_place(struct scenario_parser *p, enum scenario_place *ret);
bool scenario_take_terms(struct scenario_parser *p, struct scenario_step *step);
bool scenario_take_options(struct scenario_parser *p, const struct scenario_form *form,
			   struct scenario_step *step);
/* wait: `waiting` is one as well. */
bool scenario_take_outcome(struct scenario_parser *p, bool wait, struct scenario_result *ret);
