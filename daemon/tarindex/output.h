/* SPDX-License-Identifier: MIT */
/*
 * A file that is written front to back, and its SHA-256.
 */
#pragma once

#include "daemon/tarindex/image.h"
#include "daemon/util/sha256.h"

struct output {
	struct image_sink sink; /* first: found again by it */
	int fd;		    /* borrowed */
	struct sha256 *sha; /* owned */
	uint8_t *buf;	    /* owned */
	size_t filled;
	uint64_t size; /* bytes so far */
};

int output_begin(struct output *out, int fd); /* -ENOMEM, and nothing to end */
int output_write(struct output *out, const void *bytes, size_t len);

/* Writes what is left to the file and its digest to hex. */
int output_finish(struct output *out, char hex[static SHA256_HEX]);
void output_end(struct output *out);
