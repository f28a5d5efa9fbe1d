/* SPDX-License-Identifier: MIT */
/*
 * How far a long work is, on standard error:
 *
 *	layer 2 of 3  [=======>      ]  54%  123 MiB of 228 MiB  41.2 MiB/s  3 s left
 *
 * On a terminal one line that is drawn again several times a second and goes when the work ends.
 * Elsewhere, and with $NO_COLOR or TERM=dumb, a line of its own for each 10%, and none in the first
 * ten seconds: what is short needs no telling, and what follows a command in a script stays quiet.
 * With --json nothing.
 *
 *	progress_begin(&p, "layer 2 of 3", total, json);
 *	while (...) progress_update(&p, done);
 *	progress_end(&p);
 *
 * One at a time is shown. ctl_error() and ctl_usage() take its line away before they speak.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum progress_style { PROGRESS_SILENT, PROGRESS_LINES, PROGRESS_REDRAWN };

struct progress {
	/* Set by progress_begin(); tests replace them before the first update. */
	FILE *file;
	enum progress_style style;
	uint64_t (*now)(void);		   /* ns, monotonic */
	unsigned int (*width)(FILE *file); /* columns; asked at each drawing */

	/* private */
	char what[64];
	uint64_t total, done;	 /* bytes; total 0: not known */
	uint64_t began, drawn;	 /* ns */
	uint64_t sampled;	 /* ns: when `rate` was last brought up to date */
	uint64_t sampled_done;	 /* bytes at that time */
	double rate;		 /* bytes/s, recent ones count more; 0: not known yet */
	unsigned int told_tenth; /* of the lines */
	bool shown;		 /* there is a line to be taken away */
};

/* what: a few words, copied and cut. total: bytes, 0 where nobody knows. */
void progress_begin(struct progress *progress, const char *what, uint64_t total, bool json);

/* done: bytes from the beginning. Cheap: looks at the clock, and draws when it is time to. */
void progress_update(struct progress *progress, uint64_t done);

/* Takes the line away. Does nothing to one that is zero, or has ended. */
void progress_end(struct progress *progress);

/* Takes the line away that is shown, whoever shows it, until the next update. */
void progress_hide(void);

/* Columns of the terminal; 80 where it is none. */
unsigned int progress_width(FILE *file);

/* Pure: the text for so many columns, without an end of line. n: bytes of buf. Returns buf. */
char *progress_text(const struct progress *progress, unsigned int columns, char *buf, size_t n);
