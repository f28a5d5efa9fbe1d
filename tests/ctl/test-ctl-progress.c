/* SPDX-License-Identifier: MIT */
/*
 * The progress line with a virtual clock, into memory.
 */
#include "daemon/ctl/progress.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

#define MIB    ((uint64_t)1 << 20)
#define SECOND ((uint64_t)1000000000)

static uint64_t clock_ns;
static unsigned int columns;
static char *text;
static size_t text_len, seen;
static FILE *file;

static uint64_t virtual_now(void)
{
	return clock_ns;
}

static unsigned int virtual_width(FILE *unused)
{
	return columns;
}

static void enter(void)
{
	clock_ns = 1000 * SECOND;
	columns = 80;
	seen = 0;
	file = open_memstream(&text, &text_len);
	ck_assert_ptr_nonnull(file);
}

static void leave(void)
{
	fclose(file);
	free(text);
}

static void begin(struct progress *p, enum progress_style style, uint64_t total)
{
	progress_begin(p, "layer", total, false);
	p->file = file;
	p->style = style;
	p->now = virtual_now;
	p->width = virtual_width;
}

/* What was written since the last call. */
static const char *written(void)
{
	static char copy[65536];

	fflush(file);
	ck_assert_uint_lt(text_len - seen, sizeof(copy));
	memcpy(copy, text + seen, text_len - seen);
	copy[text_len - seen] = '\0';
	seen = text_len;
	return copy;
}

/* So many bytes per second, told ten times a second. */
static void run(struct progress *p, uint64_t seconds, uint64_t rate)
{
	uint64_t from = p->done;

	for (uint64_t i = 1; i <= seconds * 10; i++) {
		clock_ns += SECOND / 10;
		progress_update(p, from + rate * i / 10);
	}
}

START_TEST(test_text_has_bar_numbers_rate_and_time_left)
{
	struct progress p;
	char buf[256];

	begin(&p, PROGRESS_REDRAWN, 100 * MIB);
	progress_update(&p, 0);
	run(&p, 5, 10 * MIB);
	ck_assert_str_eq(
		progress_text(&p, 79, buf, sizeof(buf)),
		"layer  [============>            ]   50%  50 MiB of 100 MiB  10 MiB/s  5 s left");
	progress_end(&p);
}
END_TEST

START_TEST(test_text_keeps_to_every_width)
{
	struct progress p;
	char buf[256];

	begin(&p, PROGRESS_REDRAWN, 100 * MIB);
	progress_update(&p, 0);
	run(&p, 5, 10 * MIB);
	for (unsigned int width = 1; width <= 300; width++) {
		progress_text(&p, width, buf, sizeof(buf));
		ck_assert_uint_le(strlen(buf), width);
		ck_assert_uint_eq(strncmp(buf, "layer", width < 5 ? width : 5), 0);
		if (width >= 70)
			ck_assert_ptr_nonnull(strstr(buf, "5 s left"));
		ck_assert(width >= 58 || !strchr(buf, '['));
	}
	progress_end(&p);
}
END_TEST

START_TEST(test_unknown_total_has_no_share)
{
	struct progress p;
	char buf[256];

	begin(&p, PROGRESS_REDRAWN, 0);
	progress_update(&p, 0);
	run(&p, 2, 3 * MIB);
	ck_assert_str_eq(progress_text(&p, 79, buf, sizeof(buf)), "layer  6 MiB  3 MiB/s");
	progress_end(&p);
}
END_TEST

START_TEST(test_more_than_total_is_all_of_it)
{
	struct progress p;
	char buf[256];

	begin(&p, PROGRESS_REDRAWN, MIB);
	progress_update(&p, 0);
	run(&p, 2, MIB);
	progress_text(&p, 79, buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "100%"));
	ck_assert_ptr_null(strstr(buf, "left"));
	progress_update(&p, UINT64_MAX);
	progress_text(&p, 79, buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "100%"));
	progress_end(&p);
}
END_TEST

START_TEST(test_rate_follows_what_happens_now)
{
	struct progress p;

	begin(&p, PROGRESS_REDRAWN, 10000 * MIB);
	progress_update(&p, 0);
	run(&p, 60, 10 * MIB);
	ck_assert(p.rate > 9.9 * MIB && p.rate < 10.1 * MIB);
	run(&p, 30, MIB);
	ck_assert(p.rate > 0.9 * MIB && p.rate < 1.2 * MIB);
	/* A stall shows, too. */
	run(&p, 60, 0);
	ck_assert(p.rate < 1000);
	progress_end(&p);
}
END_TEST

START_TEST(test_rate_does_not_count_what_was_there_before)
{
	struct progress p;

	begin(&p, PROGRESS_REDRAWN, 1000 * MIB);
	progress_update(&p, 900 * MIB);
	run(&p, 2, MIB);
	ck_assert(p.rate < 1.1 * MIB);
	progress_end(&p);
}
END_TEST

