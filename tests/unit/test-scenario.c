/* SPDX-License-Identifier: MIT */
/*
 * Scenario scripts: what a file says is what the steps say, faults are told with their line, and
 * each expectation that is not met fails.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"
#include "tests/lib/scenario-emu.h"
#include "tests/lib/scenario-internal.h"

static struct scenario *parse(const char *text)
{
	char *fault = NULL;
	struct scenario *s = scenario_parse("f", text, strlen(text), &fault);

	ck_assert_msg(s, "%s", fault);
	return s;
}

START_TEST(sentence_settings_and_steps_are_told_apart)
{
	struct scenario *s = parse("#  It works. \n\n# more\non emulated\nkernel holder\n"
				   "\tserve a%20b  size=3M\n");

	ck_assert_str_eq(s->sentence, "It works. ");
	ck_assert_int_eq(s->place, SCENARIO_EMULATED);
	ck_assert_uint_eq(s->n_settings, 2);
	ck_assert_uint_eq(s->n_steps, 3);
	ck_assert_int_eq(s->steps[1].verb, SCENARIO_KERNEL);
	ck_assert(scenario_has(&s->steps[1], "holder"));
	ck_assert_int_eq(s->steps[2].verb, SCENARIO_SERVE);
	ck_assert_uint_eq(s->steps[2].line, 6);
	ck_assert_str_eq(s->steps[2].object, "a%20b");
	ck_assert_uint_eq(scenario_number(&s->steps[2], "size", 0), 3 << 20);
	ck_assert_uint_eq(scenario_number(&s->steps[2], "other", 7), 7);
	scenario_free(s);
}
END_TEST

#define BLOB "# x\nserve b size=8K\nmount b as m\n"

START_TEST(readers_ranges_outcomes_and_terms_are_taken_apart)
{
	struct scenario *s = parse(BLOB "start m 4K+4096 as r by=1K pages\ndone r -> EIO\n"
					"done r -> waiting\npass 20ms\n"
					"expect present(b)>=4K contacts=2\n");
	const struct scenario_step *step = &s->steps[2];

	ck_assert_str_eq(step->mount, "m");
	ck_assert_str_eq(step->label, "r");
	ck_assert_uint_eq(step->off, 4096);
	ck_assert_uint_eq(step->len, 4096);
	ck_assert_uint_eq(scenario_number(step, "by", 0), 1024);
	step++;
	ck_assert_int_eq(step->result.outcome, SCENARIO_FAILS);
	ck_assert_int_eq(step->result.error, -EIO);
	ck_assert_int_eq(step[1].result.outcome, SCENARIO_WAITING);
	ck_assert_uint_eq(step[2].time, 20000000);
	step += 3;
	ck_assert_uint_eq(step->n_terms, 2);
	ck_assert_str_eq(step->terms[0].text, "present(b)>=4K");
	ck_assert_str_eq(step->terms[0].name, "present");
	ck_assert_str_eq(step->terms[0].thing, "b");
	ck_assert_int_eq(step->terms[0].relation, SCENARIO_AT_LEAST);
	ck_assert_uint_eq(step->terms[0].number, 4096);
	ck_assert_ptr_null(step->terms[1].thing);
	ck_assert_int_eq(step->terms[1].relation, SCENARIO_EQUAL);
	scenario_free(s);
}
END_TEST

START_TEST(key_is_the_name_with_its_escapes_decoded)
{
	char key[8];

	ck_assert_uint_eq(scenario_key("a%20%00%2f.%FF", key, sizeof(key)), 6);
	ck_assert_int_eq(memcmp(key, "a \0/.\xff", 6), 0);
	ck_assert_uint_eq(scenario_key("0123456789", key, sizeof(key)), 8);
}
END_TEST

struct fault_case {
	const char *text, *fault;
};

static const struct fault_case faults[] = {
	{ "serve b size=1\n", "f:1: a comment that says what is shown comes first" },
	{ "#\nserve b size=1\n", "f:2: a comment that says what is shown comes first" },
	{ "# x\n", "f:1: nothing happens" },
	{ "# x\non emulated\n", "f:2: nothing happens" },
	{ "# x\nserv b\n", "f:2: no step is called 'serv'" },
	{ "# x\nserve b\n", "f:2: 'serve' needs size=" },
	{ "# x\nserve b size=1 size=2\n", "f:2: 'size' is there twice" },
	{ "# x\nserve b size\n", "f:2: 'size' needs a value" },
	{ "# x\nserve b size=1 compressed=1\n", "f:2: 'compressed' has no value" },
	{ "# x\nserve b size=1Q\n", "f:2: '1Q' is no value of 'size'" },
	{ "# x\nserve b size=99999999T\n", "f:2: '99999999T' is no value of 'size'" },
	{ "# x\nserve b colour=1\n", "f:2: 'serve' knows no 'colour'" },
	{ "# x\nserve b/c size=1\n", "f:2: 'b/c' is no name" },
	{ "# x\nserve b%2 size=1\n", "f:2: 'b%2' is no name" },
	{ BLOB "serve b size=1\n", "f:4: 'b' is the name of another" },
	{ BLOB "mount b as m\n", "f:4: 'm' is the name of another" },
	{ BLOB "mount b\n", "f:4: 'as NAME' is missing" },
	{ BLOB "mount c as n\n", "f:4: 'c' is not an object that is known here" },
	{ BLOB "read b 0+1\n", "f:4: 'b' is not a mount that is known here" },
	{ BLOB "kill m\n", "f:4: 'm' is not a reader that is known here" },
	{ BLOB "done x\n", "f:4: 'x' is not a mount or a reader that is known here" },
	{ BLOB "read m 5\n", "f:4: '5' is no range of bytes" },
	{ BLOB "read m 5+0\n", "f:4: '5+0' is no range of bytes" },
	{ BLOB "read m 0+1 -> EWHAT\n", "f:4: 'EWHAT' is no outcome" },
	{ BLOB "read m 0+1 -> waiting\n", "f:4: 'waiting' is no outcome" },
	{ BLOB "read m 0+1 ok\n", "f:4: 'read' knows no 'ok'" },
	{ BLOB "umount m -> ok\n", "f:4: '->' is not expected here" },
	{ BLOB "fault b look=ENOTHING\n", "f:4: 'ENOTHING' is no value of 'look'" },
	{ BLOB "pass 5\n", "f:4: '5' is no time" },
	{ BLOB "pass 4s\n", "f:4: a file for the real kernel may let 3 s pass in all" },
	{ BLOB "kernel emfile\n", "f:4: 'kernel emfile' needs 'on emulated'" },
	{ BLOB "on emulated\n", "f:4: 'on' is a setting: it stands before all steps" },
	{ BLOB "daemon revalidate\n", "f:4: 'daemon' is a setting: it stands before all steps" },
	{ "# x\ndaemon revalidate\non real\n", "f:3: 'on' is the first of all" },
	{ "# x\non paper\n", "f:2: 'emulated' or 'real' is missing" },
	{ BLOB "expect\n", "f:4: nothing is expected" },
	{ BLOB "expect luck=1\n", "f:4: 'luck=1' cannot be expected" },
	{ BLOB "expect contacts\n", "f:4: 'contacts' cannot be expected" },
	{ BLOB "expect contacts<1\n", "f:4: relations are =, <= and >=" },
	{ BLOB "expect contacts=x\n", "f:4: 'x' is no number" },
	{ BLOB "expect contacts(b=1\n", "f:4: 'contacts(b' is no NAME(THING)" },
	{ BLOB "expect contacts(m)=1\n", "f:4: 'm' is not an object that is known here" },
	{ BLOB "expect present=1\n", "f:4: of what is 'present' meant?" },
	{ BLOB "expect fds=0\n", "f:4: 'fds' is known to 'expect emulated' alone" },
	{ BLOB "expect real fds=0\n", "f:4: 'fds' is known to 'expect emulated' alone" },
	{ BLOB "expect emulated fds(b)=0\n", "f:4: 'fds' is of nothing" },
	{ BLOB "expect emulated answered=0\n", "f:4: '0' is no time" },
	{ BLOB "expect emulated fds=0 fds=0 fds=0 fds=0 fds=0 fds=0 fds=0 fds=0 fds=0\n",
	  "f:4: no more than 8 terms fit into a line" },
	{ BLOB "pass 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24\n",
	  "f:4: more than 24 words" },
};

START_TEST(faults_are_told_with_file_and_line)
{
	char *fault = NULL;

	ck_assert_ptr_null(scenario_parse("f", faults[_i].text, strlen(faults[_i].text), &fault));
	ck_assert_str_eq(fault, faults[_i].fault);
	free(fault);
}
END_TEST

START_TEST(file_that_is_no_text_or_not_there_is_a_fault)
{
	char *fault = NULL;

	ck_assert_ptr_null(scenario_parse("f", "# x\0y\n", 6, &fault));
	ck_assert_str_eq(fault, "f:1: this is no text");
	free(fault);
	ck_assert_ptr_null(scenario_load("/nowhere/x.scn", &fault));
	ck_assert_str_eq(fault, "/nowhere/x.scn: No such file or directory");
	free(fault);
}
END_TEST

/* ---- running ---------------------------------------------------------------------------- */

