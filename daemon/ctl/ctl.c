/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/ctl.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/progress.h"

const char *ctl_program = "cachefillctl";

int ctl_error(const char *fmt, ...)
{
	va_list ap;

	progress_hide();
	fflush(stdout); /* in the order in which it happened, also in one file */
	fprintf(stderr, "%s: ", ctl_program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CTL_FAILED;
}

int ctl_usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	progress_hide();
	fputs("cachefillctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ". Try '%s --help'.\n", command);
	return CTL_USAGE;
}

static int bad_option(const struct ctl_syntax *syntax, int opt, const char *arg)
{
	if (opt == ':')
		return ctl_usage(syntax->command, "option '%s' needs a value", arg);
	if (optopt > 0 && optopt < 256)
		return ctl_usage(syntax->command, "bad option '-%c'", optopt);
	return ctl_usage(syntax->command, "bad option '%s'", arg);
}

int ctl_getopt(const struct ctl_syntax *syntax, int argc, char *argv[], int *ret_status)
{
	char shorts[32];
	int opt;

	/* ":": a missing value is told apart. */
	snprintf(shorts, sizeof(shorts), ":%s", syntax->shorts);
	opterr = 0;
	opt = getopt_long(argc, argv, shorts, syntax->options, NULL);
	switch (opt) {
	case -1:
		return CTL_OPTIONS_END;
	case 'h':
		fputs(syntax->help, stdout);
		*ret_status = CTL_OK;
		return CTL_OPTIONS_EXIT;
	case ':':
	case '?':
		*ret_status = bad_option(syntax, opt, argv[optind - 1]);
		return CTL_OPTIONS_EXIT;
	default:
		return opt;
	}
}

static int print_help(const struct ctl_command *commands, const char *prefix, bool top)
{
	printf("Usage: %s COMMAND ...\n\nCommands:\n", prefix);
	for (const struct ctl_command *c = commands; c->name; c++)
		printf("  %s %s\n      %s\n", c->name, c->arguments, c->help);
	printf("\n  -h, --help             print this\n%s"
	       "\n'%s COMMAND --help' says more. See cachefillctl(1).\n",
	       top ? "  -V, --version          print the version\n" : "", prefix);
	return CTL_OK;
}

int ctl_dispatch(const struct ctl_command *commands, const char *prefix, int argc, char *argv[])
{
	bool top = !strchr(prefix, ' ');

	if (argc < 2)
		return ctl_usage(prefix, "a command is missing");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help(commands, prefix, top);
	if (top && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
		puts("cachefillctl " CACHEFILL_VERSION);
		return CTL_OK;
	}
	for (const struct ctl_command *c = commands; c->name; c++)
		if (strcmp(argv[1], c->name) == 0) {
			optind = 0; /* GNU: begin anew */
			return c->run(argc - 1, argv + 1);
		}
	return ctl_usage(prefix, "there is no %s '%s'", argv[1][0] == '-' ? "option" : "command",
			 argv[1]);
}
