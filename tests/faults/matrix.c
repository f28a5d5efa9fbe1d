/* SPDX-License-Identifier: MIT */
#include "tests/faults/matrix.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOON	     SEC
#define RECOVERED    (60 * SEC) /* after the end of a fault all is well again, at the latest */
#define RETRY	     (5 * SEC)
#define AHEAD_OFF    (256 * KIB)       /* for the second miss of a reader, of */
#define AHEAD_LEN    MIB	       /* this length, as much is fetched ahead: */
#define AHEAD_FROM   (AHEAD_OFF + MIB) /* a fetch of its own, from here on */
#define AHEAD_MAX    MIB
#define ADDRESS_KEPT (61 * SEC) /* by libcurl */

static struct {
	const struct matrix_row *row;
	enum matrix_phase phase;
	enum matrix_passes passes;
	struct loop_timer passing;
	struct emu_mount *mount;
	char what[128];
} cell;

/* ---- the fault ------------------------------------------------------------------------------ */

static const char *always(void)
{
	return cell.row->always ? cell.row->always : "";
}

static void fault_end(void)
{
	wire_resolver(WIRE_RESOLVES);
	ck_assert(proxy_fault(wire_proxy, always()));
}

static void passing_fire(struct loop_timer *timer)
{
	fault_end();
}

/* Connections are no more, and nobody remembers where the host is. */
static void forget_address(void)
{
	ck_assert(proxy_fault(wire_proxy, "refuse"));
	ck_assert(proxy_fault(wire_proxy, ""));
	rig_run(ADDRESS_KEPT);
}

/* From now on, until it passes. */
static void fault_begin(void)
{
	char text[128], from[32] = "";

	if (cell.row->scheme == WIRE_NAMED && cell.phase != MATRIX_OPEN)
		forget_address();
	if (cell.phase == MATRIX_AHEAD)
		snprintf(from, sizeof(from), "from:%ju/", (uintmax_t)AHEAD_FROM);
	snprintf(text, sizeof(text), "%s%s%s%s", from, always(), *always() ? "/" : "",
		 cell.row->faults);
	wire_resolver(cell.row->resolver);
	ck_assert_msg(proxy_fault(wire_proxy, text), "%s", text);
	if (cell.passes == MATRIX_SOON)
		loop_timer_set(rig.loop, &cell.passing, loop_now(rig.loop) + SOON);
}

/* ---- what somebody does --------------------------------------------------------------------- */

static bool do_open(void)
{
	if (cell.mount)
		rig_umount(cell.mount);
	cell.mount = wire_open(wire_origin(1, WIRE_SIZE));
	return wire_opened(cell.mount);
}

/* In the phase of reading ahead this is the reader that comes to where that went wrong. */
static bool do_read(void)
{
	static const struct {
		uint64_t off, len;
	} spans[] = { [MATRIX_FIRST] = { 512 * KIB, 64 * KIB },
		      [MATRIX_MIDDLE] = { 448 * KIB, 256 * KIB },
		      [MATRIX_AHEAD] = { AHEAD_FROM + 64 * KIB, 64 * KIB } };

	return rig_read(cell.mount, spans[cell.phase].off, spans[cell.phase].len) == 0;
}

static bool act(void)
{
	if (cell.phase != MATRIX_OPEN)
		return do_read();
	return do_open() && (!cell.row->unnoticed || rig_read(cell.mount, 0, 128 * KIB) == 0);
}

/* What comes before the fault. */
static void prepare(void)
{
	ck_assert(proxy_fault(wire_proxy, always()));
	if (cell.phase == MATRIX_OPEN)
		return;
	ck_assert_msg(do_open(), "%s: before the fault", cell.what);
	if (cell.phase == MATRIX_MIDDLE)
		for (uint64_t off = 0; off < 512 * KIB; off += 128 * KIB)
			ck_assert_int_eq(rig_read(cell.mount, off, 128 * KIB), 0);
}

