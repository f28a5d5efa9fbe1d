/* SPDX-License-Identifier: MIT */
/*
 * What the kernel says of this process.
 */
#pragma once

#include <stdint.h>

/* 0: it does not say. */
struct process {
	double cpu_seconds;    /* user and system */
	double start_time;     /* Unix time */
	uint64_t resident;     /* bytes */
	uint64_t virtual;      /* bytes */
	uint64_t fds, max_fds; /* open now (Linux 6.2), and as many as may be */
};

void process_look(struct process *ret);
