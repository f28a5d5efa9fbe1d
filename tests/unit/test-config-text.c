/* SPDX-License-Identifier: MIT */
/*
 * The text of a configuration: values with their units, and the grammar. What keys mean:
 * test-config.c.
 */
#include "daemon/config-text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config-value.h"
#include "tests/lib/run-suite.h"

/* ---- units ------------------------------------------------------------------------------- */

START_TEST(test_sizes)
{
	static const struct {
		const char *text;
		uint64_t want;
	} rows[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "64K", 64 << 10 },
		{ "64KiB", 64 << 10 },
		{ "16M", 16 << 20 },
		{ "16MiB", 16 << 20 },
		{ "1G", 1 << 30 },
		{ "2GiB", (uint64_t)2 << 30 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "",
					   "K",
					   "-1",
					   "+1",
					   " 1",
					   "1 K",
					   "1.5M",
					   "1MB",
					   "1kib",
					   "0x10",
					   "1KiBs",
					   "1e3",
					   "18446744073709551616",
					   "18014398509481984K",
					   "99999999999999999999999999" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert(config_value_size(rows[i].text, &v));
		ck_assert_uint_eq(v, rows[i].want);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		v = 77;
		ck_assert_msg(!config_value_size(bad[i], &v), "taken: %s", bad[i]);
		ck_assert_uint_eq(v, 77);
	}
}
END_TEST

START_TEST(test_times_percentages_and_words)
{
	uint64_t v;
	bool b;

	ck_assert(config_value_time("500ms", &v) && v == 500);
	ck_assert(config_value_time("30s", &v) && v == 30000);
	ck_assert(config_value_time("2min", &v) && v == 120000);
	ck_assert(config_value_time("1h", &v) && v == 3600000);
	ck_assert(!config_value_time("30", &v));
	ck_assert(!config_value_time("30S", &v));
	ck_assert(!config_value_time("18446744073709551615h", &v));
	ck_assert(config_value_percent("7%", &v) && v == 7);
	ck_assert(!config_value_percent("7", &v));
	ck_assert(!config_value_percent("7%%", &v));
	ck_assert(config_value_count("16", &v) && v == 16);
	ck_assert(!config_value_count("16K", &v));
	ck_assert(config_value_bool("yes", &b) && b);
	ck_assert(config_value_bool("true", &b) && b);
	ck_assert(config_value_bool("on", &b) && b);
	ck_assert(config_value_bool("no", &b) && !b);
	ck_assert(config_value_bool("false", &b) && !b);
	ck_assert(config_value_bool("off", &b) && !b);
	ck_assert(!config_value_bool("1", &b));
	ck_assert(!config_value_bool("Yes", &b));
}
END_TEST

/* ---- grammar ----------------------------------------------------------------------------- */

/* Items in words: "key[value][value]", "{", "}", "!" for a fault. */
static void items_of(const char *text, size_t len, char *out, size_t n)
{
	struct config_reader reader = config_reader_of(text, len);
	struct config_entry entry;
	size_t at = 0;

	out[0] = '\0';
	for (;;) {
		enum config_item item = config_read(&reader, &entry);

		if (item == CONFIG_END)
			return;
		if (item == CONFIG_FAULT || item == CONFIG_BLOCK_END) {
			snprintf(out + at, n - at, "%s", item == CONFIG_FAULT ? "!" : "}");
			at += strlen(out + at);
			if (item == CONFIG_FAULT)
				return;
			continue;
		}
		at += (size_t)snprintf(out + at, n - at, "%s", entry.key);
		for (size_t i = 0; i < entry.n_values; i++)
			at += (size_t)snprintf(out + at, n - at, "[%s]", entry.values[i]);
		at += (size_t)snprintf(out + at, n - at, "%s", item == CONFIG_BLOCK ? "{" : ".");
	}
}

START_TEST(test_grammar)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "\n \t;;\r\n# only # this", "" },
		{ "dir /a/b\n", "dir[/a/b]." },
		{ "dir /a/b", "dir[/a/b]." },
		{ "dir = /a/b;", "dir[/a/b]." },
		{ "dir=/a/b;tag=x", "dir[/a/b].tag[x]." },
		{ "nocull\ntag x", "nocull.tag[x]." },
		{ "a b c d e", "a[b][c][d][e]." },
		{ "a b c d e f", "!" },
		{ "a \"b c\" 'd;e'", "a[b c][d;e]." },
		{ "a \"\"", "a[]." },
		{ "a \"q\\\"b\\\\\"", "a[q\"b\\]." },
		{ "a 'q\\x'", "a[q\\x]." },
		{ "a \"q\\n\"", "!" },
		{ "a \"open\nb c", "!" },
		{ "a \"open", "!" },
		{ "a \"x\\", "!" },
		{ "a \"b\"c", "!" },
		{ "a b\"c\"", "!" },
		{ "a b # comment\nc d#e", "a[b].c[d#e]." },
		{ "url https://h/{cookie}\n", "url[https://h/{cookie}]." },
		{ "url {cookie}x", "url[{cookie}x]." },
		{ "s n { a b; c d }", "s[n]{a[b].c[d].}" },
		{ "s {\n}\ns{", "s{}!" },
		{ "s\n{", "s.!" },
		{ "s {}", "s[{}]." },
		{ "} }", "}}" },
		{ "a }", "a.}" },
		{ "a \"b\"}", "a[b].}" },
		{ "a:b", "!" },
		{ "a\"b\"", "!" },
		{ "1a b", "!" },
		{ "=b", "!" },
		{ "a = = b", "a[=][b]." },
		{ "a b\x01", "!" },
		{ "a 'b\tc'", "!" },
		{ "a \xc3\xa9", "a[\xc3\xa9]." },
	};
	char out[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		items_of(rows[i].text, strlen(rows[i].text), out, sizeof(out));
		ck_assert_msg(strcmp(out, rows[i].want) == 0, "%s -> %s", rows[i].text, out);
	}
	items_of("a b\0c", 5, out, sizeof(out));
	ck_assert_str_eq(out, "!");
}
END_TEST

START_TEST(test_long_entries_are_refused)
{
	char *text = malloc(2 * CONFIG_ENTRY_MAX);
	struct config_entry entry;
	struct config_reader reader;

	memset(text, 'x', 2 * CONFIG_ENTRY_MAX);
	text[1] = ' ';
	/* "x", its terminator and the value fill the entry to the last byte. */
	reader = config_reader_of(text, CONFIG_ENTRY_MAX - 1);
	ck_assert_int_eq(config_read(&reader, &entry), CONFIG_ENTRY);
	ck_assert_uint_eq(strlen(entry.values[0]), CONFIG_ENTRY_MAX - 3);
	reader = config_reader_of(text, CONFIG_ENTRY_MAX);
	ck_assert_int_eq(config_read(&reader, &entry), CONFIG_FAULT);

	/* A second value has no room left, not even when it is empty text behind a full one. */
	memcpy(text + CONFIG_ENTRY_MAX - 1, " \"\" y", 5);
	reader = config_reader_of(text, CONFIG_ENTRY_MAX + 4);
	ck_assert_int_eq(config_read(&reader, &entry), CONFIG_FAULT);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config-text");
	TCase *tc = tcase_create("config-text");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_sizes);
	tcase_add_test(tc, test_times_percentages_and_words);
	tcase_add_test(tc, test_grammar);
	tcase_add_test(tc, test_long_entries_are_refused);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
