/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/trace-output.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/util/cleanup.h"

/* ---- signals ----------------------------------------------------------------------------- */

static const int fatal[] = { SIGHUP, SIGINT, SIGTERM };

static char unfinished[PATH_MAX]; /* what is being written; "": nothing */

static void remove_unfinished(int signal_number)
{
	if (unfinished[0])
		unlink(unfinished);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* A signal that our parent has chosen to ignore stays ignored. */
static void catch_signals(void)
{
	struct sigaction ours = { .sa_handler = remove_unfinished }, before;

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		if (sigaction(fatal[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(fatal[i], &ours, NULL);
}

/* Creates the file; no signal comes between that and what the handler knows. */
static int create(struct trace_output *output, const char *path, char *error)
{
	sigset_t blocked, before;
	int r;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaddset(&blocked, fatal[i]);
	catch_signals();
	sigprocmask(SIG_BLOCK, &blocked, &before);
	r = trace_writer_new(&output->writer, path, error);
	if (r == 0)
		snprintf(unfinished, sizeof(unfinished), "%s", path);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* ---- the file ---------------------------------------------------------------------------- */

int trace_output_take(struct trace_output *output, int opt)
{
	if (opt == 'o')
		output->path = optarg;
	else if (opt == TRACE_OUTPUT_FORCE)
		output->force = true;
	else
		return -1;
	return CTL_OK;
}

static int open_standard(struct trace_output *output)
{
	char error[TRACE_ERROR_MAX];

	if (isatty(STDOUT_FILENO))
		return ctl_error("a trace is not written to a terminal");
	if (trace_writer_new(&output->writer, "-", error) < 0)
		return ctl_error("%s", error);
	return CTL_OK;
}

/* Where there is a file already, the new one is written beside it, and then takes its name. */
static int choose_temporary(struct trace_output *output)
{
	struct stat st;

	if (stat(output->path, &st) < 0)
		return CTL_OK; /* the writer says what is wrong, if anything is */
	if (!output->force)
		return ctl_error("%s: it exists; --force replaces it", output->path);
	if (!S_ISREG(st.st_mode))
		return ctl_error("%s: it is no regular file, and is not replaced", output->path);
	if (asprintf(&output->temporary, "%s.%d.tmp", output->path, (int)getpid()) < 0) {
		output->temporary = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	return CTL_OK;
}

int trace_output_open(struct trace_output *output, const char *command)
{
	char error[TRACE_ERROR_MAX];
	const char *path;

	if (!output->path)
		return ctl_usage(command, "-o OUT is missing");
	if (strcmp(output->path, "-") == 0)
		return open_standard(output);
	if (choose_temporary(output) != CTL_OK)
		return CTL_FAILED;
	path = output->temporary ? output->temporary : output->path;
	if (create(output, path, error) == 0)
		return CTL_OK;
	free(output->temporary);
	output->temporary = NULL;
	return ctl_error("%s", error);
}

int trace_output_put(struct trace_output *output, const struct trace_record *record)
{
	char error[TRACE_ERROR_MAX];

	if (trace_writer_put(output->writer, record, error) < 0) {
		ctl_error("%s", error);
		return -ECANCELED;
	}
	output->records++;
	output->time = record->time;
	return 0;
}

void trace_output_abort(struct trace_output *output)
{
	output->writer = trace_writer_abort(output->writer);
	unfinished[0] = '\0';
	free(output->temporary);
	output->temporary = NULL;
}

static int rename_temporary(struct trace_output *output)
{
	int status = CTL_OK;

	if (output->temporary && rename(output->temporary, output->path) < 0) {
		status = ctl_error("%s: %s", output->path, strerror(errno));
		unlink(output->temporary);
	}
	return status;
}

int trace_output_finish(struct trace_output *output, bool end)
{
	struct trace_record record = {
		.kind = TRACE_END,
		.time = output->time,
		.count = output->records,
	};
	char error[TRACE_ERROR_MAX];
	int status = CTL_OK;

	if (end && trace_output_put(output, &record) < 0)
		status = CTL_FAILED;
	if (status == CTL_OK && trace_writer_finish(steal(&output->writer), error) < 0)
		status = ctl_error("%s", error);
	if (status == CTL_OK)
		status = rename_temporary(output);
	trace_output_abort(output);
	return status;
}
