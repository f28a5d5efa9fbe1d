/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl trace replay: the recorded requests, once more, through the real engine.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/trace-replay.h"
#include "daemon/replay/replay.h"
#include "daemon/util/log.h"

static const char help[] =
	"Usage: cachefillctl trace replay [OPTION]... FILE\n"
	"\n"
	"Gives the recorded requests to the engine once more, without a kernel and\n"
	"without root, and compares each answer and each byte. Exits with 0 if all were\n"
	"right.\n"
	"\n"
	"      --speed N|max      N times as fast as recorded (1), or as fast as it goes\n"
	"      --virtual          in virtual time: equal replays have equal reports\n"
	"      --origin ORIGIN    synthetic (computed bytes), recorded (the locators of\n"
	"                         the trace), a directory, or a locator template\n"
	"      --config FILE      sources, buffers and read-ahead of a cachefilld.conf\n"
	"      --latency TIME     each request at an origin begins so much later\n"
	"      --bandwidth SIZE   bytes per second that each source gives\n"
	"      --script FILE      latencies, bandwidths, errors and stalls, one per line\n"
	"      --check yes|no     compare bytes with the origin's (yes)\n"
	"      --cache-dir DIR    where cache files are made ($TMPDIR, or /var/tmp)\n"
	"      --buffers SIZE, --readahead-max SIZE, --open-deadline TIME,\n"
	"      --read-deadline TIME, --max-requests N\n"
	"                         as in cachefilld.conf(5)\n"
	"      --trace OUT        record the replay into OUT\n"
	"      --io uring|poll    how to wait and write (uring)\n"
	"      --json             print the report as a JSON object\n"
	"      --verbose          log as the daemon does\n"
	"  -h, --help             print this\n"
	"\n"
	"Example:\n"
	"  cachefillctl trace replay --virtual --latency 20ms --bandwidth 10M boot.trace\n";

enum {
	OPT_SPEED = 256,
	OPT_VIRTUAL,
	OPT_ORIGIN,
	OPT_CONFIG,
	OPT_LATENCY,
	OPT_BANDWIDTH,
	OPT_SCRIPT,
	OPT_CHECK,
	OPT_CACHE_DIR,
	OPT_BUFFERS,
	OPT_READAHEAD_MAX,
	OPT_OPEN_DEADLINE,
	OPT_READ_DEADLINE,
	OPT_MAX_REQUESTS,
	OPT_TRACE,
	OPT_IO,
	OPT_JSON,
	OPT_VERBOSE,
};

static const struct option options[] = {
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "virtual", no_argument, NULL, OPT_VIRTUAL },
	{ "origin", required_argument, NULL, OPT_ORIGIN },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "latency", required_argument, NULL, OPT_LATENCY },
	{ "bandwidth", required_argument, NULL, OPT_BANDWIDTH },
	{ "script", required_argument, NULL, OPT_SCRIPT },
	{ "check", required_argument, NULL, OPT_CHECK },
	{ "cache-dir", required_argument, NULL, OPT_CACHE_DIR },
	{ "buffers", required_argument, NULL, OPT_BUFFERS },
	{ "readahead-max", required_argument, NULL, OPT_READAHEAD_MAX },
	{ "open-deadline", required_argument, NULL, OPT_OPEN_DEADLINE },
	{ "read-deadline", required_argument, NULL, OPT_READ_DEADLINE },
	{ "max-requests", required_argument, NULL, OPT_MAX_REQUESTS },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "io", required_argument, NULL, OPT_IO },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax syntax = {
	.command = "cachefillctl trace replay",
	.shorts = "h",
	.options = options,
	.help = help,
};

struct command {
	struct replay_config config;
	struct script script;
	const char *origin, *config_file;
	uint64_t buffers, readahead_max; /* 0: not given */
	uint64_t open_deadline, read_deadline, max_requests;
	bool json, poll_loop;
	enum loop_backend backend;

	struct replay *replay;
	struct loop_signal signals;
	uint64_t requests; /* of the trace */
	uint64_t shown_at; /* ns */
};

/* ---- options ----------------------------------------------------------------------------- */

static int take_speed(struct command *c)
{
	char *end;

	if (strcmp(optarg, "max") == 0) {
		c->config.speed = 0;
		return CTL_OK;
	}
	c->config.speed = strtod(optarg, &end);
	if (end == optarg || *end || !(c->config.speed >= 0.001 && c->config.speed <= 1e6))
		return ctl_usage(syntax.command,
				 "--speed: '%s' is neither 'max' nor a number from 0.001 to "
				 "1000000",
				 optarg);
	return CTL_OK;
}

static int take_time(const char *name, uint64_t *ret)
{
	if (ctl_parse_time(optarg, ret) < 0 || *ret == 0 || *ret > 24 * 3600 * NSEC_PER_SEC)
		return ctl_usage(syntax.command, "--%s: '%s' is no time, such as 20ms, up to 24h",
				 name, optarg);
	return CTL_OK;
}

