/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl(1): tables of commands, and what they share.
 *
 * Each command parses its own options (getopt_long), prints results on stdout and trouble on
 * stderr as "cachefillctl: ...", and returns an exit status: CTL_OK, CTL_FAILED for trouble and
 * for a negative verdict, CTL_USAGE for a wrong command line, others where a script has to know.
 * --json prints one JSON document, or one line each for a stream. Colours and redrawn lines only on
 * a terminal, never with $NO_COLOR.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_ABSENT = 3, /* there is no daemon that could be asked */
	CTL_DENIED = 4, /* it is not for who asks */
};

struct ctl_command {
	const char *name;
	const char *arguments;		    /* "[--json] FILE", for the one-line usage */
	const char *help;		    /* half a line */
	int (*run)(int argc, char *argv[]); /* argv[0] is the name */
};

/*
 * Finds argv[1] in the table (ends with a NULL name) and runs it with the rest. Understands
 * --help and, at the top, --version; `prefix` ("cachefillctl trace") stands in usages.
 */
int ctl_dispatch(const struct ctl_command *commands, const char *prefix, int argc, char *argv[]);

/*
 * The options of one command; `options` has one with 'h' for --help, of which `help` is the whole
 * text ("Usage: ...").
 */
struct ctl_syntax {
	const char *command;	      /* "cachefillctl trace show" */
	const char *shorts;	      /* as getopt(3), "ho:" */
	const struct option *options; /* as getopt_long(3) */
	const char *help;
};

#define CTL_OPTIONS_END	 (-1) /* optind is the first argument */
#define CTL_OPTIONS_EXIT (-2)

/*
 * The next option, its value in optarg. CTL_OPTIONS_EXIT: return *ret_status; --help was printed,
 * or what is wrong.
 */
int ctl_getopt(const struct ctl_syntax *syntax, int argc, char *argv[], int *ret_status);

/* How the program was called, for messages: "cachefillctl" but for the helpers of mount(8). */
extern const char *ctl_program;

/* "cachefillctl: MESSAGE" on stderr; returns CTL_FAILED, so that it can be returned. */
int ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with "Try '... --help'.", returns CTL_USAGE. */
int ctl_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "128 KiB", "1.5 MiB"; and "12.3 ms": short, for people, static buffers are not used. */
char *ctl_bytes(uint64_t bytes, char *buf, size_t n);
char *ctl_time(uint64_t ns, char *buf, size_t n);

/* "64K", "1M", "1.5s", "10ms": 0 or -EINVAL. A time needs its unit. */
int ctl_parse_bytes(const char *text, uint64_t *ret);
int ctl_parse_time(const char *text, uint64_t *ret);

/* The commands of `cachefillctl trace`. */
int ctl_trace(int argc, char *argv[]);
int ctl_trace_show(int argc, char *argv[]);
int ctl_trace_stats(int argc, char *argv[]);
int ctl_trace_plot(int argc, char *argv[]);
int ctl_trace_cut(int argc, char *argv[]);
int ctl_trace_merge(int argc, char *argv[]);
int ctl_trace_verify(int argc, char *argv[]);
int ctl_trace_plan(int argc, char *argv[]);
int ctl_trace_anonymise(int argc, char *argv[]);
int ctl_trace_replay(int argc, char *argv[]);

/* Those that ask a running daemon. */
int ctl_status(int argc, char *argv[]);
int ctl_objects(int argc, char *argv[]);
int ctl_flights(int argc, char *argv[]);
int ctl_origins(int argc, char *argv[]);
int ctl_whois(int argc, char *argv[]);
int ctl_purge(int argc, char *argv[]);
int ctl_evict(int argc, char *argv[]);
int ctl_gc(int argc, char *argv[]);
int ctl_reload(int argc, char *argv[]);
int ctl_log_level(int argc, char *argv[]);
int ctl_trace_start(int argc, char *argv[]);
int ctl_trace_stop(int argc, char *argv[]);
int ctl_events(int argc, char *argv[]);
int ctl_metrics(int argc, char *argv[]);
int ctl_top(int argc, char *argv[]);

/* What is wrong. */
int ctl_doctor(int argc, char *argv[]);
int ctl_explain(int argc, char *argv[]);
int ctl_bugreport(int argc, char *argv[]);

/* Mounted images. */
int ctl_mount(int argc, char *argv[]);
int ctl_umount(int argc, char *argv[]);
int ctl_mounts(int argc, char *argv[]);
/* By the names mount.cachefill and umount.cachefill; they return statuses of mount(8). */
int ctl_mount_helper(int argc, char *argv[]);
int ctl_umount_helper(int argc, char *argv[]);

/* Layers for podman: `cachefillctl als`. */
int ctl_als(int argc, char *argv[]);
int ctl_als_add(int argc, char *argv[]);
int ctl_als_ls(int argc, char *argv[]);
int ctl_als_rm(int argc, char *argv[]);
