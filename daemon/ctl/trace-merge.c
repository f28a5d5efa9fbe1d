/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace merge: several traces become one. Of each input one record is looked at, the
 * earliest of them is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-numbers.h"
#include "daemon/ctl/trace-output.h"
#include "daemon/ctl/trace-walk.h"

static const char help[] =
	"Usage: cachefillctl trace merge [OPTION]... -o OUT FILE...\n"
	"\n"
	"Writes the records of several traces into one, in the order of time. Messages,\n"
	"ids, objects and sources are numbered anew.\n"
	"\n"
	"How times of different traces meet (by their time of day):\n"
	"      --sequential       each begins where the one before it ends\n"
	"      --together         all begin at the same time\n"
	"\n" TRACE_OUTPUT_HELP "  -h, --help             print this\n"
	"\n"
	"One FILE may be '-' for standard input.\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace merge --together -o ten-hosts.trace host*.trace\n";

static const struct option options[] = {
	{ "sequential", no_argument, NULL, 's' },
	{ "together", no_argument, NULL, 't' },
	TRACE_OUTPUT_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace merge",
	.shorts = "ho:",
	.options = options,
	.help = help,
};

struct input {
	const char *path;
	struct trace_reader *reader; /* owned */
	struct trace_record head;    /* not written yet, borrowed from the reader */
	bool at_end, has_end;	     /* there is no head; there was an end record */
	uint64_t first;		     /* time of the first record */
	uint64_t shift;		     /* to be added to times, modulo 2^64 */
};

struct merge {
	enum { BY_REALTIME, SEQUENTIAL, TOGETHER } how;
	struct trace_output output;
	struct trace_numbers numbers;
	struct trace_progress progress;
	struct input *inputs; /* owned */
	size_t n_inputs;
	uint64_t begin;	  /* time of the first record that is written */
	uint64_t last;	  /* the latest time that was written */
	uint64_t unknown; /* records that are newer than we are */
	bool started;
};

/* ---- inputs ------------------------------------------------------------------------------ */

static int next_head(struct merge *m, struct input *input)
{
	char error[TRACE_ERROR_MAX];
	uint64_t before = trace_reader_offset(input->reader);
	int r = trace_reader_next(input->reader, &input->head, error);

	if (r < 0) {
		trace_progress_end(&m->progress);
		return ctl_error("%s", error);
	}
	input->at_end = r == 0;
	if (input->at_end)
		trace_walk_tell_rest(input->path, input->reader);
	else
		trace_progress_add(&m->progress, trace_reader_offset(input->reader) - before);
	return CTL_OK;
}

static int open_input(struct merge *m, struct input *input)
{
	char error[TRACE_ERROR_MAX];

	if (trace_reader_new(&input->reader, input->path, error) < 0)
		return ctl_error("%s", error);
	trace_progress_expect(&m->progress, input->path);
	if (next_head(m, input) != CTL_OK)
		return CTL_FAILED;
	if (input->at_end)
		return ctl_error("%s: there is no record in it", input->path);
	input->first = input->head.time;
	return CTL_OK;
}

/* CLOCK_REALTIME where CLOCK_MONOTONIC of this input is 0. */
static uint64_t anchor(const struct input *input)
{
	return input->head.realtime - input->head.time;
}

/* Times become those of the clock of the trace that began first. */
static int align_realtime(struct merge *m)
{
	const struct input *earliest = &m->inputs[0];

	for (size_t i = 0; i < m->n_inputs; i++) {
		const struct input *input = &m->inputs[i];

		if (input->head.kind != TRACE_START || input->head.realtime == 0)
			return ctl_error("%s: it does not tell its time of day: use --together or "
					 "--sequential",
					 input->path);
		if (input->head.realtime < earliest->head.realtime)
			earliest = input;
	}
	for (size_t i = 0; i < m->n_inputs; i++)
		m->inputs[i].shift = anchor(&m->inputs[i]) - anchor(earliest);
	m->begin = earliest->first;
	return CTL_OK;
}

static int align(struct merge *m)
{
	if (m->how == BY_REALTIME && m->n_inputs > 1)
		return align_realtime(m);
	m->begin = m->inputs[0].first;
	for (size_t i = 0; i < m->n_inputs; i++)
		m->inputs[i].shift = m->begin - m->inputs[i].first;
	return CTL_OK;
}

/* ---- records ----------------------------------------------------------------------------- */

/* ns since the output began, of the record that is next. */
static int64_t head_time(const struct merge *m, const struct input *input)
{
	return (int64_t)(input->head.time + input->shift - m->begin);
}

