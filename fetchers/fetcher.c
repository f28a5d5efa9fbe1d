/* SPDX-License-Identifier: MIT */
#include "fetchers/fetcher.h"
#include "fetchers/common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/locator.h"

/* Room for the sentence; the locator gets what is left of FETCH_ERROR_MAX, at least the rest. */
#define SENTENCE_MAX 120

void fetch_error(char *error, const char *locator, const char *fmt, ...)
{
	va_list ap;
	size_t at;

	va_start(ap, fmt);
	vsnprintf(error, SENTENCE_MAX, fmt, ap);
	va_end(ap);
	for (at = 0; error[at]; at++)
		if ((unsigned char)error[at] < ' ' || error[at] == 0x7f)
			error[at] = '?';
	error[at++] = ':';
	error[at++] = ' ';
	locator_print(locator, error + at, FETCH_ERROR_MAX - at);
}

void fetch_error_add(char *error, const char *fmt, ...)
{
	char more[SENTENCE_MAX];
	size_t at = strlen(error), len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(more, sizeof(more), fmt, ap);
	va_end(ap);
	len = strlen(more);
	if (at + len >= FETCH_ERROR_MAX)
		at = FETCH_ERROR_MAX - 1 - len;
	memcpy(error + at, more, len + 1);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int fetch_unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++, to++) {
		int high, low;

		if (*from != '%') {
			*to = *from;
			continue;
		}
		high = hex_digit(from[1]);
		low = high < 0 ? -1 : hex_digit(from[2]);
		if (low < 0 || (high | low) == 0)
			return -EINVAL;
		*to = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return (int)(to - text);
}

/* One per turn of the deferred call: done() may free the fetcher, and this with it. */
static void refusals_run(struct loop_deferred *deferred)
{
	struct fetch_refusals *r = container_of(deferred, struct fetch_refusals, deferred);
	struct fetch_look *look = r->looks;
	struct fetch_read *read = r->reads;
	struct fetch_list *list = r->lists;
	struct fetch_put *put = r->puts;

	if (look)
		r->looks = look->fetcher_private;
	else if (read)
		r->reads = read->fetcher_private;
	else if (list)
		r->lists = list->fetcher_private;
	else
		r->puts = put->fetcher_private;
	if (r->looks || r->reads || r->lists || r->puts)
		loop_defer(r->loop, deferred);
	if (look)
		look->done(look, -ENOMEM);
	else if (read)
		read->done(read, -ENOMEM);
	else if (list)
		list->done(list, -ENOMEM);
	else
		put->done(put, -ENOMEM);
}

void fetch_refusals_init(struct fetch_refusals *refusals, struct loop *loop)
{
	*refusals = (struct fetch_refusals){ .loop = loop, .deferred.run = refusals_run };
}

void fetch_refuse_look(struct fetch_refusals *refusals, struct fetch_look *look)
{
	fetch_error(look->error, look->locator, "no memory");
	look->fetcher_private = refusals->looks;
	refusals->looks = look;
	loop_defer(refusals->loop, &refusals->deferred);
}

void fetch_refuse_read(struct fetch_refusals *refusals, struct fetch_read *read)
{
	snprintf(read->error, sizeof(read->error), "no memory");
	read->fetcher_private = refusals->reads;
	refusals->reads = read;
	loop_defer(refusals->loop, &refusals->deferred);
}

void fetch_refuse_list(struct fetch_refusals *refusals, struct fetch_list *list)
{
	fetch_error(list->error, list->locator, "no memory");
	list->fetcher_private = refusals->lists;
	refusals->lists = list;
	loop_defer(refusals->loop, &refusals->deferred);
}

void fetch_refuse_put(struct fetch_refusals *refusals, struct fetch_put *put)
{
	fetch_error(put->error, put->locator, "no memory");
	put->fetcher_private = refusals->puts;
	refusals->puts = put;
	loop_defer(refusals->loop, &refusals->deferred);
}

bool fetch_refused_look(const struct fetch_refusals *refusals, const struct fetch_look *look)
{
	for (const struct fetch_look *l = refusals->looks; l; l = l->fetcher_private)
		if (l == look)
			return true;
	return false;
}

bool fetch_refused_read(const struct fetch_refusals *refusals, const struct fetch_read *read)
{
	for (const struct fetch_read *r = refusals->reads; r; r = r->fetcher_private)
		if (r == read)
			return true;
	return false;
}

bool fetch_refused_list(const struct fetch_refusals *refusals, const struct fetch_list *list)
{
	for (const struct fetch_list *l = refusals->lists; l; l = l->fetcher_private)
		if (l == list)
			return true;
	return false;
}

bool fetch_refused_put(const struct fetch_refusals *refusals, const struct fetch_put *put)
{
	for (const struct fetch_put *p = refusals->puts; p; p = p->fetcher_private)
		if (p == put)
			return true;
	return false;
}

void fetch_list_end(struct fetch_list *list)
{
	for (size_t i = 0; i < list->n_parts; i++) {
		free(list->parts[i].locator);
		free(list->parts[i].digest);
		free(list->parts[i].media_type);
		free(list->parts[i].title);
		free(list->parts[i].diff_id);
	}
	free(list->parts);
	free(list->manifest);
	free(list->config);
	free(list->manifest_digest);
	list->parts = NULL;
	list->n_parts = 0;
	list->manifest = list->config = list->manifest_digest = NULL;
}

const struct fetcher_class *fetcher_class_find(const char *locator)
{
	size_t len = strcspn(locator, ":");

	if (locator[len] != ':')
		return NULL;
	for (const struct fetcher_class *const *c = fetcher_classes; *c; c++)
		for (const char *const *s = (*c)->schemes; *s; s++)
			if (strlen(*s) == len && strncasecmp(*s, locator, len) == 0)
				return *c;
	return NULL;
}
