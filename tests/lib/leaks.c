/* SPDX-License-Identifier: MIT */
#include "tests/lib/leaks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/space/survey.h"
#include "daemon/state.h"

static char *say(const char *what, struct bytes volume, struct bytes cookie)
{
	char v[512], c[512], *text = NULL;

	if (asprintf(&text, "%s: %s/%s", what, bytes_print(volume, v, sizeof(v)),
		     bytes_print(cookie, c, sizeof(c))) < 0)
		abort();
	return text;
}

/* What a daemon culls meanwhile loses its file first, and then its record. */
static char *find_file(struct state *state, const struct survey *survey, int cache)
{
	struct state_object record;

	for (size_t i = 0; i < survey->n; i++) {
		const struct survey_object *o = survey->objects[i];

		if (state_get(state, o->volume, o->cookie, &record) < 0 &&
		    faccessat(cache, o->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return say("a cache file has no record", o->volume, o->cookie);
	}
	return NULL;
}

static char *find_record(struct state *state, const struct survey *survey)
{
	struct bytes volume = { NULL, 0 }, cookie = { NULL, 0 };
	uint8_t keys[STATE_KEYS_MAX];

	while (state_next(state, &volume, &cookie, keys) == 0)
		if (!survey_find(survey, volume, cookie))
			return say("a record has no cache file", volume, cookie);
	return NULL;
}

char *leaks_find(struct state *state, int cache, bool records)
{
	struct survey *survey = NULL;
	int err = survey_take(&survey, cache);
	char *found;

	if (err < 0)
		return strdup(strerror(-err));
	found = find_file(state, survey, cache);
	if (!found && records)
		found = find_record(state, survey);
	survey_free(survey);
	return found;
}
