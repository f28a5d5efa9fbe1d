/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config-value.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"

enum {
	OPT_CONFIG = 'c',
	OPT_HELP = 'h',
	OPT_QUIET = 'q',
	OPT_VERBOSE = 'v',
	OPT_VERSION = 'V',
	OPT_SOURCE = 256,
	OPT_NOTIFY_FD,
	OPT_KEEPER,
	OPT_IO,
	OPT_TRACE,
	OPT_CHECK_CONFIG,
	OPT_PROBE,
	OPT_KEYS, /* from here on: OPT_KEYS + place in option_keys */
};

/* The configuration keys that options stand for. */
static const char *const option_keys[] = {
	"dir",		 "state-dir",	  "tag",	   "device",	 "buffers",
	"readahead-max", "open-deadline", "read-deadline", "compressed",
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "source", required_argument, NULL, OPT_SOURCE },
	{ "notify-fd", required_argument, NULL, OPT_NOTIFY_FD },
	{ "keeper", no_argument, NULL, OPT_KEEPER },
	{ "io", required_argument, NULL, OPT_IO },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "check-config", no_argument, NULL, OPT_CHECK_CONFIG },
	{ "probe", no_argument, NULL, OPT_PROBE },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "cache-dir", required_argument, NULL, OPT_KEYS + 0 },
	{ "state-dir", required_argument, NULL, OPT_KEYS + 1 },
	{ "tag", required_argument, NULL, OPT_KEYS + 2 },
	{ "device", required_argument, NULL, OPT_KEYS + 3 },
	{ "buffers", required_argument, NULL, OPT_KEYS + 4 },
	{ "readahead-max", required_argument, NULL, OPT_KEYS + 5 },
	{ "open-deadline", required_argument, NULL, OPT_KEYS + 6 },
	{ "read-deadline", required_argument, NULL, OPT_KEYS + 7 },
	{ "compressed", required_argument, NULL, OPT_KEYS + 8 },
	{ NULL },
};

/* "+": arguments are not reordered; ":": a missing value is told apart. */
static const char short_options[] = "+:c:hqvV";

static const char help[] =
	"Usage: cachefilld [OPTION]...\n"
	"\n"
	"Fills the kernel's cachefiles on demand: EROFS images are mounted at once and\n"
	"their bytes are fetched when they are first read.\n"
	"\n"
	"Where images come from:\n"
	"      --source [VOLUME-GLOB=]TEMPLATE\n"
	"                         fetch from the URL that TEMPLATE gives; {cookie},\n"
	"                         {volume} and {domain} stand for the kernel's keys;\n"
	"                         may be repeated, the first match wins\n"
	"      --open-deadline TIME\n"
	"                         answer each open by then, at the latest (30s)\n"
	"      --read-deadline TIME\n"
	"                         answer each read by then, at the latest (30s)\n"
	"      --compressed whole|refuse\n"
	"                         what to do with compressed images (whole)\n"
	"\n"
	"Where things are:\n"
	"  -c, --config FILE      read FILE and FILE.d/*.conf\n"
	"                         (" CACHEFILLD_CONF ", if it exists)\n"
	"      --cache-dir DIR    the kernel's cache (/var/cache/cachefilld)\n"
	"      --state-dir DIR    what is remembered of it (/var/lib/cachefilld)\n"
	"      --tag NAME         name of the cache; never change it (CacheFiles)\n"
	"      --device PATH      the kernel's device (/dev/cachefiles)\n"
	"\n"
	"How it runs:\n"
	"      --buffers SIZE     memory for bytes on their way (16MiB)\n"
	"      --readahead-max SIZE\n"
	"                         widest read-ahead of one reader (8MiB)\n"
	"      --io uring|poll    how to wait and write (uring)\n"
	"      --trace FILE       record every request into FILE, or FILE.1, .2 ... where\n"
	"                         it exists; SIGUSR1 stops and starts (not recorded)\n"
	"      --keeper           keep the device in a process of its own, which starts\n"
	"                         the daemon again when it has crashed\n"
	"      --notify-fd N      write \"READY=1\" there once the daemon serves\n"
	"  -v, --verbose          log each request\n"
	"  -q, --quiet            log warnings and errors only\n"
	"\n"
	"Instead of running:\n"
	"      --check-config     say whether the configuration is good, and how\n"
	"                         each source resolves\n"
	"      --probe            say what this kernel and cache directory offer\n"
	"  -h, --help             print this\n"
	"  -V, --version          print the version\n"
	"\n"
	"Examples:\n"
	"  cachefilld --source https://images.example.com/{cookie}\n"
	"  cachefilld --cache-dir /srv/cache --source file:///srv/images/{cookie}\n"
	"  mount -t erofs none -o fsid=debian.erofs /mnt\n"
	"\n"
	"Flags win over the file. See cachefilld(8) and cachefilld.conf(5).\n";