static int take_size(const char *name, uint64_t min, uint64_t *ret)
{
	char text[32];

	if (ctl_parse_bytes(optarg, ret) < 0 || *ret < min || *ret > (uint64_t)1 << 40)
		return ctl_usage(syntax.command, "--%s: '%s' is no size from %s on, such as 16M",
				 name, optarg, ctl_bytes(min, text, sizeof(text)));
	return CTL_OK;
}

static int take_count(struct command *c)
{
	char *end;

	c->max_requests = strtoull(optarg, &end, 10);
	if (*end || c->max_requests < 1 || c->max_requests > 1024)
		return ctl_usage(syntax.command, "--max-requests: '%s' is no number up to 1024",
				 optarg);
	return CTL_OK;
}

/* What an option says is a rule of the script as well, the first ones. */
static int take_rule(struct command *c, const char *kind)
{
	char line[128], error[SCRIPT_ERROR_MAX];
	int n = snprintf(line, sizeof(line), "%s %s", kind, optarg);

	if (n >= (int)sizeof(line) || strpbrk(optarg, " \t\n") ||
	    script_parse(&c->script, "", line, (size_t)n, error) < 0)
		return ctl_usage(syntax.command, "--%s: '%.60s' is none, such as %s", kind, optarg,
				 strcmp(kind, "latency") == 0 ? "20ms" : "10M");
	return CTL_OK;
}

static int take_script(struct command *c)
{
	char error[SCRIPT_ERROR_MAX];

	return script_load(&c->script, optarg, error) < 0 ? ctl_error("%s", error) : CTL_OK;
}

static int take_check(struct command *c)
{
	c->config.check = strcmp(optarg, "yes") == 0;
	if (!c->config.check && strcmp(optarg, "no") != 0)
		return ctl_usage(syntax.command, "--check is yes or no");
	return CTL_OK;
}

static int take_io(struct command *c)
{
	c->poll_loop = strcmp(optarg, "poll") == 0;
	if (!c->poll_loop && strcmp(optarg, "uring") != 0)
		return ctl_usage(syntax.command, "--io is uring or poll");
	return CTL_OK;
}

static int take_engine_option(struct command *c, int opt)
{
	switch (opt) {
	case OPT_BUFFERS:
		return take_size("buffers", 1 << 20, &c->buffers);
	case OPT_READAHEAD_MAX:
		return take_size("readahead-max", 4096, &c->readahead_max);
	case OPT_OPEN_DEADLINE:
		return take_time("open-deadline", &c->open_deadline);
	case OPT_READ_DEADLINE:
		return take_time("read-deadline", &c->read_deadline);
	case OPT_MAX_REQUESTS:
		return take_count(c);
	case OPT_LATENCY:
		return take_rule(c, "latency");
	case OPT_BANDWIDTH:
		return take_rule(c, "bandwidth");
	default:
		return take_script(c);
	}
}

static int take_option(struct command *c, int opt)
{
	switch (opt) {
	case OPT_SPEED:
		return take_speed(c);
	case OPT_CHECK:
		return take_check(c);
	case OPT_VIRTUAL:
		c->config.virtual_time = true;
		break;
	case OPT_ORIGIN:
		c->origin = optarg;
		break;
	case OPT_CONFIG:
		c->config_file = optarg;
		break;
	case OPT_CACHE_DIR:
		c->config.cache_dir = optarg;
		break;
	case OPT_TRACE:
		c->config.record = optarg;
		break;
	case OPT_IO:
		return take_io(c);
	case OPT_JSON:
		c->json = true;
		break;
	case OPT_VERBOSE:
		log_set_level(LOG_INFO);
		break;
	default:
		return take_engine_option(c, opt);
	}
	return CTL_OK;
}

static int take_options(struct command *c, int argc, char *argv[])
{
	int opt, status = CTL_OK;

	while (status == CTL_OK && (opt = ctl_getopt(&syntax, argc, argv, &status)) >= 0)
		status = take_option(c, opt);
	if (status != CTL_OK || opt == CTL_OPTIONS_EXIT)
		return opt == CTL_OPTIONS_EXIT && status == CTL_OK ? -1 : status;
	if (argc - optind != 1)
		return ctl_usage(syntax.command, "one trace is needed");
	if (c->config_file && c->origin)
		return ctl_usage(syntax.command, "--config and --origin exclude each other");
	c->config.trace = argv[optind];
	return CTL_OK;
}

/* ---- progress and signals ---------------------------------------------------------------- */

static uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void show_progress(void *arg, const struct report *report)
{
	struct command *c = arg;
	uint64_t now = clock_now(), done = report->here.opens + report->here.reads;

	if (now - c->shown_at < NSEC_PER_SEC / 5)
		return;
	c->shown_at = now;
	fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " requests (%" PRIu64 "%%)", done,
		c->requests, c->requests ? done * 100 / c->requests : 100);
	if (report->n_findings)
		fprintf(stderr, ", %" PRIu64 " findings", report->n_findings);
	fflush(stderr);
}

static void clear_progress(const struct command *c)
{
	if (c->shown_at)
		fputs("\r\033[K", stderr);
}

static void caught(struct loop_signal *sig, int signo)
{
	replay_interrupt(container_of(sig, struct command, signals)->replay);
}

