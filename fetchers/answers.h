/* SPDX-License-Identifier: MIT */
/*
 * Who has answered the last look at a locator, of several that might have, as far as that is still
 * known: somebody else is asked where the answer was wrong.
 */
#pragma once

#include <stdint.h>

#define FETCH_ANSWERS 64

struct fetch_answers { /* zero at its beginning */
	struct {
		uint32_t locator; /* hash */
		uint32_t who;	  /* bit; 0: nobody */
	} at[FETCH_ANSWERS];	  /* hash % FETCH_ANSWERS */
};

void fetch_answers_note(struct fetch_answers *answers, const char *locator, uint32_t who);
uint32_t fetch_answers_who(const struct fetch_answers *answers, const char *locator);

/* FNV-1a */
uint32_t fetch_hash(const char *text);
