/* SPDX-License-Identifier: MIT */
/*
 * TOML: what a text means, written down in one line, and what is refused.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/toml.h"
#include "tests/lib/run-suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void print(FILE *f, const struct toml *t);

static void print_children(FILE *f, const struct toml *t)
{
	for (const struct toml *c = t->first; c; c = c->next) {
		fputs(c == t->first ? "" : ",", f);
		if (t->type == TOML_TABLE)
			fprintf(f, "%s=", c->key);
		print(f, c);
	}
}

static void print(FILE *f, const struct toml *t)
{
	switch (t->type) {
	case TOML_TABLE:
		fputc('{', f);
		print_children(f, t);
		fputc('}', f);
		break;
	case TOML_ARRAY:
		fputc('[', f);
		print_children(f, t);
		fputc(']', f);
		break;
	case TOML_STRING:
		fprintf(f, "<%s>", t->text);
		break;
	case TOML_INTEGER:
		fprintf(f, "%" PRId64, t->number);
		break;
	case TOML_BOOLEAN:
		fputs(t->truth ? "yes" : "no", f);
		break;
	}
}

static const struct {
	const char *text, *meaning;
} good[] = {
	{ "", "{}" },
	{ "\n \t\n# nothing\n#", "{}" },
	{ "a = 1", "{a=1}" },
	{ "a=1#x\r\nb = -2 # y\r\n", "{a=1,b=-2}" },
	{ "a = true\nb = false", "{a=yes,b=no}" },
	{ "a = +1_000\nb = 0\nc = -0", "{a=1000,b=0,c=0}" },
	{ "a = 9223372036854775807\nb = -9223372036854775808",
	  "{a=9223372036854775807,b=-9223372036854775808}" },
	{ "a = \"x # y\"", "{a=<x # y>}" },
	{ "a = 'C:\\new'", "{a=<C:\\new>}" },
	{ "a = \"\\\"\\\\\\t\\u0041\\u00e9\\u20ac\\U0001F600\"", "{a=<\"\\\tAé€😀>}" },
	{ "a = \"\"\nb = ''", "{a=<>,b=<>}" },
	{ "\"a b\" = 1\n'c.d' = 2\n1-_ = 3\n\"\" = 4", "{a b=1,c.d=2,1-_=3,=4}" },
	{ "a.b = 1\na . \"c.d\" = 2\n", "{a={b=1,c.d=2}}" },
	{ "a.b.c = 1\na.b.d = 2\na.e = 3", "{a={b={c=1,d=2},e=3}}" },
	{ "[a]\nb = 1\n[c]\nd = 2", "{a={b=1},c={d=2}}" },
	{ "[ a . b ] # x\nc = 1\n[a]\nd = 2", "{a={b={c=1},d=2}}" },
	{ "[a]\nb.c = 1\n[a.b.d]\ne = 2", "{a={b={c=1,d={e=2}}}}" },
	{ "a = []\nb = [1, \"x\", [true], ]", "{a=[],b=[1,<x>,[yes]]}" },
	{ "a = [ # one\n 1, # two\r\n\n 2\n]\nb=3", "{a=[1,2],b=3}" },
	{ "a = {}\nb = { c = 1, d.e = 'x' , d.f=[{g=2}] }", "{a={},b={c=1,d={e=<x>,f=[{g=2}]}}}" },
	/* As containerd has it. */
	{ "server = \"https://r:5000\" # or not\n\n[host.\"https://m\"]\n  capabilities = "
	  "[\"pull\"]\n"
	  "  [host.\"https://m\".header]\n    x-a = [\"1\", \"2\"]\n[host.'http://n']\n",
	  "{server=<https://r:5000>,host={https://m={capabilities=[<pull>],header={x-a=[<1>,<2>]}},"
	  "http://n={}}}" },
};

