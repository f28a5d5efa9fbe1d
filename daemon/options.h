/* SPDX-License-Identifier: MIT */
/*
 * argv -> struct options and, over what the configuration file says, struct config.
 */
#pragma once

#include <stdbool.h>

#include "daemon/config.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_EXIT_OK,    /* --help, --version, a good --check-config: printed already */
	OPTIONS_EXIT_USAGE, /* printed already on stderr; exit status 2 */
	OPTIONS_PROBE,
};

struct options {
	int notify_fd;	/* -1: none; "READY=1\n" is written there when the daemon serves */
	bool poll_loop; /* --io=poll: without io_uring */
	bool keeper;	/* --keeper, and this is not what a keeper has started */
};

/* In the environment of processes that go on for an earlier one: its --keeper is above them, and
 * its
 * --notify-fd has been written to. */
#define OPTIONS_SUCCESSOR "CACHEFILLD_SUCCESSOR"

#define OPTIONS_ERROR_MAX (CONFIG_ERROR_MAX + 128)

/* The default configuration file is read when it exists; one named by --config must. */
enum options_action options_parse(struct options *ret, struct config *config, int argc,
				  char *const argv[]);

/* The same for a process that runs already: what is wrong is a sentence in error (OPTIONS_ERROR_MAX
 * bytes) and not printed. */
enum options_action options_read(struct options *ret, struct config *config, int argc,
				 char *const argv[], char *error);

/* 0 or a negative errno, as far as can be told without making it: whoever checks may not be who
 * runs. */
int options_check_trace(const char *path);
