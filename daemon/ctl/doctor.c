/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/apart.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

enum { OPT_SOCKET = 256 };

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl doctor",
	"h",
	options,
	"Usage: cachefillctl doctor [OPTION]...\n"
	"\n"
	"Looks for what is wrong: in the kernel, the configuration, the cache, the\n"
	"databases, with the daemon and at the origins. Says of each what to do.\n"
	"Works also while mounts hang. Exits with 1 when something fails.\n"
	"\n"
	"      --json             print JSON\n"
	"      --socket PATH      where the daemon listens (control-socket in\n"
	"                         cachefilld.conf)\n" CONTEXT_HELP "\n"
	"See cachefillctl-doctor(1).\n",
};

/* What it wants of the configuration. */
enum want { NOTHING, ANY, GOOD };

struct check {
	const char *name;
	void (*run)(struct doctor *doctor);
	unsigned int seconds; /* that it may take */
	enum want want;
};

static const struct check checks[] = {
	{ "configuration", doctor_configuration, 5, ANY },
	{ "kernel", doctor_kernel, 5, NOTHING },
	{ "user", doctor_user, 5, NOTHING },
	{ "device", doctor_device, 10, GOOD },
	{ "cache", doctor_cache, 10, GOOD },
	{ "space", doctor_space, 20, GOOD },
	{ "databases", doctor_databases, 20, GOOD },
	{ "limits", doctor_limits, 10, GOOD },
	{ "clock", doctor_clock, 5, NOTHING },
	{ "denials", doctor_denials, 5, NOTHING },
	{ "daemon", doctor_daemon, 10, GOOD },
	{ "origins", doctor_origins, 25, GOOD },
};

#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

static const char *const verdicts[] = { "ok", "warn", "fail" };

/* ---- in the process of a check ----------------------------------------------------------------
 */

void doctor_say(enum doctor_verdict verdict, const char *remedy, const char *fmt, ...)
{
	char text[2048];
	json_t *line;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	line = json_pack("{ss ss*}", "verdict", verdicts[verdict], "remedy", remedy);
	json_set_text(line, "text", bytes_str(text));
	ctl_json_line(line);
}

void doctor_configuration(struct doctor *d)
{
	const struct config *c = d->context.config;

	if (!d->good)
		doctor_fail("Mend it; `cachefilld --check-config` says when it is good.", "%s",
			    d->error);
	else if (c->n_sources == 0)
		doctor_ok("good, without a source: images alone are served");
	else
		doctor_ok("good, with %zu source%s", c->n_sources, c->n_sources == 1 ? "" : "s");
}

/* One of the table, with what the command line said. */
struct job {
	const struct check *check;
	const struct doctor *doctor;
	struct apart apart;
	json_t *lines; /* owned */
};

/* The configuration is read here: its files, too, may lie on something that hangs. */
static int run_check(void *arg)
{
	const struct job *job = arg;
	struct doctor d = *job->doctor;

	if (job->check->want != NOTHING)
		d.good = context_load(&d.context, d.error) == 0;
	if (job->check->want == GOOD && !d.good)
		doctor_warn(NULL, "not looked at, since the configuration is not good");
	else
		job->check->run(&d);
	context_close(&d.context);
	return 0;
}

/* ---- what they have said -----------------------------------------------------------------------
 */

static void add_line(struct job *job, json_t *line)
{
	if (line)
		json_object_set_new(line, "check", json_string(job->check->name));
	json_array_append_new(job->lines, line);
}

static void add(struct job *job, const char *verdict, const char *text)
{
	add_line(job, json_pack("{ss ss}", "verdict", verdict, "text", text));
}

static void add_text(struct job *job)
{
	char *at = job->apart.out, *text;

	while (at && (text = strsep(&at, "\n")))
		if (*text)
			add_line(job, json_loads(text, 0, NULL));
	/* What libraries of ours have complained about. */
	for (at = job->apart.err; at && (text = strsep(&at, "\n"));)
		if (*text)
			add(job, "warn", text);
}

