/* SPDX-License-Identifier: MIT */
/*
 * Every fault at every phase, and an origin that changes: test-faults [FILE]. What became of
 * readers is written to FILE, as a table for contrib/FAULTS.md (table.sh).
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/faults/table.h"
#include "tests/lib/run-suite.h"

static struct table_row *rows; /* of all processes */

/* ---- faults ---------------------------------------------------------------------------------- */

START_TEST(row)
{
	const struct matrix_row *r = &matrix_rows[_i];

	for (enum matrix_phase phase = 0; phase < MATRIX_PHASES; phase++) {
		enum matrix_outcome *outcomes = rows[_i].outcomes[phase];

		if (!matrix_applies(r, phase))
			continue;
		for (enum matrix_passes passes = 0; passes < MATRIX_PASSES; passes++)
			outcomes[passes] = matrix_cell(r, phase, passes);
	}
}
END_TEST

/* ---- a changed origin ------------------------------------------------------------------------ */

static const struct {
	const char *name, *always;
	uint64_t size;
} changes[] = {
	{ "another ETag", "", WIRE_SIZE },
	{ "another Last-Modified", "noetag", WIRE_SIZE },
	{ "longer", "", WIRE_SIZE + 512 * KIB },
	{ "shorter", "", MIB },
	{ "shorter, by Last-Modified", "noetag", MIB },
};

#define CHANGES ((int)(sizeof(changes) / sizeof(changes[0])))

/* The rest of the old version is not to be had: an error, told in a line, and never a mixture. */
static void read_what_is_no_more(struct emu_mount *mount, const char *what)
{
	char *text;

	ck_assert_msg(rig_read(mount, 0, 8 * KIB) == 0, "%s: what was cached", what);
	free(wire_log());
	for (int i = 0; i < 2; i++)
		ck_assert_msg(rig_read(mount, 0, WIRE_SIZE) < 0, "%s: all of it", what);
	text = wire_log();
	ck_assert_msg(strstr(text, WIRE_OBJECT) && strstr(text, "changed"), "%s: %s", what, text);
	free(text);
	ck_assert_msg(rig_read(mount, 0, 8 * KIB) == 0, "%s: what is still cached", what);
}

START_TEST(changed)
{
	enum matrix_phase phase = (enum matrix_phase)(_i % MATRIX_PHASES);
	uint64_t size = changes[_i / MATRIX_PHASES].size;
	const char *what = changes[_i / MATRIX_PHASES].name;
	struct emu_mount *mount;

	wire_put(1, WIRE_SIZE);
	wire_begin(WIRE_HTTP, false, "\trevalidate = yes\n", phase == MATRIX_AHEAD ? 256 * KIB : 0);
	ck_assert(proxy_fault(wire_proxy, changes[_i / MATRIX_PHASES].always));
	mount = wire_open(wire_origin(1, WIRE_SIZE));
	ck_assert(wire_opened(mount));
	for (uint64_t off = 0; phase > MATRIX_FIRST && off < 512 * KIB; off += 128 * KIB)
		ck_assert_int_eq(rig_read(mount, off, 128 * KIB), 0);
	wire_put(2, size);
	if (phase != MATRIX_OPEN)
		read_what_is_no_more(mount, what);
	rig_umount(mount);
	mount = wire_open(wire_origin(2, size));
	ck_assert(wire_opened(mount));
	ck_assert_msg(rig_read(mount, 0, size) == 0, "%s: the new version", what);
	emu_close(mount);
	emu_judge(wire_end());
}
END_TEST

static int write_table(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f) {
		perror(path);
		return EXIT_FAILURE;
	}
	table_write(f, rows);
	return fclose(f) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *missing = wire_missing();
	Suite *s;
	TCase *tc;
	int status;

	if (missing)
		return skip_all(missing);
	rows = mmap(NULL, (size_t)matrix_n_rows * sizeof(*rows), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rows == MAP_FAILED)
		return EXIT_FAILURE;
	s = suite_create("faults");
	tc = tcase_create("faults");
	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, wire_start, wire_stop);
	tcase_add_loop_test(tc, row, 0, matrix_n_rows);
	tcase_add_loop_test(tc, changed, 0, CHANGES * MATRIX_PHASES);
	suite_add_tcase(s, tc);
	status = run_suite(s);
	return status == EXIT_SUCCESS && argc > 1 ? write_table(argv[1]) : status;
}