/* ---- running ----------------------------------------------------------------------------- */

static int print_report(const struct command *c, const struct report *report)
{
	json_t *object;

	if (!c->json) {
		trace_replay_print(report);
		return report_is_good(report) ? CTL_OK : CTL_FAILED;
	}
	object = report_json(report);
	if (!object || json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0) {
		json_decref(object);
		return ctl_error("%s", strerror(ENOMEM));
	}
	putchar('\n');
	json_decref(object);
	return report_is_good(report) ? CTL_OK : CTL_FAILED;
}

static int run_replay(struct command *c)
{
	static const int signos[] = { SIGINT, SIGTERM };
	const struct report *report;
	char error[CATALOG_ERROR_MAX];
	int status, err = replay_new(&c->replay, &c->config, error);

	if (err < 0)
		return ctl_error("%s", error);
	c->signals.caught = caught;
	err = loop_signal_add(c->config.loop, &c->signals, signos,
			      sizeof(signos) / sizeof(signos[0]));
	if (err < 0)
		ctl_error("signals are not caught: %s", strerror(-err));
	err = replay_run(c->replay, &report);
	clear_progress(c);
	if (err < 0) {
		ctl_error("the event loop failed: %s", strerror(-err));
		_exit(CTL_FAILED); /* nothing can be unwound without it */
	}
	loop_signal_remove(&c->signals);
	status = print_report(c, report);
	c->replay = replay_free(c->replay);
	return status;
}

static void set_engine(struct command *c)
{
	const struct config *config = c->config.origin->config;

	/* Those of the daemon, where nothing else is said. */
	c->config.buffers = config ? config->buffers : (uint64_t)16 << 20;
	c->config.readahead_max = config ? config->readahead_max : (uint64_t)8 << 20;
	if (c->buffers)
		c->config.buffers = c->buffers;
	if (c->readahead_max)
		c->config.readahead_max = c->readahead_max;
	for (size_t i = 0; i < c->config.origin->n_sources; i++) {
		struct engine_source_config *source = &c->config.origin->sources[i];

		if (c->open_deadline)
			source->open_deadline = c->open_deadline;
		if (c->read_deadline)
			source->read_deadline = c->read_deadline;
		if (c->max_requests)
			source->max_requests = (unsigned int)c->max_requests;
	}
}

static int make_origin(struct command *c, char *error)
{
	struct replay_config *r = &c->config;

	if (c->config_file)
		return origin_config_new(&r->origin, r->loop, r->catalog, c->config_file, error);
	if (!c->origin || strcmp(c->origin, "synthetic") == 0)
		return origin_synthetic_new(&r->origin, r->loop, r->catalog, error);
	if (strcmp(c->origin, "recorded") == 0)
		return origin_recorded_new(&r->origin, r->loop, r->catalog, error);
	return origin_template_new(&r->origin, r->loop, r->catalog, c->origin, error);
}

static int run_with_origin(struct command *c)
{
	char error[CATALOG_ERROR_MAX];
	int status;

	if (make_origin(c, error) < 0)
		return ctl_error("%s", error);
	set_engine(c);
	if (c->config.virtual_time && !c->config.origin->local)
		status = ctl_error("--virtual: a network knows no virtual time");
	else
		status = run_replay(c);
	c->config.origin = origin_free(c->config.origin);
	return status;
}

static int make_loop(struct command *c)
{
	int err;

	if (c->config.virtual_time)
		return loop_new(&c->config.loop, LOOP_VIRTUAL);
	err = c->poll_loop ? -ENOSYS : loop_new(&c->config.loop, LOOP_URING);
	return err < 0 ? loop_new(&c->config.loop, LOOP_POLL) : err;
}

static int run(struct command *c)
{
	char error[CATALOG_ERROR_MAX];
	int status, err = catalog_new(&c->config.catalog, c->config.trace, error);

	if (err < 0)
		return ctl_error("%s", error);
	c->requests = c->config.catalog->requests;
	err = make_loop(c);
	status = err < 0 ? ctl_error("%s", strerror(-err)) : run_with_origin(c);
	c->config.loop = loop_free(c->config.loop);
	c->config.catalog = catalog_free(c->config.catalog);
	return status;
}

/* Two descriptors for each object that is open. */
static void raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int ctl_trace_replay(int argc, char *argv[])
{
	const char *tmp = getenv("TMPDIR");
	struct command c = {
		.config = { .speed = 1,
			    .check = true,
			    .cache_dir = tmp && *tmp ? tmp : "/var/tmp" },
	};
	int status;

	log_set_level(LOG_ERR);
	status = take_options(&c, argc, argv);
	if (status == CTL_OK) {
		c.config.script = &c.script;
		if (isatty(STDERR_FILENO) && !getenv("NO_COLOR"))
			c.config.progress = show_progress;
		c.config.arg = &c;
		raise_nofile();
		signal(SIGPIPE, SIG_IGN);
		status = run(&c);
	}
	script_deinit(&c.script);
	return status < 0 ? CTL_OK : status;
}
