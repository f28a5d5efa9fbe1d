/* SPDX-License-Identifier: MIT */
/*
 * An archive that a test makes, and what becomes of it: the image and the map.
 */
#pragma once

#include "daemon/tarindex/tarindex.h"
#include "proto/tarmap.h"
#include "tests/lib/tar-make.h"

#define VALIDATOR "etag:\"x\""
#define ADD(...)  tar_make_add(&tar, (struct tar_make_entry){ __VA_ARGS__ })

extern struct tar_make tar;
extern struct tarindex_result result;
extern struct tarmap map;
extern struct bytes image, map_file; /* owned by the fixture */
extern char index_error[TARINDEX_ERROR_MAX];

void setup(void);
void teardown(void);

/* All of the file, which it closes. */
struct bytes slurp(int fd);

/* Indexes the archive, given in pieces of `step` bytes. */
int index_in_steps(size_t step);

/* Ends it, and gives it in one piece. */
void index_whole(void);
