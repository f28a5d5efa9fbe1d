/* SPDX-License-Identifier: MIT */
/* What is logged as an error, in memory instead of on stderr, where a test wants to count it. */
#pragma once

/* Begins to listen, from nothing; and ends, after which no error is logged. */
void listen_to_errors(void);
void end_listening(void);

/* How often this was said from the one to the other. */
unsigned int heard(const char *what);

/* The same in any text. */
unsigned int count_of(const char *in, const char *what);
