/* SPDX-License-Identifier: MIT */
/*
 * The scripted server of tests/lib/origin.h as a program, for shell scenarios:
 *
 *	origin-server --port P [--bind ADDRESS] --root DIR [--log FILE]
 *
 * Prints its URL when it serves; ends by SIGTERM or SIGINT.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/origin.h"

static int usage(void)
{
	fprintf(stderr, "usage: origin-server --port P [--bind ADDRESS] --root DIR [--log FILE]\n");
	return 2;
}

static int serve(const struct origin_options *options)
{
	struct origin *origin = NULL;
	sigset_t set;
	int r, signo;

	/* Before there are threads, so that none of them takes the signal. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = origin_start(&origin, options);
	if (r < 0) {
		fprintf(stderr, "origin-server: %s\n", strerror(-r));
		return 1;
	}
	puts(origin_url(origin));
	fflush(stdout);
	sigwait(&set, &signo);
	origin_stop(origin);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "bind", required_argument, NULL, 'b' },
		{ "root", required_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ 0 },
	};
	struct origin_options options = { 0 };
	int c, r;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'p')
			options.port = (uint16_t)atoi(optarg);
		else if (c == 'b')
			options.bind = optarg;
		else if (c == 'r')
			options.root = optarg;
		else if (c == 'l')
			options.log = fopen(optarg, "ae");
		else
			return usage();
		if (c == 'l' && !options.log) {
			perror(optarg);
			return 1;
		}
	}
	if (!options.root || optind != argc)
		return usage();
	r = serve(&options);
	if (options.log)
		fclose(options.log);
	return r;
}