/* What comes of it on the emulated kernel; freed by the caller. */
static char *run(const char *text)
{
	struct scenario *s = parse(text);
	struct scenario_emu *stage = scenario_emu_new();
	char *why = scenario_run(s, &scenario_emulated, stage);

	scenario_emu_free(stage);
	scenario_free(s);
	return why;
}

static void assert_fails(const char *text, const char *sentence)
{
	char *why = run(text);

	ck_assert_msg(why, "nothing is wrong with:\n%s", text);
	ck_assert_msg(strncmp(why, sentence, strlen(sentence)) == 0, "\"%s\" instead of \"%s\"",
		      why, sentence);
	free(why);
}

#define BEGIN                                 \
	"# x\non emulated\nserve b size=8M\n" \
	"mount b as m\nstart m 4M+64K as r\n" \
	"done r\n"

START_TEST(nothing_is_wrong_when_all_is_as_expected)
{
	char *why = run(BEGIN "expect contacts=2 size(m)=8M present(b)>=64K present(b)<=8M\n");

	ck_assert_msg(!why, "%s", why);
}
END_TEST

/* A number that nothing has. */
START_TEST(each_number_that_is_not_as_expected_fails)
{
	const struct scenario_term_form *form = &scenario_terms[_i];
	char thing[4] = "", term[64], text[256], sentence[160];

	if (form->thing)
		snprintf(thing, sizeof(thing), "(%c)",
			 form->thing == 'o'   ? 'b'
			 : form->thing == 'i' ? '0'
					      : form->thing);
	snprintf(term, sizeof(term), "%s%s=123456789%s", form->name, thing, form->time ? "ns" : "");
	snprintf(text, sizeof(text), BEGIN "expect %s\n", term);
	snprintf(sentence, sizeof(sentence), "f:7: expected %s, it is ", term);
	assert_fails(text, sentence);
}
END_TEST

