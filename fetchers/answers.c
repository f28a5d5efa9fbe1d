/* SPDX-License-Identifier: MIT */
#include "fetchers/answers.h"

uint32_t fetch_hash(const char *text)
{
	uint32_t h = 0x811c9dc5;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x01000193;
	return h;
}

void fetch_answers_note(struct fetch_answers *answers, const char *locator, uint32_t who)
{
	uint32_t h = fetch_hash(locator);

	answers->at[h % FETCH_ANSWERS].locator = h;
	answers->at[h % FETCH_ANSWERS].who = who;
}

uint32_t fetch_answers_who(const struct fetch_answers *answers, const char *locator)
{
	uint32_t h = fetch_hash(locator);

	return answers->at[h % FETCH_ANSWERS].locator == h ? answers->at[h % FETCH_ANSWERS].who : 0;
}
