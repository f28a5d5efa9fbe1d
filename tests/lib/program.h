/* SPDX-License-Identifier: MIT */
/*
 * A life of the daemon in bytes: each few of them are one event on the rig, of the kernel, of the
 * origin, of the disk, of the daemon itself, or time that goes by. Any bytes are a program, so that
 * chance and fuzzers can write them, and a byte changed is an event changed, not another program.
 *
 * There is nothing to expect but what always holds. At the end the origin and the disk are well
 * again, time passes, and then: nobody waits any more, every open object whose version is still
 * served can be read from end to end, all of it is closed, and the oracle is content. What is
 * not so fails by ck_assert(), as everywhere in the rig.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct port;

struct program_options {
	/*
	 * Where the events are written in the words of a scenario (tests/lib/scenario.h), or NULL.
	 * There are two differences: umount does not wait here, and what a daemon needs to begin
	 * again after a `kernel die` (all mounts closed, stop, start) is one event.
	 */
	FILE *script;
	/* Cache files on a disk, with the rules of direct I/O; in memory is several times faster.
	 */
	bool on_disk;
	/* Optional, for other things that go wrong: they may from weather(true) on, and not any
	 * more after weather(false), at the end and while a daemon begins. */
	void (*weather)(bool bad);
	void (*decorate)(struct port **port); /* of the rig */
};

void program_run(const void *bytes, size_t n, const struct program_options *options);
