/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"

/* Less is read before anybody wonders. */
#define PROGRESS_FROM ((uint64_t)64 << 20)

void trace_progress_expect(struct trace_progress *progress, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		progress->total += (uint64_t)st.st_size;
}

void trace_progress_add(struct trace_progress *progress, uint64_t bytes)
{
	int percent;

	progress->done += bytes;
	if (progress->total < PROGRESS_FROM || progress->done > progress->total)
		return;
	percent = (int)((double)progress->done / (double)progress->total * 100);
	if (percent == progress->percent || !isatty(STDERR_FILENO) || getenv("NO_COLOR"))
		return;
	fprintf(stderr, "\rcachefillctl: %d %%", percent);
	progress->percent = percent;
}

void trace_progress_end(struct trace_progress *progress)
{
	if (progress->percent)
		fprintf(stderr, "\r%20s\r", "");
	progress->percent = 0;
}

void trace_walk_tell_rest(const char *path, const struct trace_reader *reader)
{
	uint64_t off, rest = trace_reader_rest(reader, &off);

	if (rest)
		ctl_error("%s: cut off at offset %" PRIu64 ": the last %" PRIu64
			  " bytes are no whole record",
			  path, off, rest);
}

static int walk_records(struct trace_walk *walk, struct trace_progress *progress)
{
	uint64_t last = 0;

	for (;;) {
		char error[TRACE_ERROR_MAX];
		struct trace_record record;
		int r = trace_reader_next(walk->reader, &record, error);

		if (r <= 0) {
			trace_progress_end(progress);
			return r == 0 ? CTL_OK : ctl_error("%s", error);
		}
		r = walk->each(walk, &record);
		if (r < 0) {
			trace_progress_end(progress);
			if (r == -ECANCELED)
				return CTL_FAILED;
			return ctl_error("%s: at offset %" PRIu64 ": %s", walk->path,
					 trace_reader_offset(walk->reader), strerror(-r));
		}
		trace_progress_add(progress, trace_reader_offset(walk->reader) - last);
		last = trace_reader_offset(walk->reader);
	}
}

int trace_walk(struct trace_walk *walk)
{
	struct trace_progress progress = { .percent = 0 };
	char error[TRACE_ERROR_MAX];
	int status;

	if (trace_reader_new(&walk->reader, walk->path, error) < 0)
		return ctl_error("%s", error);
	if (walk->progress)
		trace_progress_expect(&progress, walk->path);
	status = walk_records(walk, &progress);
	if (status == CTL_OK)
		trace_walk_tell_rest(walk->path, walk->reader);
	walk->reader = trace_reader_free(walk->reader);
	return status;
}
