/* SPDX-License-Identifier: MIT */
/*
 * Stores bytes in an object's cache file. Every write is whole 4 KiB blocks from an aligned
 * buffer: a shorter one makes the kernel serve zeros for the rest of its block, and before 6.12 an
 * unaligned offset lands silently in the wrong place. Only this file says that a block is
 * resident, after its write has succeeded.
 */
#pragma once

#include "daemon/engine/engine.h"
#include "daemon/engine/residency.h"

struct sink_write {
	/* stored: bytes from the front that are in the file (a multiple of 4 KiB), also on error.
	 */
	void (*done)(struct sink_write *write, uint64_t stored, int err);
	/* private */
	struct loop *loop;
	struct sink *sink;
	struct residency *residency;
	struct loop_op op;
	struct loop_timer retry;
	const uint8_t *buf;
	uint64_t off, len, stored;
	unsigned int tries;
	bool canceled;
};

/* off, len and buf are multiples of 4096 (asserted). */
void sink_write(struct loop *loop, struct sink *sink, struct residency *residency,
		struct sink_write *write, const void *buf, uint64_t off, uint64_t len);

/* done() still comes: soon, with what was stored and -ECANCELED where bytes are left. */
void sink_write_cancel(struct sink_write *write);

/* Waits for the writes under way, then answers (deferred). */
void sink_close(struct loop *loop, struct sink *sink, struct engine_close *close);
