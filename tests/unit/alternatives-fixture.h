/* SPDX-License-Identifier: MIT */
/*
 * One source at three origins that are scripts, in virtual time, and requests to it. All have the
 * same bytes under the same name; each has a validator of its own.
 */
#pragma once

#include <check.h>

#include "fetchers/alternatives.h"
#include "tests/lib/fake-fetcher.h"

#define SIZE ((uint64_t)1 << 20)
#define N    3
#define A    0 /* the source itself */
#define B    1
#define C    2

extern struct loop *loop;
extern struct fake *fakes[N];
extern struct fake_origin *origins[N];
extern struct fetcher *fetcher;	    /* in front of all */
extern struct fetch_object *object; /* attached to it */

/* Cases, which are the suite's, of an object whose alternatives are trusted, are not, and need no
 * trust, since it is named by its content. */
TCase *trusted_case(Suite *s);
TCase *untrusted_case(Suite *s);
TCase *named_case(Suite *s);

/* Attaches `object`, which is detached before, as what was known by this validator. */
void attach(const char *validator);

/* Lets this much virtual time go by. */
void pass(uint64_t ns);

/* ---- origins ----------------------------------------------------------------------------- */

/* What says that another origin may do better. */
#define FAILURES 8
extern const int failures[FAILURES];

/* From now on it fails at everything; and no more. */
void break_down(int i, int err);
void heal(int i);

/* How often it was asked for anything. */
unsigned int contacts(int i);
const struct fetch_health *health(int i);

/* ---- requests ---------------------------------------------------------------------------- */

struct watched {
	struct fetch_look look;
	struct fetch_read read;
	char locator[128];
	unsigned int done;
	int err;
	size_t progress;
};

/* The end of one; its error. */
int wait_for(struct watched *w);

/* Begins a look, for something new or for a change of what is known; and one from start to end, the
 * second not at whom was asked last. */
void start_look(struct watched *w, const struct fetch_identity *known);
int look(struct watched *w);
int look_elsewhere(struct watched *w);
int look_again(struct watched *w, const char *validator);

/* Begins a read, the second not at whom was asked last. */
void start_read(struct watched *w, uint64_t off, size_t len);
void start_elsewhere(struct watched *w, uint64_t off, size_t len);
/* Waits; what has come is right, whoever sent it. */
int end_read(struct watched *w);
/* One from start to end. */
int read_some(struct watched *w, uint64_t off, size_t len);
