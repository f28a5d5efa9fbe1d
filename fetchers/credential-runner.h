/* SPDX-License-Identifier: MIT */
/*
 * What the daemon and the process that runs credential helpers say to each other: one packet for a
 * question, one for its answer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RUNNER_OUTPUT_MAX = 64 << 10, /* of a helper */
	RUNNER_NAME_MAX = 256,	      /* with its NUL */
	RUNNER_SERVER_MAX = 1024,
	RUNNER_SECONDS = 20, /* for a helper, so that an OPEN still has its answer in 30 */
	RUNNER_AT_ONCE = 8,
};

struct runner_question {
	uint64_t id;
	uint32_t seconds; /* how long the helper may take */
	char helper[RUNNER_NAME_MAX], server[RUNNER_SERVER_MAX];
};

enum runner_end {
	RUNNER_EXITED,	/* detail: its status, as of wait(2) */
	RUNNER_MISSING, /* no such program in $PATH */
	RUNNER_LATE,
	RUNNER_LONG,
	RUNNER_ERROR, /* detail: errno */
};

struct runner_answer {
	uint64_t id;
	uint32_t end; /* enum runner_end */
	int32_t detail;
	char output[RUNNER_OUTPUT_MAX]; /* as long as the packet */
};

/* The process: answers questions until the socket ends. Does not return. */
_Noreturn void runner_main(int socket);

/* Forks the process; the other end of its socket, and its number. */
int runner_start(int *ret_socket, pid_t *ret_pid, int (*confine)(void));
