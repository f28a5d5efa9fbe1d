/* SPDX-License-Identifier: MIT */
/*
 * The proxy of tests/lib/proxy.h as a program, for shell scenarios:
 *
 *	fault-proxy --upstream PORT [--port P] [--bind ADDRESS] [--certificates DIR] [--seed N]
 *		    [--log FILE]
 *
 * Prints its port when it serves. Each line of its input is a list of faults (http-fault.h), which
 * holds when the line "ok" has come out, an empty one the end of them. Ends with its input, or by
 * SIGTERM or SIGINT.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/proxy.h"

struct program {
	struct loop *loop;
	struct proxy *proxy;
	struct loop_signal sig;
	struct loop_watch input;
	char line[512];
	size_t have;
};

static int usage(void)
{
	fprintf(stderr, "usage: fault-proxy --upstream PORT [--port P] [--bind ADDRESS] "
			"[--certificates DIR] [--seed N] [--log FILE]\n");
	return 2;
}

static void caught(struct loop_signal *sig, int signo)
{
	loop_stop(container_of(sig, struct program, sig)->loop);
}

/* As many lines as there are. */
static void obey(struct program *p)
{
	char *end;

	while ((end = memchr(p->line, '\n', p->have))) {
		size_t n = (size_t)(end + 1 - p->line);

		*end = '\0';
		puts(proxy_fault(p->proxy, p->line) ? "ok" : "no such faults");
		fflush(stdout);
		p->have -= n;
		memmove(p->line, end + 1, p->have);
	}
}

static void input_ready(struct loop_watch *watch, uint32_t events)
{
	struct program *p = container_of(watch, struct program, input);
	ssize_t n = read(STDIN_FILENO, p->line + p->have, sizeof(p->line) - p->have);

	if (n <= 0) {
		loop_stop(p->loop);
		return;
	}
	p->have += (size_t)n;
	obey(p);
}

static void end(struct program *p)
{
	proxy_free(p->proxy);
	loop_watch_remove(&p->input);
	loop_signal_remove(&p->sig);
	loop_free(p->loop);
}

static int serve(const struct proxy_options *options)
{
	static const int signos[] = { SIGTERM, SIGINT };
	struct program p = { .sig.caught = caught, .input.ready = input_ready };
	int err = loop_new(&p.loop, LOOP_POLL);

	if (err == 0)
		err = loop_signal_add(p.loop, &p.sig, signos, 2);
	if (err == 0)
		err = loop_watch_add(p.loop, &p.input, STDIN_FILENO, POLLIN);
	if (err == 0)
		err = proxy_new(&p.proxy, p.loop, options);
	if (err == 0) {
		printf("%u\n", proxy_port(p.proxy));
		fflush(stdout);
		err = loop_run(p.loop);
	}
	if (err < 0)
		fprintf(stderr, "fault-proxy: %s\n", strerror(-err));
	end(&p);
	return err < 0;
}

static bool take(struct proxy_options *options, int c)
{
	switch (c) {
	case 'p':
		options->port = (uint16_t)atoi(optarg);
		return true;
	case 'u':
		options->upstream = (uint16_t)atoi(optarg);
		return true;
	case 'b':
		options->bind = optarg;
		return true;
	case 'c':
		options->certificates = optarg;
		return true;
	case 's':
		options->seed = strtoull(optarg, NULL, 10);
		return true;
	case 'l':
		options->log = fopen(optarg, "ae");
		return options->log;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "upstream", required_argument, NULL, 'u' },
		{ "bind", required_argument, NULL, 'b' },
		{ "certificates", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "log", required_argument, NULL, 'l' },
		{ 0 },
	};
	struct proxy_options options = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (!take(&options, c))
			return usage();
	if (!options.upstream || optind != argc)
		return usage();
	return serve(&options);
}
