/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace cut: a part of a trace that is a trace again.
 *
 * It is read twice. The first time tells which requests have no answer: they are left out, as all
 * that does not fit. The second time writes what was asked for, and in front of each record what
 * it refers to, as a recording that began there would have: sources, objects, and a handle for an
 * OPEN of before.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-filter.h"
#include "daemon/ctl/trace-needs.h"
#include "daemon/ctl/trace-output.h"
#include "daemon/ctl/trace-unanswered.h"
#include "daemon/ctl/trace-walk.h"
#include "daemon/trace/requests.h"
#include "proto/cachefiles-abi.h"

static const char help[] =
	"Usage: cachefillctl trace cut [OPTION]... -o OUT FILE\n"
	"\n"
	"Writes a part of a trace: the requests whose message lies in it, with their\n"
	"answers, the work for them, and what describes their objects. Requests that\n"
	"were never answered are left out. So without a filter, this makes a whole trace\n"
	"of one that was cut off.\n"
	"\n" TRACE_FILTER_HELP TRACE_OUTPUT_HELP "  -h, --help             print this\n"
	"\n"
	"FILE is read twice, so it has to be a regular file.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace cut --to 30s --object '*app*' -o small.trace boot.trace\n";

static const struct option options[] = {
	TRACE_FILTER_OPTIONS,
	TRACE_OUTPUT_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace cut",
	.shorts = "ho:",
	.options = options,
	.help = help,
};

struct cut {
	struct trace_filter filter;
	struct trace_output output;
	struct trace_requests *requests;
	struct trace_unanswered *unanswered;
	struct trace_needs needs;
	uint64_t unfit; /* records that were in the part and are left out */
	bool started;

	/* Of the record that is being fed. */
	struct trace_walk *walk;
	bool inside;
	struct trace_object *object;
	struct trace_request *request; /* that has begun */
	bool answers_kept;
};

/* ---- what is kept ---------------------------------------------------------------------- */

static bool object_wanted(struct cut *c, const struct trace_object *object)
{
	if (!object)
		return c->filter.n_globs == 0;
	return trace_filter_object(&c->filter, object->volume, object->cookie);
}

static void begun(void *arg, struct trace_request *request)
{
	struct cut *c = arg;

	c->request = request;
	c->object = request->object;
}

/* `data` of a request that was kept is not NULL. */
static void ended(void *arg, struct trace_request *request)
{
	struct cut *c = arg;

	c->answers_kept = request->answered && request->data;
	c->object = request->object;
}

static void closed(void *arg, struct trace_object *object, uint32_t id, uint64_t time)
{
	struct cut *c = arg;

	c->object = object;
}

static void worked(void *arg, struct trace_object *object, const struct trace_record *record)
{
	struct cut *c = arg;

	c->object = object;
}

/* Writes a record, unless what it needs, as r says, is not described. */
static int put(struct cut *c, const struct trace_record *record, int r)
{
	if (r == 0)
		return trace_output_put(&c->output, record);
	if (r > 0 && c->inside)
		c->unfit++;
	return r < 0 ? r : 0;
}

/* The time of day belongs to the time of the record: both move. */
static int cut_start(struct cut *c, const struct trace_record *record)
{
	struct trace_record start = *record;

	if (c->started)
		return 0;
	c->started = true;
	start.time += c->filter.from;
	if (start.realtime)
		start.realtime += c->filter.from;
	return put(c, &start, 0);
}

static int cut_source(struct cut *c, const struct trace_record *record)
{
	int r = trace_needs_keep_source(&c->needs, record);

	if (r < 0 || !c->inside || c->filter.n_globs)
		return r;
	return trace_needs_source(&c->needs, record->source, record->time);
}

static int cut_object(struct cut *c, const struct trace_record *record)
{
	struct trace_object *object = trace_requests_by_number(c->requests, record->object);
	int r = trace_needs_keep_object(&c->needs, object, record);

	if (r < 0 || !c->inside || !object_wanted(c, object))
		return r;
	return trace_needs_object(&c->needs, object, record->time);
}

static int cut_handle(struct cut *c, const struct trace_record *record)
{
	struct trace_object *object = trace_requests_by_number(c->requests, record->object);

	if (!c->inside || !object_wanted(c, object))
		return 0;
	return trace_needs_id(&c->needs, record->id, object, record->time);
}

static int cut_message(struct cut *c, const struct trace_record *record)
{
	int r;

	if (!c->inside || !object_wanted(c, c->object))
		return 0;
	if (trace_unanswered_has(c->unanswered, trace_reader_offset(c->walk->reader)))
		return put(c, record, 1);
	if (record->kind == TRACE_OPEN)
		r = trace_needs_open(&c->needs, record->id, record->time);
	else
		r = trace_needs_id(&c->needs, record->id, c->object, record->time);
	if (r == 0)
		c->request->data = c;
	return put(c, record, r);
}

static int cut_answer(struct cut *c, const struct trace_record *record)
{
	int r = 0;

	if (!c->answers_kept)
		return 0;
	/* Without a description the answer still is one. */
	if (record->kind == TRACE_COPEN && record->error == 0)
		r = trace_needs_object(&c->needs, c->object, record->time);
	return put(c, record, r < 0 ? r : 0);
}

static int cut_close(struct cut *c, const struct trace_record *record)
{
	if (!c->inside || !object_wanted(c, c->object))
		return 0;
	return put(c, record, trace_needs_id(&c->needs, record->id, c->object, record->time));
}

static int cut_release(struct cut *c, const struct trace_record *record)
{
	return trace_needs_release(&c->needs, record->id, record->time, c->inside);
}

