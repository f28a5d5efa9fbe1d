/* SPDX-License-Identifier: MIT */
#include "tests/faults/table.h"

#include <string.h>

static const char *const words[] = { [MATRIX_RIGHT] = "right bytes",
				     [MATRIX_ERROR] = "error",
				     [MATRIX_EXPIRED] = "error at the deadline",
				     [MATRIX_WRONG] = "**wrong bytes**" };

static enum matrix_outcome outcome(const struct table_row *rows, int i, int phase, int passes)
{
	/* What is not there is as its neighbour. */
	if (!matrix_applies(&matrix_rows[i], (enum matrix_phase)phase))
		phase = phase == MATRIX_OPEN ? MATRIX_FIRST : MATRIX_MIDDLE;
	return rows[i].outcomes[phase][passes];
}

static bool alike(const struct table_row *rows, int a, int b)
{
	for (int phase = 0; phase < MATRIX_PHASES; phase++)
		for (int passes = 0; passes < MATRIX_PASSES; passes++)
			if (outcome(rows, a, phase, passes) != outcome(rows, b, phase, passes))
				return false;
	return true;
}

/* All rows that are as row i, which is the first of them. */
static void write_names(FILE *f, const struct table_row *rows, int i)
{
	fprintf(f, "| %s", matrix_rows[i].name);
	for (int k = i + 1; k < matrix_n_rows; k++)
		if (alike(rows, i, k))
			fprintf(f, "; %s", matrix_rows[k].name);
}

/* One word where all phases have the same; otherwise those that differ from the first reads. */
static void write_outcomes(FILE *f, const struct table_row *rows, int i, int passes)
{
	static const char *const phases[] = { "a mount", "a first read", "a read",
					      "what is read ahead" };
	enum matrix_outcome usual = outcome(rows, i, MATRIX_MIDDLE, passes);

	fprintf(f, " | %s", words[usual]);
	for (int phase = 0; phase < MATRIX_PHASES; phase++) {
		enum matrix_outcome other = outcome(rows, i, phase, passes);

		if (other != usual)
			fprintf(f, "; %s: %s", phases[phase], words[other]);
	}
}

static bool is_first(const struct table_row *rows, int i)
{
	for (int k = 0; k < i; k++)
		if (alike(rows, k, i))
			return false;
	return true;
}

void table_write(FILE *f, const struct table_row *rows)
{
	fputs("| what goes wrong | and passes within a second | and stays | and stays, with an "
	      "alternative |\n|---|---|---|---|\n",
	      f);
	for (int i = 0; i < matrix_n_rows; i++) {
		if (!is_first(rows, i))
			continue;
		write_names(f, rows, i);
		write_outcomes(f, rows, i, MATRIX_SOON);
		write_outcomes(f, rows, i, MATRIX_STAYS);
		write_outcomes(f, rows, i, MATRIX_TURNS);
		fputs(" |\n", f);
	}
}
