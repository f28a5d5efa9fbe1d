/* SPDX-License-Identifier: MIT */
/*
 * An object with a digest, and its hash tree, on virtual time: what each of them really is, what is
 * sent, and requests that look at each byte they get. Trees are made by libfsverity.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/verify.h"
#include "tests/lib/fake-fetcher.h"
#include "tests/lib/verity-make.h"

#define BLOCK  FSVERITY_BLOCK
#define PLACE  "fake://origin.example/object"
#define BESIDE PLACE ".verity"

/* Bytes in memory that somebody serves. */
struct memory {
	struct emu_origin bytes;
	uint8_t *at; /* owned */
};

extern struct loop *loop;
extern struct fake *fake;
extern struct fetcher *fetcher;
extern struct memory data, tree; /* as they are sent */
extern struct memory good_data, good_tree;
extern struct fake_origin *data_origin, *tree_origin;
extern struct fetch_identity identity;
extern char locator[4096];
extern struct fetch_object *object;

void setup(void);
void teardown(void);

void memory_set(struct memory *m, const void *bytes, size_t len);
/* The fake's own bytes go through its origin: this one's are put in their place. */
void sent_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n);

void attach(void);
void drop_object(void);
/* As after a restart: nothing of a tree is kept. */
void restart(void);
/* Serves an object of that size with its tree. */
void serve(size_t size, const char *salt);

/* ---- requests ----------------------------------------------------------------------------- */

struct request {
	struct fetch_read read;
	int err;
	bool done;
	size_t progress;
};

void start(struct request *r, uint64_t off, size_t len);
int finish(struct request *r);
int read_range(struct request *r, uint64_t off, size_t len);
void read_done(struct fetch_read *read, int err);

struct look {
	struct fetch_look look;
	int err;
	bool done;
};

void look_start(struct look *l, size_t head_len);
int look_finish(struct look *l);
int look_at(struct look *l, size_t head_len);
