/* SPDX-License-Identifier: MIT */
/*
 * A running daemon and its control socket, by libcurl; see cachefilld-control(7). What these
 * commands do alike: --json prints what the daemon has said, --socket says where it is, and the
 * exit status tells that there is none (CTL_ABSENT) or that it is not for us (CTL_DENIED).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/ctl/ctl.h"

enum { DAEMON_ERROR_MAX = 512 };

struct daemon {
	const char *socket; /* NULL: that of the configuration */
	bool json;
	unsigned int seconds; /* that an answer may take; 0: 60 */
	char *error;	      /* DAEMON_ERROR_MAX: what is wrong goes there; NULL: to stderr */
};

enum { DAEMON_OPT_SOCKET = 0x200, DAEMON_OPT_JSON };

#define DAEMON_OPTIONS                                                    \
	{ "json", no_argument, NULL, DAEMON_OPT_JSON },                   \
		{ "socket", required_argument, NULL, DAEMON_OPT_SOCKET }, \
	{                                                                 \
		"help", no_argument, NULL, 'h'                            \
	}
#define DAEMON_HELP                                                                       \
	"      --json             print what the daemon says\n"                           \
	"      --socket PATH      where it listens (control-socket in cachefilld.conf)\n" \
	"  -h, --help             print this\n"

/* false: it is none of DAEMON_OPTIONS. */
bool daemon_option(struct daemon *daemon, int opt);

/*
 * Options of a command that has no others; optind is the first argument then. false: *ret_status.
 */
bool daemon_options(struct daemon *daemon, const struct ctl_syntax *syntax, int argc, char *argv[],
		    int *ret_status);

/*
 * Asks, and says what is wrong. body (consumed) NULL: none. *ret is the caller's, for
 * json_decref(). An exit status.
 */
int daemon_ask(const struct daemon *daemon, const char *method, const char *uri, json_t *body,
	       json_t **ret);

/* The answer goes to `take` as it comes; false ends it. */
int daemon_stream(const struct daemon *daemon, const char *uri,
		  bool (*take)(void *arg, const char *data, size_t n), void *arg);

/* Percent-encoded; owned by the caller. NULL: no memory. */
char *daemon_encode(const char *text);

/* ---- of answers: what is missing is 0 or "" -------------------------------------------------- */

uint64_t daemon_number(const json_t *object, const char *name);
double daemon_real(const json_t *object, const char *name);
const char *daemon_text(const json_t *object, const char *name);
