/* SPDX-License-Identifier: MIT */
/*
 * The contract of look: size, head and version of an object, whatever its name.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/contract-fixture.h"
#include "tests/lib/descriptors.h"

#define STRANGE "a%20b%2e%25c" /* "a b.%c" as resolve.c writes it */

static const struct {
	size_t size, head_len;
} looks[] = {
	{ 1, 0 },	    { 1, 1 },	 { 1, 4096 }, { 4096, 4096 }, { 4096, 8192 },
	{ 4097, 4096 },	    { SIZE, 0 }, { SIZE, 1 }, { SIZE, 4096 }, { SIZE, SIZE },
	{ SIZE, SIZE + 1 }, { 0, 0 },	 { 0, 1 },    { 0, 4096 },
};

START_TEST(look_learns_size_and_head)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		size_t size = looks[i].size, room = looks[i].head_len;
		struct host_look look;

		kind->put("blob", size);
		ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), room), 0);
		ck_assert_uint_eq(look.look.identity.size, size);
		ck_assert_uint_eq(look.look.head_filled, room < size ? room : size);
		ck_assert_uint_eq(
			pattern_check(look.look.head, look.look.head_filled, kind->key("blob"), 0),
			look.look.head_filled);
		host_look_free(&look);
	}
}
END_TEST

START_TEST(look_is_repeatable)
{
	struct host_look a, b;

	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &a, locator_of("blob"), 0), 0);
	ck_assert_int_eq(host_look(&host, &b, locator_of("blob"), 0), 0);
	ck_assert_str_eq(a.look.identity.validator, b.look.identity.validator);
	ck_assert_str_ne(a.look.identity.validator, "");
}
END_TEST

START_TEST(look_tells_versions_apart)
{
	struct host_look a, b;

	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &a, locator_of("blob"), 0), 0);
	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &b, locator_of("blob"), 0), 0);
	ck_assert_str_ne(a.look.identity.validator, b.look.identity.validator);
}
END_TEST

START_TEST(look_missing)
{
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of("nothing"), 4096), -ENOENT);
	ck_assert_ptr_nonnull(strstr(look.look.error, "nothing"));
	host_look_free(&look);
}
END_TEST

/* What does not help is said, and it is not the network. */
START_TEST(look_without_descriptors)
{
	struct host_look look;
	rlim_t enough;

	kind->put("blob", SIZE);
	enough = descriptors_run_out();
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 4096), -EMFILE);
	ck_assert(fetch_may_pass(-EMFILE));
	host_look_free(&look);
	descriptors_limit(enough);
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 4096), 0);
	host_look_free(&look);
}
END_TEST

START_TEST(look_decodes_names)
{
	struct host_look look;

	kind->put("a b.%c", 5000);
	ck_assert_int_eq(host_look(&host, &look, locator_of(STRANGE), 0), 0);
	ck_assert_uint_eq(look.look.identity.size, 5000);
}
END_TEST

START_TEST(look_many_at_once)
{
	static struct host_look looks_at_once[MANY];
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "blob%d", i);
		if (i % 4)
			kind->put(name, (uint64_t)i * 1000);
		host_look_start(&host, &looks_at_once[i], locator_of(name), 4096);
	}
	host_wait_all(&host);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(looks_at_once[i].err, i % 4 ? 0 : -ENOENT);
		if (i % 4)
			ck_assert_uint_eq(looks_at_once[i].look.identity.size, (size_t)i * 1000);
		host_look_free(&looks_at_once[i]);
	}
}
END_TEST

void contract_look(TCase *tc)
{
	tcase_add_test(tc, look_learns_size_and_head);
	tcase_add_test(tc, look_is_repeatable);
	tcase_add_test(tc, look_tells_versions_apart);
	tcase_add_test(tc, look_missing);
	tcase_add_test(tc, look_without_descriptors);
	tcase_add_test(tc, look_decodes_names);
	tcase_add_test(tc, look_many_at_once);
}
