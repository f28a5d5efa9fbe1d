/* SPDX-License-Identifier: MIT */
/*
 * From a directory to an EROFS image, by mkfs.erofs(1). The same directory gives the same bytes:
 * UUID and time are ours, names are sorted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct build_mkfs {
	uint64_t
		chunk_size; /* bytes; 0: no chunks, so that ends of files lie beside their inodes */
	const char *compressor; /* "lz4hc,12"; NULL: none */
	const char *uuid;
	bool timed;	  /* nothing is later than: */
	time_t timestamp; /* seconds; else of the newest file */
	bool json;	  /* no progress */
};

#define BUILD_UUID_NONE "00000000-0000-0000-0000-000000000000"

/* From 1 MiB on: smaller ones make one request each. A power of two. */
bool build_chunk_size_good(uint64_t size);
bool build_compressor_good(const char *text); /* lz4, lz4hc, with ",LEVEL" */
bool build_uuid_good(const char *text);

/*
 * Makes `out`, which exists and is empty. what: for progress and errors. CTL_OK, or CTL_FAILED
 * after it has said why; what is in out then is of no use.
 */
int build_mkfs(const struct build_mkfs *mkfs, const char *dir, const char *out, const char *what);
