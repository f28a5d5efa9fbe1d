/* SPDX-License-Identifier: MIT */
/*
 * What became of readers, as markdown: one line for all faults that had the same outcomes.
 */
#pragma once

#include <stdio.h>

#include "tests/faults/matrix.h"

/* Of one row, where there is such a cell. */
struct table_row {
	enum matrix_outcome outcomes[MATRIX_PHASES][MATRIX_PASSES];
};

/* rows[i] are the outcomes of matrix_rows[i]. */
void table_write(FILE *f, const struct table_row *rows);
