/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/trace-plot.h"
#include "tests/lib/run-suite.h"

/* ---- grids ------------------------------------------------------------------------------- */

#define WIDTH  37
#define HEIGHT 23

/* What a path paints; no pixel twice. */
static void replay(const char *path, bool painted[HEIGHT][WIDTH])
{
	while (*path) {
		int x, y, w, h, back, used;

		ck_assert_int_eq(sscanf(path, "M%d %dh%dv%dh-%dz%n", &x, &y, &w, &h, &back, &used),
				 5);
		ck_assert_int_eq(w, back);
		ck_assert(x >= 0 && y >= 0 && x + w <= WIDTH && y + h <= HEIGHT);
		for (int i = y; i < y + h; i++)
			for (int j = x; j < x + w; j++) {
				ck_assert(!painted[i][j]);
				painted[i][j] = true;
			}
		path += used;
	}
}

START_TEST(test_grid_is_what_was_painted)
{
	bool model[HEIGHT][WIDTH] = { { false } }, painted[HEIGHT][WIDTH] = { { false } };
	struct plot_grid grid;
	char *data;
	size_t len;
	FILE *out = open_memstream(&data, &len);

	srand(_i + 1);
	ck_assert_int_eq(plot_grid_init(&grid, WIDTH, HEIGHT), 0);
	for (int n = 0; n < _i; n++) {
		int x0 = rand() % 50 - 5, x1 = x0 + rand() % 12;
		int y0 = rand() % 35 - 5, y1 = y0 + rand() % 8;

		plot_grid_paint(&grid, x0, y0, x1, y1);
		for (int y = y0 < 0 ? 0 : y0; y < y1 && y < HEIGHT; y++)
			for (int x = x0 < 0 ? 0 : x0; x < x1 && x < WIDTH; x++)
				model[y][x] = true;
	}
	plot_grid_write(&grid, out);
	fclose(out);
	replay(data, painted);
	ck_assert_mem_eq(painted, model, sizeof(model));
	free(data);
	plot_grid_deinit(&grid);
}
END_TEST

START_TEST(test_absurd_rectangles)
{
	struct plot_grid grid;

	ck_assert_int_eq(plot_grid_init(&grid, WIDTH, HEIGHT), 0);
	plot_grid_paint(&grid, -1e300, -1e300, 1e300, 1e300);
	plot_grid_paint(&grid, 1e300, 1e300, -1e300, -1e300);
	plot_grid_paint(&grid, -1e300, -1e300, -1e299, -1e299);
	ck_assert_int_eq(grid.marks[0], 1);
	plot_grid_deinit(&grid);
}
END_TEST

/* ---- axes -------------------------------------------------------------------------------- */

START_TEST(test_round_ticks)
{
	char label[32];

	ck_assert(plot_step_bytes(1000 * 1024, 6) == 256 * 1024);
	ck_assert(plot_step_time(1e9, 10) == 1e8);
	ck_assert(plot_step_time(420e9, 8) == 60e9);
	ck_assert(plot_step_time(10 * 3600e9, 8) == 7200e9);
	ck_assert(plot_step_count(37, 5) == 10);
	plot_label_bytes(1.25 * (1 << 30), label, sizeof(label));
	ck_assert_str_eq(label, "1.25 GiB");
	plot_label_time(1.5e9, 9e9, label, sizeof(label));
	ck_assert_str_eq(label, "1.5 s");
	plot_label_time(120e9, 600e9, label, sizeof(label));
	ck_assert_str_eq(label, "2 min");
}
END_TEST

/* ---- pictures ---------------------------------------------------------------------------- */

/* Behind the "<": the name of what begins, or has ended; its attributes are quoted. */
static const char *check_tag(const char *at, char stack[16][16], int *depth)
{
	bool closing = *at == '/', alone;
	char name[16] = "";
	size_t n = 0;

	for (at += closing; isalnum((unsigned char)*at); at++)
		name[n++ % 15] = *at;
	while (*at && *at != '>') {
		ck_assert_int_ne(*at, '<');
		if (*at++ == '"') {
			at = strchr(at, '"');
			ck_assert_ptr_nonnull(at);
			at++;
		}
	}
	alone = at[-1] == '/';
	if (closing)
		ck_assert_str_eq(stack[--*depth], name);
	else if (!alone)
		strcpy(stack[(*depth)++], name);
	ck_assert(*depth >= 0 && *depth < 16);
	return at + 1;
}