START_TEST(text_has_a_meaning)
{
	char error[TOML_ERROR_MAX] = "", *meaning = NULL;
	struct toml *root = NULL;
	size_t n;
	FILE *f;
	int r = toml_parse(&root, good[_i].text, strlen(good[_i].text), error);

	ck_assert_msg(r == 0, "%s: %s", good[_i].text, error);
	f = open_memstream(&meaning, &n);
	print(f, root);
	fclose(f);
	ck_assert_str_eq(meaning, good[_i].meaning);
	free(meaning);
	toml_free(root);
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
	{ "a", "line 1: '=' is missing behind 'a'" },
	{ "\n\na 1", "line 3: '='" },
	{ "= 1", "line 1: a key is missing" },
	{ "a. = 1", "key is missing" },
	{ "a =", "value is missing" },
	{ "a = # x", "value is missing" },
	{ "a = 1 2", "behind the end" },
	{ "a = 1 b = 2", "behind the end" },
	{ "[a] b = 1", "behind the end" },
	{ "a = maybe", "'maybe' is no string" },
	{ "a = 1.5", "'1.5'" },
	{ "a = 0x10", "'0x10'" },
	{ "a = 01", "'01'" },
	{ "a = 1__0", "'1__0'" },
	{ "a = 1_", "'1_'" },
	{ "a = _1", "'_1'" },
	{ "a = +", "'+'" },
	{ "a = 9223372036854775808", "'9223372036854775808'" },
	{ "a = -9223372036854775809", "'-9223372036854775809'" },
	{ "a = 2026-11-26", "'2026-11-26'" },
	{ "a = \"x", "without its end" },
	{ "a = \"x\ny\"", "line 1: a string without its end" },
	{ "a = 'x\\'y'", "behind the end" },
	{ "a = \"\\x\"", "escape" },
	{ "a = \"\\u00g0\"", "4 hexadecimal" },
	{ "a = \"\\U0000\"", "8 hexadecimal" },
	{ "a = \"\\u0000\"", "no character" },
	{ "a = \"\\ud800\"", "no character" },
	{ "a = \"\\U00110000\"", "no character" },
	{ "a = \"x\001\"", "control" },
	{ "a = 1 # x\001", "control" },
	{ "a = 1\rb = 2", "control" },
	{ "\001", "control" },
	{ "a = \"\"\"x\"\"\"", "several lines" },
	{ "a = '''x'''", "several lines" },
	{ "[[a]]", "arrays of tables" },
	{ "[a", "']' is missing" },
	{ "[]", "key is missing" },
	{ "[a.]", "key is missing" },
	{ "a = [1", "']' is missing" },
	{ "a = [1 2]", "']' is missing" },
	{ "a = [,]", "value is missing" },
	{ "a = {b = 1", "'}' is missing" },
	{ "a = {b = 1,}", "key is missing" },
	{ "a = {\nb = 1}", "key is missing" },
	{ "a = 1\n\na = 2", "line 3: 'a' is defined twice" },
	{ "a = {b = 1, b = 2}", "'b' is defined twice" },
	{ "[a]\n[a]", "twice" },
	{ "[a]\n[b]\n[a]", "twice" },
	{ "a = 1\n[a]", "twice" },
	{ "a = 1\na.b = 2", "twice" },
	{ "a = {}\n[a]", "twice" },
	{ "a = {}\na.b = 1", "twice" },
	{ "a = {}\n[a.b]", "twice" },
	{ "a = [{}]\n[a.b]", "twice" },
	{ "[a]\nb.c = 1\n[a.b]", "twice" },
	{ "[a.b]\nc = 1\n[a]\nb.d = 2", "twice" },
	{ "a = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "deep" },
	{ "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1", "deep" },
};

START_TEST(text_is_refused)
{
	char error[TOML_ERROR_MAX] = "";
	struct toml *root = NULL;

	ck_assert_int_eq(toml_parse(&root, bad[_i].text, strlen(bad[_i].text), error), -EINVAL);
	ck_assert_ptr_null(root);
	ck_assert_msg(strstr(error, bad[_i].error), "%s: %s", bad[_i].text, error);
}
END_TEST

START_TEST(bytes_are_refused)
{
	static const char zero[] = "a = \"x\0y\"";
	static char many[TOML_SIZE_MAX + 1];
	char error[TOML_ERROR_MAX] = "";
	struct toml *root = NULL;

	ck_assert_int_eq(toml_parse(&root, zero, sizeof(zero) - 1, error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "control"));
	memset(many, '\n', sizeof(many));
	ck_assert_int_eq(toml_parse(&root, many, sizeof(many), error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "longer than"));
	ck_assert_int_eq(toml_parse(&root, many, sizeof(many) - 1, error), 0);
	root = toml_free(root);
	memcpy(many, "a=[", 3);
	for (size_t i = 3; i < sizeof(many) - 2; i += 2)
		memcpy(many + i, "1,", 2);
	ck_assert_int_eq(toml_parse(&root, many, sizeof(many) - 1, error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "more than 4096 values"));
}
END_TEST

START_TEST(lines_are_told)
{
	static const char text[] = "\n[a]\nb = [\n1,\n{c = 2}]\nd = 3\n";
	char error[TOML_ERROR_MAX];
	const struct toml *a, *b;
	struct toml *root;

	ck_assert_int_eq(toml_parse(&root, text, strlen(text), error), 0);
	a = toml_get(root, "a");
	b = toml_get(a, "b");
	ck_assert_uint_eq(a->line, 2);
	ck_assert_uint_eq(b->line, 3);
	ck_assert_uint_eq(b->first->line, 4);
	ck_assert_uint_eq(toml_get(b->first->next, "c")->line, 5);
	ck_assert_uint_eq(toml_get(a, "d")->line, 6);
	ck_assert_ptr_null(toml_get(a, "e"));
	toml_free(root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("toml");
	TCase *tc = tcase_create("toml");

	tcase_add_loop_test(tc, text_has_a_meaning, 0, N(good));
	tcase_add_loop_test(tc, text_is_refused, 0, N(bad));
	tcase_add_test(tc, bytes_are_refused);
	tcase_add_test(tc, lines_are_told);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