/* ---- what is in argv --------------------------------------------------------------------- */

struct arguments {
	struct options *options;
	struct config *config;
	const char *file; /* --config, or NULL */
	bool check, probe;
	char *error; /* OPTIONS_ERROR_MAX bytes */
	bool placed; /* it begins with its place, and stands alone: as compilers print it */
};

__attribute__((format(printf, 2, 3))) static enum options_action usage(struct arguments *a,
								       const char *fmt, ...)
{
	char text[CONFIG_ERROR_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(a->error, OPTIONS_ERROR_MAX, "%s. Try 'cachefilld --help'.", text);
	return OPTIONS_EXIT_USAGE;
}

static enum options_action take_notify_fd(struct arguments *a, const char *text)
{
	uint64_t n;
	int flags;

	if (getenv(OPTIONS_SUCCESSOR))
		return OPTIONS_RUN;
	if (!config_value_count(text, &n) || n > INT_MAX)
		return usage(a, "--notify-fd needs the number of a descriptor, not '%s'", text);
	flags = fcntl((int)n, F_GETFD);
	if (flags < 0 || fcntl((int)n, F_SETFD, flags | FD_CLOEXEC) < 0)
		return usage(a, "--notify-fd %s: %s", text, strerror(errno));
	a->options->notify_fd = (int)n;
	return OPTIONS_RUN;
}

static enum options_action take_io(struct arguments *a, const char *text)
{
	a->options->poll_loop = strcmp(text, "poll") == 0;
	if (!a->options->poll_loop && strcmp(text, "uring") != 0)
		return usage(a, "--io needs uring or poll, not '%s'", text);
	return OPTIONS_RUN;
}

static enum options_action take_source(struct arguments *a, const char *spec)
{
	char error[CONFIG_ERROR_MAX];

	if (config_add_source(a->config, spec, error) < 0)
		return usage(a, "--source '%s': %s", spec, error);
	return OPTIONS_RUN;
}

/* All that does not wait for the file. */
static enum options_action take_early(struct arguments *a, int opt)
{
	switch (opt) {
	case OPT_CONFIG:
		a->file = optarg;
		return OPTIONS_RUN;
	case OPT_SOURCE:
		return take_source(a, optarg);
	case OPT_NOTIFY_FD:
		return take_notify_fd(a, optarg);
	case OPT_KEEPER:
		a->options->keeper = !getenv(OPTIONS_SUCCESSOR);
		return OPTIONS_RUN;
	case OPT_IO:
		return take_io(a, optarg);
	case OPT_CHECK_CONFIG:
		a->check = true;
		return OPTIONS_RUN;
	case OPT_PROBE:
		a->probe = true;
		return OPTIONS_RUN;
	case OPT_HELP:
		fputs(help, stdout);
		return OPTIONS_EXIT_OK;
	case OPT_VERSION:
		puts("cachefilld " CACHEFILLD_VERSION);
		return OPTIONS_EXIT_OK;
	default:
		return OPTIONS_RUN;
	}
}

/* The daemon leaves the directory that it was started in. */
static enum options_action take_trace(struct arguments *a, const char *path)
{
	_cleanup_free_ char *here = NULL, *whole = NULL;
	char error[CONFIG_ERROR_MAX];

	if (*path && *path != '/') {
		here = getcwd(NULL, 0);
		if (!here || asprintf(&whole, "%s/%s", here, path) < 0)
			return usage(a, "--trace %s: %s", path, strerror(errno));
		path = whole;
	}
	return config_set(a->config, "trace", path, error) < 0 ? usage(a, "%s", error)
							       : OPTIONS_RUN;
}

/* Options that set a key: they come after the file, and win. */
static enum options_action take_late(struct arguments *a, int opt)
{
	char error[CONFIG_ERROR_MAX];
	int r = 0;

	if (opt == OPT_TRACE)
		return take_trace(a, optarg);
	if (opt == OPT_VERBOSE)
		r = config_set(a->config, "log-level", "debug", error);
	else if (opt == OPT_QUIET)
		r = config_set(a->config, "log-level", "warning", error);
	else if (opt >= OPT_KEYS)
		r = config_set(a->config, option_keys[opt - OPT_KEYS], optarg, error);
	return r < 0 ? usage(a, "%s", error) : OPTIONS_RUN;
}

static enum options_action walk(struct arguments *a, int argc, char *const argv[],
				enum options_action (*take)(struct arguments *a, int opt))
{
	enum options_action action = OPTIONS_RUN;

	opterr = 0;
	optind = 0; /* GNU: begin anew */
	while (action == OPTIONS_RUN) {
		int opt = getopt_long(argc, argv, short_options, long_options, NULL);

		if (opt == -1)
			break;
		if (opt == ':')
			return usage(a, "option '%s' needs a value", argv[optind - 1]);
		if (opt == '?' && optopt > 0 && optopt < OPT_SOURCE)
			return usage(a, "bad option '-%c'", optopt);
		if (opt == '?')
			return usage(a, "bad option '%s'", argv[optind - 1]);
		action = take(a, opt);
	}
	if (action == OPTIONS_RUN && optind < argc)
		return usage(a, "unexpected argument '%s'", argv[optind]);
	return action;
}

/* ---- the configuration ------------------------------------------------------------------- */

static enum options_action bad_config(struct arguments *a)
{
	a->placed = a->check;
	return OPTIONS_EXIT_USAGE;
}

static void print_source(const struct config_source *s)
{
	const struct fetcher_class *class = fetcher_class_find(s->rule.locator);
	char locator[LOCATOR_MAX];

	locator_print(s->rule.locator, locator, sizeof(locator));
	if (s->for_keys)
		printf("  %s: volume '%s', cookie '%s' -> %s\n", s->name,
		       s->rule.volume ? s->rule.volume : "*", s->rule.cookie ? s->rule.cookie : "*",
		       locator);
	else
		printf("  %s: images below %s\n", s->name, locator);
	printf("    by %s, open-deadline %ums, read-deadline %ums, max-requests %u,\n"
	       "    revalidate %s, compressed %s\n",
	       class->name, s->open_deadline_ms, s->read_deadline_ms, s->max_requests,
	       s->revalidate ? "yes" : "no",
	       s->compressed == COMPRESSED_WHOLE ? "whole" : "refuse");
}

int options_check_trace(const char *path)
{
	_cleanup_free_ char *dir = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	struct stat st;

	if (!dir)
		return -ENOMEM;
	if (stat(dir, &st) < 0)
		return -errno;
	if (path[strlen(path) - 1] == '/' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return -EISDIR;
	return 0;
}

static enum options_action print_config(struct arguments *a, const char *file)
{
	const struct config *c = a->config;
	int err = c->trace ? options_check_trace(c->trace) : 0;

	if (err < 0) {
		snprintf(a->error, OPTIONS_ERROR_MAX, "%.512s: trace: cannot create %.512s: %s",
			 file, c->trace, strerror(-err));
		return bad_config(a);
	}
	printf("%s: configuration is good: %zu source%s\n", file, c->n_sources,
	       c->n_sources == 1 ? "" : "s");
	printf("  images in domain '%s'\n", c->image_domain);
	for (size_t i = 0; i < c->n_sources; i++)
		print_source(&c->sources[i]);
	if (c->trace)
		printf("  recorded into %s\n", c->trace);
	return OPTIONS_EXIT_OK;
}

/* Whatever is wrong is in a->error. */
static enum options_action parse(struct arguments *a, struct options *ret, int argc,
				 char *const argv[])
{
	enum options_action action = walk(a, argc, argv, take_early);
	const char *file;
	int r;

	if (action != OPTIONS_RUN)
		return action;
	file = a->file ? a->file : CACHEFILLD_CONF;
	r = config_load(a->config, file, a->error);
	if (r < 0 && (r != -ENOENT || a->file))
		return bad_config(a);
	if (r < 0)
		file = "command line";
	action = walk(a, argc, argv, take_late);
	if (action != OPTIONS_RUN)
		return action;
	*ret = *a->options;
	if (a->probe && !a->check)
		return OPTIONS_PROBE;
	if (config_finish(a->config, a->error) < 0)
		return bad_config(a);
	return a->check ? print_config(a, file) : OPTIONS_RUN;
}

enum options_action options_read(struct options *ret, struct config *config, int argc,
				 char *const argv[], char *error)
{
	struct options options = { .notify_fd = -1 };
	struct arguments a = { .options = &options, .config = config, .error = error };

	return parse(&a, ret, argc, argv);
}

enum options_action options_parse(struct options *ret, struct config *config, int argc,
				  char *const argv[])
{
	struct options options = { .notify_fd = -1 };
	char error[OPTIONS_ERROR_MAX];
	struct arguments a = { .options = &options, .config = config, .error = error };
	enum options_action action = parse(&a, ret, argc, argv);

	if (action == OPTIONS_EXIT_USAGE)
		fprintf(stderr, "%s%s\n", a.placed ? "" : "cachefilld: ", error);
	return action;
}