static int cut_look(struct cut *c, const struct trace_record *record)
{
	int r;

	if (!c->inside || !trace_filter_object(&c->filter, record->volume, record->cookie))
		return 0;
	r = trace_needs_source(&c->needs, record->source, record->time);
	return put(c, record, r < 0 ? r : 0);
}

static int cut_work(struct cut *c, const struct trace_record *record)
{
	if (!c->inside || !object_wanted(c, c->object))
		return 0;
	return put(c, record, trace_needs_object(&c->needs, c->object, record->time));
}

/*
 * A message that made no sense. One that was meant as an OPEN has given an id that is released; of
 * its answer nobody has to know.
 */
static int cut_bad(struct cut *c, const struct trace_record *record)
{
	int r;

	if (!c->inside || c->filter.n_globs)
		return 0;
	if (record->opcode != CACHEFILES_OP_OPEN)
		return put(c, record, 0);
	r = trace_needs_open(&c->needs, record->id, record->time);
	/* If an object has the id, this has to end before that is referred to again. */
	if (r == 0 && trace_requests_by_id(c->requests, record->id))
		r = trace_needs_release(&c->needs, record->id, record->time, false);
	return put(c, record, r);
}

/* What belongs to no object; that records were lost is always told. */
static int cut_other(struct cut *c, const struct trace_record *record)
{
	if (!c->inside || (c->filter.n_globs && record->kind != TRACE_LOST))
		return 0;
	return put(c, record, 0);
}

static int cut_kind(struct cut *c, const struct trace_record *record)
{
	switch (record->kind) {
	case TRACE_START:
		return cut_start(c, record);
	case TRACE_SOURCE:
		return cut_source(c, record);
	case TRACE_OBJECT:
		return cut_object(c, record);
	case TRACE_HANDLE:
		return cut_handle(c, record);
	case TRACE_OPEN:
	case TRACE_READ:
		return cut_message(c, record);
	case TRACE_COPEN:
	case TRACE_COMPLETE:
		return cut_answer(c, record);
	case TRACE_CLOSE:
		return cut_close(c, record);
	case TRACE_RELEASE:
		return cut_release(c, record);
	case TRACE_BAD:
		return cut_bad(c, record);
	case TRACE_LOOK:
		return cut_look(c, record);
	case TRACE_FETCH:
	case TRACE_STORE:
		return cut_work(c, record);
	case TRACE_END:
		return 0; /* we write our own */
	case TRACE_UNKNOWN:
	case TRACE_KINDS:
		return put(c, record, 1);
	default:
		return cut_other(c, record);
	}
}

/* Where an id is given anew, the release of its former meaning was lost. */
static int cut_stray(struct cut *c, const struct trace_record *record)
{
	if (c->inside && record->kind != TRACE_END)
		c->unfit++;
	if (record->kind != TRACE_OPEN && record->kind != TRACE_HANDLE)
		return 0;
	return trace_needs_release(&c->needs, record->id, record->time, false);
}

static int cut_record(struct trace_walk *walk, const struct trace_record *record)
{
	struct cut *c = walk->arg;
	uint64_t strays = trace_requests_stats(c->requests).strays;
	int r;

	c->inside = trace_filter_time(&c->filter, trace_filter_since(&c->filter, record));
	c->object = NULL;
	c->request = NULL;
	c->answers_kept = false;
	r = trace_requests_feed(c->requests, record);
	if (r < 0)
		return r;
	if (trace_requests_stats(c->requests).strays == strays)
		return cut_kind(c, record);
	return cut_stray(c, record);
}

static int write_part(struct cut *c, const char *path)
{
	static const struct trace_requests_callbacks callbacks = { begun, ended, closed, worked };
	struct trace_walk walk = { .path = path, .progress = true, .each = cut_record, .arg = c };
	int status;

	c->walk = &walk;
	c->needs.output = &c->output;
	if (trace_requests_new(&c->requests, &callbacks, c) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	status = trace_walk(&walk);
	trace_needs_deinit(&c->needs, c->requests);
	c->requests = trace_requests_free(c->requests);
	return status;
}

/* ---- the command ------------------------------------------------------------------------- */

static int cut(struct cut *c, const char *path)
{
	int status = trace_unanswered_find(&c->unanswered, path);

	if (status == CTL_OK)
		status = trace_output_open(&c->output, syntax.command);
	if (status == CTL_OK) {
		status = write_part(c, path);
		if (status == CTL_OK)
			status = trace_output_finish(&c->output, true);
		else
			trace_output_abort(&c->output);
	}
	trace_unanswered_free(c->unanswered);
	if (status == CTL_OK && c->unfit)
		ctl_error("%s: left out %" PRIu64 " records that were not answered, did not fit, "
			  "or are newer than this program",
			  path, c->unfit);
	return status;
}

static int take_option(struct cut *c, int opt)
{
	int status = trace_output_take(&c->output, opt);

	return status >= 0 ? status : trace_filter_take(&c->filter, syntax.command, opt);
}

int ctl_trace_cut(int argc, char *argv[])
{
	struct cut c = { .started = false };
	int opt, status = CTL_OK;
	struct stat st;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0 && status == CTL_OK)
		status = take_option(&c, opt);
	if (opt == CTL_OPTIONS_EXIT || status != CTL_OK)
		return status;
	if (optind + 1 != argc)
		return ctl_usage(syntax.command, "one file is needed");
	if (!c.output.path)
		return ctl_usage(syntax.command, "-o OUT is missing");
	/* Also one that does not exist, of which the reader says so. */
	if (strcmp(argv[optind], "-") == 0 ||
	    (stat(argv[optind], &st) == 0 && !S_ISREG(st.st_mode)))
		return ctl_error("%s: it is read twice, so it has to be a regular file",
				 argv[optind]);
	return cut(&c, argv[optind]);
}