START_TEST(test_terminal_is_drawn_ten_times_a_second_and_cleared)
{
	struct progress p;
	unsigned int drawn = 0;
	const char *all;

	begin(&p, PROGRESS_REDRAWN, 100 * MIB);
	for (int i = 0; i < 1000; i++) {
		clock_ns += SECOND / 1000;
		progress_update(&p, (uint64_t)i * MIB / 10);
	}
	all = written();
	for (const char *at = all; (at = strchr(at, '\r')); at++)
		drawn++;
	ck_assert_uint_ge(drawn, 9);
	ck_assert_uint_le(drawn, 11);
	ck_assert_ptr_null(strchr(all, '\n'));
	progress_end(&p);
	ck_assert_str_eq(written(), "\r\033[K");
	progress_end(&p);
	progress_update(&p, MIB);
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_hidden_line_comes_back)
{
	struct progress p;

	begin(&p, PROGRESS_REDRAWN, 100 * MIB);
	progress_update(&p, MIB);
	ck_assert_ptr_nonnull(strstr(written(), "1%"));
	progress_hide();
	ck_assert_str_eq(written(), "\r\033[K");
	progress_hide();
	ck_assert_str_eq(written(), "");
	/* At once, although little time has passed. */
	progress_update(&p, 2 * MIB);
	ck_assert_ptr_nonnull(strstr(written(), "2%"));
	progress_end(&p);
}
END_TEST

START_TEST(test_narrow_terminal_is_not_wrapped)
{
	struct progress p;
	const char *all;

	begin(&p, PROGRESS_REDRAWN, 100 * MIB);
	columns = 20;
	progress_update(&p, MIB);
	all = written();
	ck_assert_uint_eq(strlen(all), 1 + 19 + 3);
	progress_end(&p);
	ck_assert_ptr_nonnull(strstr(written(), "\033[K"));
}
END_TEST

START_TEST(test_pipe_gets_a_line_per_tenth_after_a_while)
{
	struct progress p;
	const char *all;
	unsigned int lines = 0;

	begin(&p, PROGRESS_LINES, 100 * MIB);
	progress_update(&p, 0);
	run(&p, 9, 3 * MIB);
	ck_assert_str_eq(written(), "");
	run(&p, 24, 3 * MIB);
	all = written();
	for (const char *at = all; (at = strchr(at, '\n')); at++)
		lines++;
	/* 10% and 20% were in the quiet time. */
	ck_assert_uint_eq(lines, 7);
	ck_assert_ptr_nonnull(strstr(all, "layer  30%  30 MiB of 100 MiB  3 MiB/s  24 s left\n"));
	ck_assert_ptr_null(strpbrk(all, "\r\033"));
	progress_end(&p);
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_json_and_short_work_say_nothing)
{
	struct progress p;

	progress_begin(&p, "layer", MIB, true);
	ck_assert_int_eq(p.style, PROGRESS_SILENT);
	p.file = file;
	progress_update(&p, MIB);
	progress_end(&p);
	ck_assert_str_eq(written(), "");

	begin(&p, PROGRESS_LINES, MIB);
	progress_update(&p, 0);
	run(&p, 3, MIB / 3);
	progress_end(&p);
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_long_names_are_cut)
{
	struct progress p;
	char name[1000], buf[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	progress_begin(&p, name, UINT64_MAX, false);
	p.done = UINT64_MAX - 1;
	p.rate = 1e18;
	progress_text(&p, 10000, buf, sizeof(buf));
	ck_assert_uint_lt(strlen(buf), 251);
	ck_assert_ptr_nonnull(strstr(buf, "99%"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-progress");
	TCase *t = tcase_create("progress");

	tcase_add_checked_fixture(t, enter, leave);
	tcase_add_test(t, test_text_has_bar_numbers_rate_and_time_left);
	tcase_add_test(t, test_text_keeps_to_every_width);
	tcase_add_test(t, test_unknown_total_has_no_share);
	tcase_add_test(t, test_more_than_total_is_all_of_it);
	tcase_add_test(t, test_rate_follows_what_happens_now);
	tcase_add_test(t, test_rate_does_not_count_what_was_there_before);
	tcase_add_test(t, test_terminal_is_drawn_ten_times_a_second_and_cleared);
	tcase_add_test(t, test_hidden_line_comes_back);
	tcase_add_test(t, test_narrow_terminal_is_not_wrapped);
	tcase_add_test(t, test_pipe_gets_a_line_per_tenth_after_a_while);
	tcase_add_test(t, test_json_and_short_work_say_nothing);
	tcase_add_test(t, test_long_names_are_cut);
	suite_add_tcase(s, t);
	return run_suite(s);
}