static const struct fault_case differences[] = {
	{ BEGIN "expect present(b)<=4K\n", "f:7: expected present(b)<=4K, it is 77824" },
	{ BEGIN "expect present(b)>=8M\n", "f:7: expected present(b)>=8M, it is 77824" },
	{ BEGIN "recount\nexpect contacts>=1\n", "f:8: expected contacts>=1, it is 0" },
	{ BEGIN "recount\nexpect reads>=1\n", "f:8: expected reads>=1, it is 0" },
	{ BEGIN "done r -> EIO\n", "f:7: 'r' is ok, expected EIO" },
	{ BEGIN "done r -> fails\n", "f:7: 'r' is ok, expected fails" },
	{ BEGIN "done r -> waiting\n", "f:7: 'r' is ok, expected waiting" },
	{ BEGIN "done m -> ENOENT\n", "f:7: 'm' is ok, expected ENOENT" },
	{ BEGIN "read m 0+4K -> EIO\n", "f:7: 'm' is ok, expected EIO" },
	{ BEGIN "fault b down\nread m 6M+4K\n", "f:8: 'm' is EIO, expected ok" },
	{ BEGIN "fault b down\nread m 6M+4K -> ENOSPC\n", "f:8: 'm' is EIO, expected ENOSPC" },
	{ BEGIN "fault b stall\nstart m 6M+4K as s\nkill s\ndone s\n",
	  "f:10: 's' is EINTR, expected ok" },
	{ BEGIN "fault b down\nread m 4M+2M by=64K\n", "f:8: 'm' is EIO, expected ok" },
	{ BEGIN "fault b down\nstart m 4M+2M as s by=64K\ndone s\n",
	  "f:9: 's' is EIO, expected ok" },
	{ BEGIN "serve c size=1\nfault c look=EACCES\nmount c as n -> ENOENT\n",
	  "f:9: 'n' is EACCES, expected ENOENT" },
	{ BEGIN "serve c size=1\nfault c look-stall\nopen c as n\ndone n\n",
	  "f:10: 'n' is ETIMEDOUT, expected ok" },
	{ BEGIN "serve c size=1\nfault c look-stall\nopen c as n\numount n\n",
	  "f:10: 'n' is not mounted yet" },
	{ BEGIN "umount m\nread m 0+4K\n", "f:8: 'm' is not mounted" },
	{ BEGIN "umount m\nstart m 0+4K as s\n", "f:8: 'm' is not mounted" },
	{ BEGIN "start m 0+4K as s by=0\n", "f:7: that is no number of pieces" },
	{ BEGIN "umount m\nmount b as n version=2\n", "f:8: there is no version 2" },
	{ BEGIN "daemon start\n", "f:7: the daemon runs already" },
	{ BEGIN "daemon forget\n", "f:7: the daemon still runs" },
	{ BEGIN "daemon stop\ndaemon kill\n", "f:8: the daemon does not run" },
	{ BEGIN "kernel message op=1 id=9 of=b\n", "f:7: 'b' is no mount" },
	{ BEGIN "kernel message op=1 id=9 payload=1,x\n", "f:7: 'x' is no word" },
	/* What the oracle knows without being told. */
	{ BEGIN "read m 0+8M\numount m\nreplace b size=8M\nmount b as n\nread n 0+4K\n",
	  "f: at the end: the kernel's oracle found " },
	{ BEGIN "umount m\nreplace b size=4M\nmount b as n\n",
	  "f: at the end: the kernel's oracle found " },
};

