/* SPDX-License-Identifier: MIT */
/*
 * Work in a process of its own, for a time: what it prints is kept, and whoever waits for it waits
 * no longer than that. A process that sleeps in the kernel, where no signal ends it, is left to
 * itself. So a tool that looks for what is wrong does not hang with it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct apart {
	int (*run)(void *arg); /* in the child; its result is the exit status, up to 99 */
	void *arg;
	unsigned int seconds;

	/* Set by apart_wait(): */
	int status; /* of the exit; 128 + a signal; -ETIMEDOUT; -EFBIG; or why there was none */
	char *out;  /* owned, terminated: standard output, up to APART_OUT_MAX; NULL: no memory */
	size_t n_out;
	char *err; /* owned, terminated: standard error, up to APART_OUT_MAX */
	size_t n_err;

	/* private */
	pid_t pid;
	int out_fd, err_fd;
	size_t out_room, err_room; /* of out and err */
	uint64_t deadline;	   /* ms, monotonic */
};

#define APART_OUT_MAX ((size_t)32 << 20)

/* Starts it; several may be under way. To be followed by apart_wait(), and that by apart_end(). */
void apart_start(struct apart *apart);
void apart_wait(struct apart *apart);
void apart_end(struct apart *apart);
