/* SPDX-License-Identifier: MIT */
/*
 * What cachefillctl top shows: the answers of two times, from which rates come, and views of them.
 * A view is lines of at most 80 columns.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What the daemon is asked for. */
enum top_answer {
	TOP_STATUS,
	TOP_IMAGES,
	TOP_ORIGINS,
	TOP_SLOWEST,
	TOP_FETCHES,
	TOP_ANSWERS,
};

/* Owned; NULL: not asked. */
struct top_answers {
	json_t *of[TOP_ANSWERS];
};

void top_answers_end(struct top_answers *answers);

struct top_now {
	const struct top_answers *now, *before; /* of `before` all may be NULL */
};

struct top_view {
	const char *name;
	enum top_answer answer; /* beside the status */
	bool all;		/* it needs all of them */
	void (*print)(FILE *out, const struct top_now *top, unsigned int rows);
};

enum { TOP_VIEWS = 5 };

/* In the order of their keys, 1 and so on. */
extern const struct top_view top_views[TOP_VIEWS];

/* NULL: there is none. */
const struct top_view *top_view_find(const char *name);

/* A line of the daemon's rates, and what stands above such lines. */
void top_print_head(FILE *out);
void top_print_rates(FILE *out, const struct top_now *top);
/* What the daemon is. */
void top_print_title(FILE *out, const struct top_now *top);

/* ---- the terminal -------------------------------------------------------------------------- */

/* A screen of its own, and keys as they are pressed, where stdin is a terminal as well. */
void top_terminal_begin(void);
void top_terminal_end(void);

/* Lines that are left for a view. */
unsigned int top_terminal_rows(void);

/* text: lines, of which those that fit are drawn. */
void top_terminal_draw(const char *text, const struct top_view *view);

enum { TOP_KEY_NONE = -1, TOP_KEY_END = -2 };

/* The next key; NONE: there was none for so long, or a signal came; END: there will be none. */
int top_terminal_key(uint64_t ns);
