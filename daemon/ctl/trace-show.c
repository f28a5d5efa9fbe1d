/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace show: one line per record, joined with what the records before it tell.
 */
#include <errno.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-filter.h"
#include "daemon/ctl/trace-line.h"
#include "daemon/ctl/trace-walk.h"
#include "daemon/trace/requests.h"

static const char help[] =
	"Usage: cachefillctl trace show [OPTION]... FILE\n"
	"\n"
	"Prints the records of a trace, one line each: ms since the first record, kind,\n"
	"what happened, object. '#' marks the number of a message and of its answer.\n"
	"\n"
	"      --json             print each record as a JSON object with all its fields\n"
	"      --kind KIND,...    these kinds of records only, such as "
	"open,copen\n" TRACE_FILTER_HELP "  -h, --help             print this\n"
	"\n"
	"FILE may be '-' for standard input.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace show --kind read,complete --from 2s --to 3s boot.trace\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "kind", required_argument, NULL, 'k' },
	TRACE_FILTER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace show",
	.shorts = "h",
	.options = options,
	.help = help,
};

struct show {
	struct trace_filter filter;
	uint64_t kinds; /* bits of enum trace_kind; 0: all */
	bool json;

	struct trace_requests *requests;
	struct trace_line line; /* of the record that is being fed */
};

/* ---- options ----------------------------------------------------------------------------- */

static int take_kind(struct show *s, const char *name, size_t len)
{
	for (int kind = TRACE_UNKNOWN + 1; kind < TRACE_KINDS; kind++) {
		const char *known = trace_kind_name(kind);

		if (strlen(known) == len && memcmp(known, name, len) == 0) {
			s->kinds |= 1ull << kind;
			return CTL_OK;
		}
	}
	return ctl_usage(syntax.command, "--kind: there is no kind '%.*s'", (int)len, name);
}

static int take_kinds(struct show *s, const char *list)
{
	int status = CTL_OK;

	while (status == CTL_OK) {
		size_t len = strcspn(list, ",");

		status = take_kind(s, list, len);
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	return status;
}

static int take_option(struct show *s, int opt)
{
	switch (opt) {
	case 'j':
		s->json = true;
		return CTL_OK;
	case 'k':
		return take_kinds(s, optarg);
	default:
		return trace_filter_take(&s->filter, syntax.command, opt);
	}
}

/* ---- records ----------------------------------------------------------------------------- */

static void set_object(struct trace_line *line, const struct trace_object *object)
{
	if (!object)
		return;
	line->has_object = true;
	line->volume = object->volume;
	line->cookie = object->cookie;
}

static void begun(void *arg, struct trace_request *request)
{
	struct show *s = arg;

	set_object(&s->line, request->object);
}

static void ended(void *arg, struct trace_request *request)
{
	struct show *s = arg;

	if (!request->answered)
		return;
	set_object(&s->line, request->object);
	s->line.has_after = true;
	s->line.after = request->ended - request->begun;
}

static void closed(void *arg, struct trace_object *object, uint32_t id, uint64_t time)
{
	struct show *s = arg;

	set_object(&s->line, object);
}

static void worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct show *s = arg;

	set_object(&s->line, object);
}

/* What no callback tells, and the join knows. */
static void find_object(struct show *s, const struct trace_record *record)
{
	if (record->kind == TRACE_OBJECT || record->kind == TRACE_LOOK) {
		s->line.has_object = true;
		s->line.volume = record->volume;
		s->line.cookie = record->cookie;
	} else if (record->kind == TRACE_HANDLE) {
		set_object(&s->line, trace_requests_by_number(s->requests, record->object));
	}
}

static bool is_wanted(struct show *s)
{
	const struct trace_line *line = &s->line;

	if (s->kinds && !(s->kinds & 1ull << line->record->kind))
		return false;
	if (!trace_filter_time(&s->filter, line->since))
		return false;
	return s->filter.n_globs == 0 ||
	       (line->has_object && trace_filter_object(&s->filter, line->volume, line->cookie));
}

static int show_record(struct trace_walk *walk, const struct trace_record *record)
{
	struct show *s = walk->arg;
	int r;

	s->line = (struct trace_line){
		.record = record,
		.offset = trace_reader_offset(walk->reader),
		.since = trace_filter_since(&s->filter, record),
	};
	/* Before it is fed: a release ends the meaning of its id. */
	if (record->kind == TRACE_RELEASE)
		set_object(&s->line, trace_requests_by_id(s->requests, record->id));
	r = trace_requests_feed(s->requests, record);
	if (r < 0)
		return r;
	find_object(s, record);
	if (!is_wanted(s))
		return 0;
	if (s->json)
		return trace_line_json(&s->line);
	trace_line_text(&s->line);
	return 0;
}

int ctl_trace_show(int argc, char *argv[])
{
	static const struct trace_requests_callbacks callbacks = { begun, ended, closed, worked };
	struct show s = { .json = false };
	struct trace_walk walk = { .each = show_record, .arg = &s };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0 && status == CTL_OK)
		status = take_option(&s, opt);
	if (opt == CTL_OPTIONS_EXIT || status != CTL_OK)
		return status;
	if (optind + 1 != argc)
		return ctl_usage(syntax.command, "one file is needed");
	walk.path = argv[optind];
	if (trace_requests_new(&s.requests, &callbacks, &s) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	status = trace_walk(&walk);
	trace_requests_free(s.requests);
	return status;
}
