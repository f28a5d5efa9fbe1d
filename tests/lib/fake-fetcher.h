/* SPDX-License-Identifier: MIT */
/*
 * A fetcher whose origin is a script: bytes computed, delays on the loop's time, errors and stalls
 * where the test wants them. It asserts what fetcher.h demands of callers, and counts what a
 * caller might ask twice.
 */
#pragma once

#include <stdbool.h>

#include "fetchers/fetcher.h"
#include "tests/lib/emu.h"

#define FAKE_NOWHERE UINT64_MAX

/* One object. The test changes the first part at any time; the second is what was seen. */
struct fake_origin {
	struct emu_origin bytes; /* first: it is the oracle's origin as well */
	char *locator;		 /* owned */
	const char *validator;	 /* borrowed */
	uint64_t seed;		 /* other bytes for another version */
	bool image;		 /* block 0 is the superblock of an EROFS image */
	bool compressed;	 /* the same, of a compressed one */
	uint64_t look_delay;	 /* ns */
	int look_error;		 /* negative errno, 0: none */
	bool look_stalls;
	size_t look_cut;    /* more bytes than this never come at once, 0: they do */
	uint64_t delay;	    /* ns to the first byte of a read */
	uint64_t step;	    /* bytes that arrive at a time; 0: all at once */
	uint64_t step_time; /* ns between two of them */
	uint64_t stall_at;  /* a read does not get beyond this offset, ever */
	uint64_t fail_at;   /* a read fails there, with read_error; bytes before it arrive */
	int read_error;
	uint64_t retry_after; /* ns: what an error says of it */
	bool stall_always;    /* each read does not begin */
	bool fail_always;     /* each read fails at its beginning, with read_error */
	const struct emu_origin *elsewhere; /* who fills what is asked for again; NULL: this */

	unsigned int looks, reads, reads_elsewhere;
	uint64_t bytes_asked;
	uint64_t blocks_asked_twice; /* 4 KiB blocks that were asked for again */
	uint64_t attached;
	uint8_t *asked; /* owned; one bit for each block; NULL: too many */
	TAILQ_ENTRY(fake_origin) link;
};

struct fake;

struct fake *fake_new(struct loop *loop);
/* Frees the origins as well; the fetcher has been freed before by fake_fetcher()->ops->free(). */
void fake_free(struct fake *fake);

/* Its free(), once for each call, only checks at last that nothing is left: the script outlives
 * daemons. */
struct fetcher *fake_fetcher(struct fake *fake);

/* A new object, served at once; owned by the fake. Copies the locator. */
struct fake_origin *fake_serve(struct fake *fake, const char *locator, uint64_t size);

/* From now on the object at that locator is another one, with other bytes. The old one stays
 * valid, for the oracle; whoever is attached to it finds that it has changed. */
struct fake_origin *fake_replace(struct fake *fake, struct fake_origin *old, uint64_t size,
				 const char *validator);

/* Lets every read and look that has stalled go on. */
void fake_unstall(struct fake *fake, struct fake_origin *origin);

unsigned int fake_running(const struct fake *fake);	/* reads under way now */
unsigned int fake_running_max(const struct fake *fake); /* most at the same time */
uint64_t fake_bytes_max(const struct fake *fake);	/* most in their buffers together */
