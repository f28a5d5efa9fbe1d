/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-filter.h"

#include <fnmatch.h>
#include <string.h>

static int take_time(const char *command, const char *name, uint64_t *ret)
{
	if (ctl_parse_time(optarg, ret) == 0)
		return CTL_OK;
	return ctl_usage(command, "%s needs a time such as 1.5s or 20ms, not '%s'", name, optarg);
}

int trace_filter_take(struct trace_filter *filter, const char *command, int opt)
{
	switch (opt) {
	case TRACE_FILTER_FROM:
		return take_time(command, "--from", &filter->from);
	case TRACE_FILTER_TO:
		filter->has_to = true;
		return take_time(command, "--to", &filter->to);
	case TRACE_FILTER_OBJECT:
		if (filter->n_globs == TRACE_FILTER_GLOBS)
			return ctl_usage(command, "--object: at most %d can be given",
					 TRACE_FILTER_GLOBS);
		filter->globs[filter->n_globs++] = optarg;
		return CTL_OK;
	default:
		return -1;
	}
}

int64_t trace_filter_since(struct trace_filter *filter, const struct trace_record *record)
{
	if (!filter->begun) {
		filter->first = record->time;
		filter->begun = true;
	}
	return (int64_t)(record->time - filter->first);
}

bool trace_filter_time(const struct trace_filter *filter, int64_t since)
{
	uint64_t t = since < 0 ? 0 : (uint64_t)since;

	return t >= filter->from && (!filter->has_to || t < filter->to);
}

char *trace_object_name(struct bytes volume, struct bytes cookie, char *buf, size_t n)
{
	size_t at;

	bytes_print(volume, buf, n / 2);
	at = strlen(buf);
	buf[at++] = '/';
	bytes_print(cookie, buf + at, n - at < n / 2 ? n - at : n / 2);
	return buf;
}

bool trace_filter_object(const struct trace_filter *filter, struct bytes volume,
			 struct bytes cookie)
{
	char name[TRACE_OBJECT_NAME_MAX], alone[TRACE_OBJECT_NAME_MAX / 2];

	if (filter->n_globs == 0)
		return true;
	trace_object_name(volume, cookie, name, sizeof(name));
	bytes_print(cookie, alone, sizeof(alone));
	for (size_t i = 0; i < filter->n_globs; i++)
		if (fnmatch(filter->globs[i], name, FNM_NOESCAPE) == 0 ||
		    fnmatch(filter->globs[i], alone, FNM_NOESCAPE) == 0)
			return true;
	return false;
}