/* A reader who does not come to where it goes wrong is none the wiser. */
static void read_until_it_strikes(void)
{
	unsigned int struck = proxy_seen(wire_proxy).struck;

	ck_assert_int_eq(rig_read(cell.mount, AHEAD_OFF / 2, AHEAD_OFF / 2), 0);
	ck_assert_int_eq(rig_read(cell.mount, AHEAD_OFF, AHEAD_LEN), 0);
	ck_assert_msg(proxy_seen(wire_proxy).struck > struck, "%s: nothing was fetched ahead",
		      cell.what);
}

/* ---- what must hold -------------------------------------------------------------------------- */

/* An error is told in a line, with the object and where it should have come from. */
static void check_log(bool failed)
{
	char *text = wire_log(), *line, *save = NULL;
	unsigned int errors = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, "error: ") && strstr(line, WIRE_OBJECT) &&
		    strstr(line, WIRE_SOURCE))
			errors++;
	free(text);
	ck_assert_msg(!failed || errors > 0, "%s: nothing was logged", cell.what);
}

static enum matrix_outcome outcome_of(bool right, uint64_t waited)
{
	char text[64] = "the origin has";

	if (cell.row->unnoticed && emu_expect_violation(rig.emu, text)) {
		while (emu_expect_violation(rig.emu, text))
			;
		return MATRIX_WRONG;
	}
	if (right)
		return MATRIX_RIGHT;
	return waited >= 29 * SEC ? MATRIX_EXPIRED : MATRIX_ERROR;
}

static void recover(void)
{
	uint64_t until = loop_now(rig.loop) + RECOVERED;
	uint64_t touched = cell.phase == MATRIX_AHEAD ? WIRE_SIZE : MIB;

	while (!act()) {
		ck_assert_msg(loop_now(rig.loop) < until, "%s: does not recover", cell.what);
		rig_run(RETRY);
	}
	/* Whatever was cached while it went wrong. */
	if (cell.row->unnoticed)
		return;
	ck_assert_msg(rig_read(cell.mount, 0, touched) == 0, "%s: all of it", cell.what);
}

static enum matrix_outcome run(void)
{
	enum matrix_outcome outcome;
	uint64_t waited;
	bool right;

	prepare();
	free(wire_log());
	fault_begin();
	if (cell.phase == MATRIX_AHEAD)
		read_until_it_strikes();
	right = act();
	waited = emu_counters(rig.emu).answer_ns_max;
	outcome = outcome_of(right, waited);
	check_log(!right);
	/* What has come is kept: the next reader may get further. */
	if (cell.passes != MATRIX_SOON && outcome != MATRIX_WRONG)
		ck_assert_msg(act() || !right, "%s: not the same again", cell.what);
	loop_timer_cancel(&cell.passing);
	fault_end();
	recover();
	return outcome;
}

bool matrix_applies(const struct matrix_row *row, enum matrix_phase phase)
{
	return !(row->reads_only && phase == MATRIX_OPEN) &&
	       !(row->scheme != WIRE_HTTP && phase == MATRIX_AHEAD);
}

enum matrix_outcome matrix_cell(const struct matrix_row *row, enum matrix_phase phase,
				enum matrix_passes passes)
{
	static const char *const phases[] = { "open", "first read", "middle", "read-ahead" };
	static const char *const ends[] = { "soon", "stays", "turns" };
	enum matrix_outcome outcome;
	char *verdict;

	cell.row = row;
	cell.phase = phase;
	cell.passes = passes;
	cell.passing.fire = passing_fire;
	cell.mount = NULL;
	snprintf(cell.what, sizeof(cell.what), "%s, %s, %s", row->name, phases[phase],
		 ends[passes]);
	wire_begin(row->scheme, passes == MATRIX_TURNS, NULL,
		   phase == MATRIX_AHEAD ? AHEAD_MAX : 0);
	outcome = run();
	if (cell.mount)
		emu_close(cell.mount);
	verdict = wire_end();
	ck_assert_msg(!verdict || row->unnoticed, "%s: %s", cell.what, verdict);
	free(verdict);
	return outcome;
}
