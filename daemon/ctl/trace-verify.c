/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace verify: is a trace whole, and does what it tells fit together?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/trace/file.h"
#include "daemon/trace/requests.h"

static const char help[] =
	"Usage: cachefillctl trace verify [OPTION]... FILE...\n"
	"\n"
	"Reads traces from beginning to end: format and checksums; each request is\n"
	"answered once, and no answer is without a request; no record is missing, also at\n"
	"the end. Prints a line for each file.\n"
	"\n"
	"      --lenient          what is missing is no failure: a cut off end, records\n"
	"                         that were lost, requests that were still waiting\n"
	"  -h, --help             print this\n"
	"\n"
	"FILE may be '-' for standard input. The exit status is 0 if all files are good.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace verify boot.trace\n";

static const struct option options[] = {
	{ "lenient", no_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace verify",
	.shorts = "h",
	.options = options,
	.help = help,
};

struct verify {
	const char *path;
	bool lenient;
	struct trace_reader *reader;
	struct trace_requests *requests;

	/* What does not fit: the first of them. */
	uint64_t strays, stray_at;
	enum trace_kind stray_kind;
	uint64_t behind_end; /* records */
	uint64_t unanswered_at;

	char text[1024]; /* findings, "; " between them */
	bool bad;
};

/* A finding that makes the file no good, or only incomplete. */
__attribute__((format(printf, 3, 4))) static void find(struct verify *v, bool bad, const char *fmt,
						       ...)
{
	size_t len = strlen(v->text);
	va_list ap;

	if (bad || !v->lenient)
		v->bad = true;
	if (len)
		len += (size_t)snprintf(v->text + len, sizeof(v->text) - len, "; ");
	if (len >= sizeof(v->text))
		return;
	va_start(ap, fmt);
	vsnprintf(v->text + len, sizeof(v->text) - len, fmt, ap);
	va_end(ap);
}

static const char *stray_reason(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_OBJECT:
		return "its number is that of another object";
	case TRACE_HANDLE:
		return "its object is not known, or its id is in use";
	case TRACE_OPEN:
		return "its id or its message is in use";
	case TRACE_READ:
	case TRACE_CLOSE:
		return "its id is not open, or its message is in use";
	case TRACE_COPEN:
	case TRACE_COMPLETE:
		return "it answers no request";
	case TRACE_RELEASE:
		return "its id is not in use";
	case TRACE_END:
		return "it counts other records than there are";
	default:
		return "it does not fit";
	}
}

/* ---- reading ----------------------------------------------------------------------------- */

/* The message's own record: the earliest that has no answer is told. */
static void begun(void *arg, struct trace_request *request)
{
	struct verify *v = arg;

	request->data = (void *)(uintptr_t)trace_reader_offset(v->reader);
}

static void ended(void *arg, struct trace_request *request)
{
	struct verify *v = arg;
	uint64_t at = (uintptr_t)request->data;

	if (!request->answered && (v->unanswered_at == 0 || at < v->unanswered_at))
		v->unanswered_at = at;
}

static int verify_record(struct verify *v, const struct trace_record *record)
{
	struct trace_requests_stats before = trace_requests_stats(v->requests), after;
	int r;

	if (before.complete)
		v->behind_end++;
	r = trace_requests_feed(v->requests, record);
	if (r < 0)
		return r;
	after = trace_requests_stats(v->requests);
	/* Where records were lost, others lack what they refer to. */
	if (after.strays == before.strays || (v->lenient && after.lost))
		return 0;
	if (v->strays++ == 0) {
		v->stray_at = trace_reader_offset(v->reader);
		v->stray_kind = record->kind;
	}
	return 0;
}

