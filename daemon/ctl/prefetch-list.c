/* SPDX-License-Identifier: MIT */
/* What to fetch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/prefetch.h"
#include "daemon/util/cleanup.h"
#include "proto/plan.h"

void prefetch_list_end(struct prefetch_list *list)
{
	for (size_t i = 0; i < list->n_keys; i++)
		free((void *)list->keys[i].volume.data);
	free(list->keys);
	free(list->items);
	*list = (struct prefetch_list){ 0 };
}

static int add_key(struct prefetch_list *list, struct bytes volume, struct bytes cookie)
{
	struct prefetch_key *keys = reallocarray(list->keys, list->n_keys + 1, sizeof(*list->keys));
	uint8_t *own = malloc(volume.len + cookie.len + 1);

	if (keys)
		list->keys = keys;
	if (!keys || !own) {
		free(own);
		return -ENOMEM;
	}
	memcpy(own, volume.data, volume.len);
	memcpy(own + volume.len, cookie.data, cookie.len);
	keys[list->n_keys++] = (struct prefetch_key){
		bytes_of(own, volume.len),
		bytes_of(own + volume.len, cookie.len),
	};
	return 0;
}

/* Its number, from the end: plans go on with the object of the range before, mostly. */
static size_t find_key(const struct prefetch_list *list, struct bytes volume, struct bytes cookie)
{
	size_t i = list->n_keys;

	while (i-- > 0)
		if (bytes_equal(list->keys[i].cookie, cookie) &&
		    bytes_equal(list->keys[i].volume, volume))
			return i;
	return SIZE_MAX;
}

int prefetch_list_add(struct prefetch_list *list, struct bytes volume, struct bytes cookie,
		      uint64_t off, uint64_t len)
{
	size_t key = find_key(list, volume, cookie);
	struct prefetch_item *items;

	if (key == SIZE_MAX) {
		key = list->n_keys;
		if (add_key(list, volume, cookie) < 0)
			return -ENOMEM;
	}
	/* Room for more doubles. */
	if ((list->n & (list->n - 1)) == 0) {
		items = reallocarray(list->items, list->n ? 2 * list->n : 1, sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
	}
	list->items[list->n++] = (struct prefetch_item){ key, off, len };
	return 0;
}

/* ---- plans -------------------------------------------------------------------------------- */

static void file_closep(FILE **file)
{
	if (*file && *file != stdin)
		fclose(*file);
}

static bool is_of(const struct cache_objects *of, const struct plan_range *range)
{
	for (size_t i = 0; of && i < of->n; i++)
		if (bytes_equal(of->keys[i].cookie, range->cookie) &&
		    bytes_equal(of->keys[i].volume, range->volume))
			return true;
	return !of;
}

static int take_line(struct prefetch_list *list, const char *line, size_t n,
		     const struct cache_objects *of, const char **ret_why)
{
	struct plan_range range;

	switch (plan_parse_line(line, n, &range, ret_why)) {
	case PLAN_NOTHING:
		return 0;
	case PLAN_BAD:
		return -EINVAL;
	default:
		if (!is_of(of, &range))
			return 0;
		return prefetch_list_add(list, range.volume, range.cookie, range.off,
					 range.len == PLAN_TO_THE_END ? 0 : range.len);
	}
}

int prefetch_list_read(struct prefetch_list *list, const char *path, const struct cache_objects *of)
{
	_cleanup_(file_closep) FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	const char *why = "";
	size_t max = 0, number = 0;
	ssize_t n;

	if (!in)
		return ctl_error("%s: %s", path, strerror(errno));
	while ((n = getline(&line, &max, in)) > 0) {
		int err;

		n -= line[n - 1] == '\n';
		line[n] = '\0';
		if (++number == 1 && strcmp(line, PLAN_FIRST_LINE) == 0)
			continue;
		err = number == 1 ? -EINVAL : take_line(list, line, (size_t)n, of, &why);
		if (err == -EINVAL)
			return number == 1 ? ctl_error("%s is no plan of `cachefillctl trace plan`",
						       path)
					   : ctl_error("%s:%zu: %s", path, number, why);
		if (err < 0)
			return ctl_error("%s", strerror(-err));
	}
	if (ferror(in))
		return ctl_error("%s: %s", path, strerror(errno));
	if (list->n == 0)
		return ctl_error("%s: there is nothing in it%s", path, of ? " of this image" : "");
	return CTL_OK;
}
