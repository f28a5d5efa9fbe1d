/* SPDX-License-Identifier: MIT */
/*
 * Makes one thing fail: the n-th allocation, the n-th system call, the n-th timer of the daemon. In
 * a program that is linked with `faulty` (tests/torture/meson.build) the daemon's own objects call
 * the functions of fault.c instead of libc's; libraries and test code go on to call the real ones.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_ALLOC, /* malloc, ... tsearch, mmap: out of memory */
	FAULT_LOOP,  /* loop_timer_set, loop_watch_add, loop_watch_modify: -ENOMEM where they may */
	FAULT_OP,    /* loop_pread, loop_pwrite: canceled at once, as at a shutdown */
	FAULT_WRITE, /* pwrite, write: error; with error 0, at most half of the bytes */
	FAULT_READ,  /* pread, read: the same */
	FAULT_CALL,  /* other system calls: error */
	FAULT_PORT_RECEIVE, /* calls of the device port, see fault_port() */
	FAULT_PORT_COMMAND,
	FAULT_PORT_COMPLETE,
	FAULT_KINDS,
};

/*
 * The n-th (from 0) of a kind fails with this error (positive errno), and so do the `more` that
 * follow it. What is held does not count.
 */
void fault_arm(enum fault_kind kind, uint64_t n, int error, unsigned int more);
void fault_disarm(void);
void fault_hold(bool hold);

/* Whether it has come to the failure since fault_arm(). */
bool fault_struck(void);

/* For things that fail elsewhere: true when this one has to. *error: with what (positive). */
bool fault_point(enum fault_kind kind, int *error);

struct port;

/*
 * Puts a port around *port of the rig whose calls fail as armed. receive: -EMFILE fails the next
 * OPEN (as emu_fail_delivery()), other errors leave the message where it is. command: EIO is the
 * death of the device. command, complete: other errors are told after the kernel has taken the
 * answer, as EINVAL is to one that comes too late.
 */
void fault_port(struct port **port);