/* What there is once: the start of the first, and an end of our own. */
static bool is_wanted(struct merge *m, struct input *input)
{
	switch (input->head.kind) {
	case TRACE_START:
		if (m->started)
			return false;
		m->started = true;
		return true;
	case TRACE_END:
		input->has_end = true;
		return false;
	case TRACE_UNKNOWN:
		m->unknown++;
		return false;
	default:
		return true;
	}
}

static int write_head(struct merge *m, struct input *input)
{
	struct trace_record record = input->head;
	int r;

	if (!is_wanted(m, input))
		return next_head(m, input);
	record.time += input->shift;
	r = trace_numbers_apply(&m->numbers, (uint32_t)(input - m->inputs), &record);
	if (r < 0)
		return ctl_error("%s: at offset %" PRIu64 ": %s", input->path,
				 trace_reader_offset(input->reader), strerror(-r));
	if (trace_output_put(&m->output, &record) < 0)
		return CTL_FAILED;
	if ((int64_t)(record.time - m->begin) > (int64_t)(m->last - m->begin))
		m->last = record.time;
	return next_head(m, input);
}

static struct input *earliest_input(struct merge *m)
{
	struct input *earliest = NULL;

	for (size_t i = 0; i < m->n_inputs; i++) {
		struct input *input = &m->inputs[i];

		if (!input->at_end && (!earliest || head_time(m, input) < head_time(m, earliest)))
			earliest = input;
	}
	return earliest;
}

static int write_by_time(struct merge *m)
{
	struct input *input;
	int status = CTL_OK;

	while (status == CTL_OK && (input = earliest_input(m)))
		status = write_head(m, input);
	return status;
}

static int write_in_turn(struct merge *m)
{
	int status = CTL_OK;

	for (size_t i = 0; i < m->n_inputs; i++) {
		struct input *input = &m->inputs[i];

		input->shift = m->last - input->first;
		while (status == CTL_OK && !input->at_end)
			status = write_head(m, input);
	}
	return status;
}

static bool all_have_end(const struct merge *m)
{
	for (size_t i = 0; i < m->n_inputs; i++)
		if (!m->inputs[i].has_end)
			return false;
	return true;
}

/* ---- the command ------------------------------------------------------------------------- */

static int merge_inputs(struct merge *m)
{
	int status = CTL_OK;

	for (size_t i = 0; i < m->n_inputs && status == CTL_OK; i++)
		status = open_input(m, &m->inputs[i]);
	if (status == CTL_OK)
		status = align(m);
	if (status == CTL_OK)
		status = trace_output_open(&m->output, syntax.command);
	if (status != CTL_OK)
		return status;
	m->last = m->begin;
	status = m->how == SEQUENTIAL ? write_in_turn(m) : write_by_time(m);
	trace_progress_end(&m->progress);
	if (status != CTL_OK) {
		trace_output_abort(&m->output);
		return status;
	}
	if (m->unknown)
		ctl_error("left out %" PRIu64 " records that are newer than this program",
			  m->unknown);
	return trace_output_finish(&m->output, all_have_end(m));
}

static int merge_files(struct merge *m, char *paths[], int n)
{
	int status;

	m->inputs = calloc((size_t)n, sizeof(*m->inputs));
	if (!m->inputs)
		return ctl_error("%s", strerror(ENOMEM));
	m->n_inputs = (size_t)n;
	for (int i = 0; i < n; i++)
		m->inputs[i].path = paths[i];
	status = merge_inputs(m);
	for (int i = 0; i < n; i++)
		trace_reader_free(m->inputs[i].reader);
	free(m->inputs);
	trace_numbers_deinit(&m->numbers);
	return status;
}

static int take_option(struct merge *m, int opt)
{
	if (opt != 's' && opt != 't')
		return trace_output_take(&m->output, opt);
	if (m->how != BY_REALTIME)
		return ctl_usage(syntax.command, "one of --sequential and --together can be given");
	m->how = opt == 's' ? SEQUENTIAL : TOGETHER;
	return CTL_OK;
}

int ctl_trace_merge(int argc, char *argv[])
{
	struct merge m = { .how = BY_REALTIME };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0 && status == CTL_OK)
		status = take_option(&m, opt);
	if (opt == CTL_OPTIONS_EXIT || status != CTL_OK)
		return status;
	if (optind == argc)
		return ctl_usage(syntax.command, "a file is missing");
	if (!m.output.path)
		return ctl_usage(syntax.command, "-o OUT is missing");
	return merge_files(&m, argv + optind, argc - optind);
}
