/* SPDX-License-Identifier: MIT */
#include "daemon/space/owners.h"

#include <stdio.h>

struct marking {
	struct survey *survey;
	struct bytes volume;
};

static void mark_pinned(void *arg, struct bytes volume, struct bytes cookie)
{
	const struct marking *m = arg;
	struct survey_object *o = survey_find(m->survey, volume, cookie);

	if (o)
		o->value = SURVEY_PINNED;
}

static void mark_owned(void *arg, struct bytes cookie, bool pinned)
{
	const struct marking *m = arg;
	struct survey_object *o = survey_find(m->survey, m->volume, cookie);

	if (o)
		o->value = pinned ? SURVEY_PINNED : SURVEY_CACHED;
}

int survey_mark(struct survey *s, struct images *images, const char *image_domain)
{
	char volume[128];
	struct marking m = { .survey = s };
	int err;

	if (!images)
		return 0;
	snprintf(volume, sizeof(volume), "erofs,%s", image_domain);
	m.volume = bytes_str(volume);
	for (size_t i = 0; i < s->n; i++)
		if (bytes_equal(s->objects[i]->volume, m.volume))
			s->objects[i]->value = SURVEY_UNOWNED;
	err = images_each_object(images, mark_owned, &m);
	if (err == 0)
		err = images_each_pinned_object(images, mark_pinned, &m);
	return err;
}
