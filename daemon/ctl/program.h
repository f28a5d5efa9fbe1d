/* SPDX-License-Identifier: MIT */
/*
 * Programs that a command starts, one at a time. Nothing secret is ever among their words.
 */
#pragma once

#include <stddef.h>

#define PROGRAM_WORDS_MAX 256 /* of what it says on stderr */

struct program {
	const char *const *argv; /* ends with NULL; argv[0] is looked for in $PATH */
	const char *const *env;	 /* "NAME=value" that are added to ours, ends with NULL; or NULL */
	/* Called about ten times a second while it runs; optional. */
	void (*tick)(void *arg);
	void *arg;
	/* Set: the last line that it has written to stderr, printable. */
	char words[PROGRAM_WORDS_MAX];
};

/*
 * Runs it with /dev/null as standard input and output. Returns its exit status, 128 + a signal, or
 * a negative errno: -ENOENT, there is no such program; -EINTR, interrupt_pending(): it was stopped.
 */
int program_execute(struct program *program);
