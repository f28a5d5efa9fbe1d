/* SPDX-License-Identifier: MIT */
/*
 * Fault x phase x when it passes -> what becomes of a reader. What always holds is asserted by each
 * cell; what depends on the fault is its outcome, and a line of the table.
 */
#pragma once

#include "tests/faults/wire.h"

enum matrix_phase {
	MATRIX_OPEN,   /* a mount */
	MATRIX_FIRST,  /* the first read behind the first bytes */
	MATRIX_MIDDLE, /* a read that is half cached, on connections in use */
	MATRIX_AHEAD,  /* what is fetched ahead of a sequential reader */
	MATRIX_PHASES,
};

enum matrix_passes {
	MATRIX_SOON,  /* a second after it has begun */
	MATRIX_STAYS, /* until the reader has been answered, twice */
	MATRIX_TURNS, /* the same, and there is an alternative to turn to */
	MATRIX_PASSES,
};

enum matrix_outcome {
	MATRIX_RIGHT,	/* the bytes of the origin */
	MATRIX_ERROR,	/* an error, before the deadline */
	MATRIX_EXPIRED, /* an error, when the deadline came */
	MATRIX_WRONG,	/* other bytes than those of the origin, which nobody can know */
};

struct matrix_row {
	const char *name;
	const char *faults; /* of http-fault.h */
	enum wire_scheme scheme;
	enum wire_resolver resolver;
	bool reads_only;    /* a look has not what is wrong there */
	bool unnoticed;	    /* no client can tell */
	const char *always; /* what is so before and after, too; NULL: nothing */
};

extern const struct matrix_row matrix_rows[];
extern const int matrix_n_rows;

/* Whether there is such a cell: connections are made and names looked up for whoever comes first,
 * not ahead of anybody. */
bool matrix_applies(const struct matrix_row *row, enum matrix_phase phase);

/* Fails the test where something does not hold that always must. */
enum matrix_outcome matrix_cell(const struct matrix_row *row, enum matrix_phase phase,
				enum matrix_passes passes);