START_TEST(each_difference_is_told_with_its_line)
{
	assert_fails(differences[_i].text, differences[_i].fault);
}
END_TEST

START_TEST(difference_is_told_with_what_the_oracle_found)
{
	char *why = run(BEGIN "read m 0+8M\numount m\nreplace b size=8M\nmount b as n\n"
			      "read n 0+4K\nexpect fds=7\n");

	ck_assert_ptr_nonnull(strstr(why, "f:12: expected fds=7, it is 1"));
	ck_assert_ptr_nonnull(strstr(why, "a reader got"));
	free(why);
}
END_TEST

START_TEST(expectation_of_the_other_kernel_is_not_ours)
{
	char *why = run("# x\nserve b size=4K\nmount b as m\nexpect real contacts=99\n");

	ck_assert_msg(!why, "%s", why);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(*(a))))

static int count_terms(void)
{
	int n = 0;

	while (scenario_terms[n].name)
		n++;
	return n;
}

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, sentence_settings_and_steps_are_told_apart);
	tcase_add_test(tcase, readers_ranges_outcomes_and_terms_are_taken_apart);
	tcase_add_test(tcase, key_is_the_name_with_its_escapes_decoded);
	tcase_add_loop_test(tcase, faults_are_told_with_file_and_line, 0, COUNT(faults));
	tcase_add_test(tcase, file_that_is_no_text_or_not_there_is_a_fault);
	tcase_add_test(tcase, nothing_is_wrong_when_all_is_as_expected);
	tcase_add_loop_test(tcase, each_number_that_is_not_as_expected_fails, 0, count_terms());
	tcase_add_loop_test(tcase, each_difference_is_told_with_its_line, 0, COUNT(differences));
	tcase_add_test(tcase, difference_is_told_with_what_the_oracle_found);
	tcase_add_test(tcase, expectation_of_the_other_kernel_is_not_ours);
}

int main(void)
{
	Suite *suite = suite_create("scenario");
	TCase *tcase = tcase_create("scenario");

	add_tests(tcase);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