static void add_end(struct job *job)
{
	char text[128];

	if (job->apart.status == 0)
		return;
	if (job->apart.status == -ETIMEDOUT)
		snprintf(text, sizeof(text), "no end within %u s: something that it asks hangs",
			 job->apart.seconds);
	else if (job->apart.status < 0)
		snprintf(text, sizeof(text), "could not be done: %s", strerror(-job->apart.status));
	else
		snprintf(text, sizeof(text), "the check itself has ended with status %d",
			 job->apart.status);
	add(job, "fail", text);
}

static void run_all(struct job *jobs, const struct doctor *d)
{
	for (size_t i = 0; i < N_CHECKS; i++) {
		jobs[i] = (struct job){
			.check = &checks[i],
			.doctor = d,
			.apart = { .run = run_check, .seconds = checks[i].seconds },
			.lines = json_array(),
		};
		jobs[i].apart.arg = &jobs[i];
		apart_start(&jobs[i].apart);
	}
	for (size_t i = 0; i < N_CHECKS; i++) {
		apart_wait(&jobs[i].apart);
		add_text(&jobs[i]);
		add_end(&jobs[i]);
		apart_end(&jobs[i].apart);
	}
}

static const char *word(const json_t *line, const char *name)
{
	return json_string_value(json_object_get(line, name)) ?: "";
}

static enum doctor_verdict verdict_of(const json_t *line)
{
	for (size_t i = 0; i < 2; i++)
		if (strcmp(word(line, "verdict"), verdicts[i]) == 0)
			return (enum doctor_verdict)i;
	return DOCTOR_FAIL;
}

/* ---- how it is shown ---------------------------------------------------------------------------
 */

static void print_line(const json_t *line, bool colours)
{
	static const char *const colour[] = { "\033[32m", "\033[33m", "\033[31m" };
	enum doctor_verdict verdict = verdict_of(line);
	const char *remedy = word(line, "remedy");

	printf("%s%-4s%s  %-14s %s\n", colours ? colour[verdict] : "", verdicts[verdict],
	       colours ? "\033[0m" : "", word(line, "check"), word(line, "text"));
	if (*remedy)
		printf("      %-14s -> %s\n", "", remedy);
}

static int print_json(struct job *jobs, enum doctor_verdict worst)
{
	json_t *all = json_array();

	for (size_t i = 0; i < N_CHECKS; i++)
		json_array_extend(all, jobs[i].lines);
	return ctl_json_line(json_pack("{ss ss so}", "verdict", verdicts[worst], "version",
				       CACHEFILL_VERSION, "checks", all));
}

static int print_all(struct job *jobs, bool json)
{
	bool colours = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	enum doctor_verdict worst = DOCTOR_OK;
	json_t *line;
	size_t at;

	for (size_t i = 0; i < N_CHECKS; i++)
		json_array_foreach(jobs[i].lines, at, line)
		{
			if (verdict_of(line) > worst)
				worst = verdict_of(line);
			if (!json)
				print_line(line, colours);
		}
	if (json && print_json(jobs, worst) < 0)
		return ctl_error("out of memory");
	return worst == DOCTOR_FAIL ? CTL_FAILED : CTL_OK;
}

int ctl_doctor(int argc, char *argv[])
{
	struct doctor doctor = { .context = CONTEXT_INIT };
	struct job jobs[N_CHECKS];
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		if (opt == OPT_SOCKET)
			doctor.socket = optarg;
		else
			context_option(&doctor.context, opt);
	}
	if (argc != optind)
		return ctl_usage(syntax.command, "takes no arguments");
	run_all(jobs, &doctor);
	status = print_all(jobs, doctor.context.json);
	for (size_t i = 0; i < N_CHECKS; i++)
		json_decref(jobs[i].lines);
	return status;
}
