/* SPDX-License-Identifier: MIT */
/*
 * Reads an index, a file on this host, through the loop in pieces: the SHA-256 of all of it, and
 * its first part to keep.
 */
#pragma once

#include <stdbool.h>

#include "daemon/util/bytes.h"
#include "daemon/util/sha256.h"
#include "fetchers/fetcher.h"

struct index_file {
	/* Set by the caller: */
	struct loop *loop;
	uint64_t size_max;
	uint64_t (*keep)(struct bytes first, uint64_t size);
	void (*done)(struct index_file *file, int err);
	/* After done(file, 0), the caller's: */
	int fd;
	uint8_t *kept;
	size_t n_kept;
	uint64_t size; /* bytes of the file */
	char sha256[SHA256_HEX];
	/* After an error: half a sentence. */
	const char *why;
	/* private */
	struct loop_op op;
	struct loop_deferred deferred;
	struct sha256 *sha;
	uint8_t *piece;
	uint64_t at;
	int err;
	bool canceled;
};

/* done() comes once, never from inside. An error is one of the contract's. */
void index_file_load(struct index_file *file, const char *path);

/* done() still comes, soon. */
void index_file_cancel(struct index_file *file);