/* As far as a drawing needs it: tags match, "&" begins one of our entities, all is printable. */
static void assert_well_formed(const char *at)
{
	char stack[16][16];
	int depth = 0;

	while (*at) {
		if (*at == '<') {
			at = check_tag(at + 1, stack, &depth);
			continue;
		}
		if (*at == '&')
			ck_assert(!strncmp(at, "&amp;", 5) || !strncmp(at, "&lt;", 4) ||
				  !strncmp(at, "&gt;", 4) || !strncmp(at, "&quot;", 6));
		ck_assert(*at == '\n' || isprint((unsigned char)*at));
		at++;
	}
	ck_assert_int_eq(depth, 0);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

START_TEST(test_sample)
{
	struct ctl_result *r;

	trace_write_sample("a");
	r = RUN("trace", "plot", "a");
	ctl_assert_ok(r);
	assert_well_formed(r->out);
	ck_assert_ptr_nonnull(strstr(r->out, ">erofs,app/app.erofs<"));
	ck_assert_ptr_nonnull(strstr(r->out, "2 READs: 1 hits, 1 waited, 0 failed"));
	ck_assert_ptr_nonnull(strstr(r->out, "2 READs: 0 hits, 0 waited, 2 failed"));
	ck_assert_ptr_null(strstr(r->out, "gone.erofs"));
	ck_assert_uint_eq(count(r->out, "<path class=\"hit\" d=\"M"), 1);
	ck_assert_uint_eq(count(r->out, "<path class=\"failed\" d=\"M"), 1);
	ck_assert_uint_eq(count(r->out, "<path class=\"fetch\" d=\"M"), 2);
	ck_assert_uint_eq(count(r->out, "<path class=\"ahead\" d=\"M"), 0);

	r = RUN("trace", "plot", "--top", "1", "--width", "600", "a");
	ck_assert_ptr_nonnull(strstr(r->out, "width=\"600\""));
	ck_assert_ptr_null(strstr(r->out, "db.erofs"));
	r = RUN("trace", "plot", "--object", "*db*", "a");
	ck_assert_ptr_null(strstr(r->out, "app.erofs"));
}
END_TEST

START_TEST(test_names_are_escaped)
{
	const struct trace_record records[] = {
		{ TRACE_OPEN, .volume = bytes_str("<&>"), .cookie = bytes_str("\"\xff\n</svg>'") },
		{ TRACE_COPEN, .size = 4096 },
		{ TRACE_READ, .time = 5, .len = 4096 },
		{ TRACE_COMPLETE, .time = 9 },
	};
	struct ctl_result *r;

	trace_write("a<b&c", records, 4, true);
	r = RUN("trace", "plot", "a<b&c");
	ctl_assert_ok(r);
	assert_well_formed(r->out);
	ck_assert_ptr_nonnull(strstr(r->out, "&lt;&amp;&gt;/&quot;\\xff\\x0a&lt;/svg&gt;'"));
	ck_assert_ptr_nonnull(strstr(r->out, ">a&lt;b&amp;c<"));
}
END_TEST

/* One mark each would be 50 bytes and more. */
START_TEST(test_size_does_not_follow_the_trace)
{
	struct ctl_result *r;

	trace_write_random("a", 1, 200000, true);
	r = RUN("trace", "plot", "a");
	ctl_assert_ok(r);
	assert_well_formed(r->out);
	ck_assert_uint_lt(r->out_len, 1000000);
}
END_TEST

START_TEST(test_absurd_offsets_and_times)
{
	struct trace_record records[200] = {
		{ TRACE_OBJECT, .object = 1, .size = UINT64_MAX, .cookie = bytes_str("c") },
		{ TRACE_HANDLE, .id = 1, .object = 1 },
	};

	srand(1);
	for (size_t i = 2; i < 200; i++)
		records[i] = (struct trace_record){
			.kind = i % 2 ? TRACE_READ : TRACE_FETCH,
			.time = UINT64_MAX >> rand() % 64,
			.msg = (uint32_t)rand() % 4,
			.id = 1,
			.object = 1,
			.off = UINT64_MAX >> rand() % 64,
			.len = UINT64_MAX >> rand() % 64,
			.took = UINT64_MAX >> rand() % 64,
		};
	trace_write("a", records, 200, false);
	ctl_assert_ok(RUN("trace", "plot", "a"));
	assert_well_formed(RUN("trace", "plot", "a")->out);
}
END_TEST

START_TEST(test_wrong_use)
{
	trace_write("empty", NULL, 0, true);
	trace_write_sample("a");
	ck_assert_int_eq(RUN("trace", "plot")->status, 2);
	ck_assert_int_eq(RUN("trace", "plot", "-")->status, 2);
	ck_assert_int_eq(RUN("trace", "plot", "--width", "3", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "plot", "--top", "17", "a")->status, 2);
	ck_assert_int_eq(RUN("trace", "plot", "empty")->status, 1);
	ck_assert_int_eq(RUN("trace", "plot", "-o", "a", "a")->status, 1);
	RUN_OK("trace", "verify", "a");
	RUN_OK("trace", "plot", "-o", "svg", "a");
	ck_assert(file_exists("svg"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-plot");
	TCase *t = tcase_create("plot");

	tcase_set_timeout(t, 0);
	tcase_add_checked_fixture(t, ctl_enter, ctl_leave);
	tcase_add_loop_test(t, test_grid_is_what_was_painted, 0, 40);
	tcase_add_test(t, test_absurd_rectangles);
	tcase_add_test(t, test_round_ticks);
	tcase_add_test(t, test_sample);
	tcase_add_test(t, test_names_are_escaped);
	tcase_add_test(t, test_size_does_not_follow_the_trace);
	tcase_add_test(t, test_absurd_offsets_and_times);
	tcase_add_test(t, test_wrong_use);
	suite_add_tcase(s, t);
	return run_suite(s);
}