static void find_missing(struct verify *v)
{
	struct trace_requests_stats stats = trace_requests_stats(v->requests);
	uint64_t off, rest = trace_reader_rest(v->reader, &off);

	if (rest)
		find(v, false, "cut off at offset %" PRIu64 ", %" PRIu64 " bytes behind it", off,
		     rest);
	else if (!stats.complete)
		find(v, false, "cut off at offset %" PRIu64 ", there is no end record", off);
	if (stats.lost)
		find(v, false, "%" PRIu64 " records were lost in the recording", stats.lost);
	if (stats.unanswered)
		find(v, false,
		     "%" PRIu64 " requests without an answer, the first at offset %" PRIu64,
		     stats.unanswered, v->unanswered_at);
}

static void find_inconsistent(struct verify *v)
{
	if (v->strays)
		find(v, true, "inconsistent at offset %" PRIu64 ": %s: %s", v->stray_at,
		     trace_kind_name(v->stray_kind), stray_reason(v->stray_kind));
	if (v->strays > 1)
		find(v, true, "%" PRIu64 " more of that sort", v->strays - 1);
	if (v->behind_end)
		find(v, true, "%" PRIu64 " records behind its end record", v->behind_end);
}

/* error: "FILE: offset N: sentence" */
static void find_damage(struct verify *v, const char *error)
{
	const char *why = strstr(error, ": offset ");
	uint64_t off;

	trace_reader_rest(v->reader, &off);
	why = why ? strstr(why + 2, ": ") : NULL;
	find(v, true, "damaged at offset %" PRIu64 ": %s", off, why ? why + 2 : error);
}

/* 0, or a negative errno when nothing can be said about the file. */
static int verify_all(struct verify *v)
{
	char error[TRACE_ERROR_MAX];
	struct trace_record record;
	int r;

	while ((r = trace_reader_next(v->reader, &record, error)) == 1) {
		r = verify_record(v, &record);
		if (r < 0) {
			ctl_error("%s: %s", v->path, strerror(-r));
			return r;
		}
	}
	if (r < 0 && r != -EBADMSG) {
		ctl_error("%s", error);
		return r;
	}
	if (r < 0)
		find_damage(v, error);
	trace_requests_finish(v->requests);
	find_inconsistent(v);
	if (r == 0)
		find_missing(v);
	return 0;
}

/* ---- saying ------------------------------------------------------------------------------ */

static int say(const struct verify *v)
{
	struct trace_requests_stats stats = trace_requests_stats(v->requests);
	size_t objects = trace_requests_objects(v->requests);
	char took[32];

	printf("%s: ", v->path);
	if (!v->bad)
		printf("ok: %" PRIu64 " records, %" PRIu64 " requests, %zu object%s, %s",
		       stats.records, stats.requests, objects, objects == 1 ? "" : "s",
		       ctl_time(stats.last - stats.first, took, sizeof(took)));
	printf("%s%s\n", !v->bad && v->text[0] ? "; " : "", v->text);
	return v->bad ? CTL_FAILED : CTL_OK;
}

static int verify_file(const char *path, bool lenient)
{
	static const struct trace_requests_callbacks callbacks = { .begun = begun, .ended = ended };
	struct verify v = { .path = path, .lenient = lenient };
	char error[TRACE_ERROR_MAX];
	int status = CTL_FAILED, r;

	r = trace_reader_new(&v.reader, path, error);
	if (r == -EBADMSG) {
		puts(error);
		return CTL_FAILED;
	}
	if (r < 0)
		return ctl_error("%s", error);
	if (trace_requests_new(&v.requests, &callbacks, &v) < 0)
		ctl_error("%s", strerror(ENOMEM));
	else if (verify_all(&v) == 0)
		status = say(&v);
	trace_requests_free(v.requests);
	trace_reader_free(v.reader);
	return status;
}

int ctl_trace_verify(int argc, char *argv[])
{
	bool lenient = false;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0)
		lenient = true;
	if (opt == CTL_OPTIONS_EXIT)
		return status;
	if (optind == argc)
		return ctl_usage(syntax.command, "a file is missing");
	for (int i = optind; i < argc; i++)
		if (verify_file(argv[i], lenient) != CTL_OK)
			status = CTL_FAILED;
	return status;
}
