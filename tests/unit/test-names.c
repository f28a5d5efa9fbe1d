/* SPDX-License-Identifier: MIT */
#include "daemon/names/names.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

#define TTL 1000

/* ---- memory that ends --------------------------------------------------------------------- */

static unsigned int allocations_left = UINT32_MAX;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static bool memory_ends(void)
{
	if (allocations_left == UINT32_MAX)
		return false;
	if (allocations_left == 0)
		return true;
	allocations_left--;
	return false;
}

void *__wrap_malloc(size_t n)
{
	return memory_ends() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_ends() ? NULL : __real_calloc(n, size);
}

/* ---- what is put -------------------------------------------------------------------------- */

static struct names *names;

static void make(uint64_t bytes)
{
	ck_assert_int_eq(names_new(&names, bytes, 0x1234), 0);
}

static void setup(void)
{
	make(1 << 20);
}

static void teardown(void)
{
	allocations_left = UINT32_MAX;
	names = names_free(names);
}

static struct name there(const char *volume, const char *cookie, const char *validator)
{
	return (struct name){
		.volume = bytes_str(volume),
		.cookie = bytes_str(cookie),
		.source = 3,
		.size = 4711,
		.whole = true,
		.locator = "http://origin/x",
		.validator = validator,
	};
}

static int put(uint64_t now, const char *volume, const char *cookie, const char *validator)
{
	struct name name = there(volume, cookie, validator);

	return names_put(names, now, TTL, &name);
}

static int put_absent(uint64_t now, const char *volume, const char *cookie)
{
	struct name name = {
		.volume = bytes_str(volume),
		.cookie = bytes_str(cookie),
		.absent = true,
	};

	return names_put(names, now, TTL, &name);
}

static bool find(uint64_t now, const char *volume, const char *cookie, struct name *ret)
{
	return names_find(names, now, bytes_str(volume), bytes_str(cookie), ret);
}

static bool knows(uint64_t now, const char *volume, const char *cookie)
{
	struct name name;

	return names_peek(names, now, bytes_str(volume), bytes_str(cookie), &name);
}

/* "volume/cookie " of each that was visited. */
static char seen[4096];

static void note(void *arg, const struct name *name)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%.*s/%.*s ", (int)name->volume.len,
		 (const char *)name->volume.data, (int)name->cookie.len,
		 (const char *)name->cookie.data);
}

static const char *in_order(uint64_t now)
{
	seen[0] = '\0';
	names_each(names, now, note, NULL);
	return seen;
}

/* ---- one by one --------------------------------------------------------------------------- */

START_TEST(test_what_was_put_is_found)
{
	struct name name;

	ck_assert(!find(0, "v", "c", &name));
	ck_assert_int_eq(put(0, "v", "c", "etag:1"), 0);
	ck_assert(find(TTL - 1, "v", "c", &name));
	ck_assert(bytes_equal(name.volume, bytes_str("v")));
	ck_assert(bytes_equal(name.cookie, bytes_str("c")));
	ck_assert(!name.absent && name.whole);
	ck_assert_uint_eq(name.source, 3);
	ck_assert_uint_eq(name.size, 4711);
	ck_assert_str_eq(name.locator, "http://origin/x");
	ck_assert_str_eq(name.validator, "etag:1");
	ck_assert_uint_eq(name.hits, 1);
	ck_assert_uint_eq(name.generation, 0);
	ck_assert(find(0, "v", "c", &name));
	ck_assert_uint_eq(name.hits, 2);
}
END_TEST

START_TEST(test_absence_is_remembered_without_anything_else)
{
	struct name name = there("v", "c", "etag:1");

	name.absent = true;
	ck_assert_int_eq(names_put(names, 0, TTL, &name), 0);
	ck_assert(find(0, "v", "c", &name));
	ck_assert(name.absent && !name.whole);
	ck_assert_uint_eq(name.size, 0);
	ck_assert_str_eq(name.locator, "");
	ck_assert_str_eq(name.validator, "");
	ck_assert_uint_eq(names_by_validator(names, 0, "etag:1", note, NULL), 0);
}
END_TEST

START_TEST(test_nothing_is_true_for_ever)
{
	struct name name;

	put(5, "v", "c", "");
	ck_assert(knows(TTL + 4, "v", "c"));
	ck_assert(!knows(TTL + 5, "v", "c"));
	ck_assert_str_eq(in_order(TTL + 5), "");
	ck_assert_uint_eq(names_stats(names).entries, 1); /* nobody has asked since */
	ck_assert(!find(TTL + 5, "v", "c", &name));
	ck_assert_uint_eq(names_stats(names).entries, 0);
	ck_assert_uint_eq(names_stats(names).bytes, 0);
}
END_TEST

START_TEST(test_a_time_without_end)
{
	struct name name = there("v", "c", "");

	ck_assert_int_eq(names_put(names, UINT64_MAX - 5, UINT64_MAX - 5, &name), 0);
	ck_assert(knows(UINT64_MAX - 1, "v", "c"));
}
END_TEST

START_TEST(test_no_time_is_not_remembered_and_forgets)
{
	struct name name = there("v", "c", "");

	put(0, "v", "c", "old");
	ck_assert_int_eq(names_put(names, 0, 0, &name), 0);
	ck_assert(!knows(0, "v", "c"));
	ck_assert_uint_eq(names_stats(names).entries, 0);
}
END_TEST

START_TEST(test_the_later_one_counts)
{
	struct name name;

	put(0, "v", "c", "one");
	ck_assert(find(0, "v", "c", &name));
	put_absent(1, "v", "c");
	ck_assert(find(1, "v", "c", &name));
	ck_assert(name.absent);
	ck_assert_uint_eq(name.hits, 1);
	put(2, "v", "c", "two");
	ck_assert(find(TTL + 1, "v", "c", &name));
	ck_assert_str_eq(name.validator, "two");
	ck_assert_uint_eq(names_stats(names).entries, 1);
	ck_assert_uint_eq(names_by_validator(names, 2, "one", note, NULL), 0);
}
END_TEST

START_TEST(test_an_entry_can_be_put_again_from_itself)
{
	struct name name;

	put(0, "v", "c", "one");
	ck_assert(find(0, "v", "c", &name));
	ck_assert_int_eq(names_put(names, 10, TTL, &name), 0);
	ck_assert(find(TTL + 9, "v", "c", &name));
	ck_assert_str_eq(name.locator, "http://origin/x");
	ck_assert_str_eq(name.validator, "one");
}
END_TEST

static bool keys_meet(struct bytes v, struct bytes c, struct bytes v2, struct bytes c2)
{
	struct name name = there("", "", "");

	name.volume = v;
	name.cookie = c;
	ck_assert_int_eq(names_put(names, 0, TTL, &name), 0);
	ck_assert(names_find(names, 0, v, c, &name));
	return names_find(names, 0, v2, c2, &name);
}

START_TEST(test_keys_are_bytes)
{
	struct bytes none = { NULL, 0 }, nul = bytes_of("", 1);

	ck_assert(!keys_meet(bytes_str("ab"), bytes_str("c"), bytes_str("a"), bytes_str("bc")));
	ck_assert(!keys_meet(bytes_of("a\0b", 3), bytes_str("c"), bytes_str("a"),
			     bytes_of("b\0c", 3)));
	ck_assert(!keys_meet(nul, none, none, nul));
	ck_assert(!keys_meet(none, nul, nul, nul));
	ck_assert(!keys_meet(none, none, nul, bytes_of("\0", 2)));
	ck_assert(!keys_meet(bytes_str("V"), bytes_str("c"), bytes_str("v"), bytes_str("c")));
}
END_TEST

#define MANY 200000

static void number(char to[32], const char *text, unsigned int i)
{
	if (text)
		snprintf(to, 32, "%s", text);
	else
		snprintf(to, 32, "%u", i);
}

/* So many that about nine of those that were not put have the hash of one that was.
 * What is NULL has another number in each. */
static unsigned int found_of_others(const char *volume, const char *cookie)
{
	unsigned int found = 0;
	char v[32], c[32];
	struct name name;

	teardown();
	make(100 << 20);
	for (unsigned int i = 0; i < 2 * MANY; i++) {
		number(v, volume, i);
		number(c, cookie, i);
		if (i >= MANY)
			found += find(0, v, c, &name);
		else if (put_absent(0, v, c) < 0)
			return UINT32_MAX;
	}
	return names_stats(names).entries == MANY ? found : UINT32_MAX;
}

START_TEST(test_whole_keys_are_compared)
{
	ck_assert_uint_eq(found_of_others("v", NULL), 0);
	ck_assert_uint_eq(found_of_others(NULL, "c"), 0);
}
END_TEST

START_TEST(test_long_keys_pass_by)
{
	char text[NAMES_KEY_MAX + 1];
	struct name name = there("v", "", "");

	memset(text, 'k', sizeof(text));
	name.cookie = bytes_of(text, NAMES_KEY_MAX - 1);
	ck_assert_int_eq(names_put(names, 0, TTL, &name), 0);
	name.cookie.len++;
	ck_assert_int_eq(names_put(names, 0, TTL, &name), -E2BIG);
	ck_assert_uint_eq(names_stats(names).entries, 1);
	ck_assert(!names_find(names, 0, name.volume, name.cookie, &name));
}
END_TEST

START_TEST(test_what_cannot_be_kept_replaces_all_the_same)
{
	char *text = malloc(70000);
	struct name name = there("v", "c", "");

	memset(text, 'x', 69999);
	text[69999] = '\0';
	put(0, "v", "c", "old");
	name.locator = text;
	ck_assert_int_eq(names_put(names, 0, TTL, &name), -E2BIG);
	ck_assert(!knows(0, "v", "c"));
	free(text);
}
END_TEST

START_TEST(test_an_entry_over_the_bound_passes_by)
{
	struct name name = there("v", "c", "");
	uint64_t charge = NAMES_OVERHEAD + 2 + strlen(name.locator) + 2;

	teardown();
	make(charge - 1);
	ck_assert_int_eq(names_put(names, 0, TTL, &name), -E2BIG);
	ck_assert_int_eq(put_absent(0, "v", "c"), 0); /* it is shorter */
	ck_assert_int_eq(names_put(names, 0, TTL, &name), -E2BIG);
	ck_assert(!knows(0, "v", "c"));
	teardown();
	make(charge);
	ck_assert_int_eq(names_put(names, 0, TTL, &name), 0);
	ck_assert_uint_eq(names_stats(names).bytes, charge);
}
END_TEST

START_TEST(test_without_room_nothing_is_remembered)
{
	teardown();
	make(0);
	ck_assert_int_eq(put_absent(0, "v", "c"), -E2BIG);
	ck_assert(!knows(0, "v", "c"));
	ck_assert_uint_eq(names_forget(names, bytes_str("v"), bytes_str("c")), 0);
	ck_assert_uint_eq(names_forget_volume(names, bytes_str("v")), 0);
	ck_assert(!names_bind(names, 0, bytes_str("v"), bytes_str("c"), 1, 1));
	ck_assert_str_eq(in_order(0), "");
}
END_TEST

START_TEST(test_the_least_recently_used_goes_first)
{
	struct name name;

	teardown();
	make(3 * (NAMES_OVERHEAD + 4)); /* three absent ones */
	put_absent(0, "v", "a");
	put_absent(0, "v", "b");
	put_absent(0, "v", "c");
	ck_assert_str_eq(in_order(0), "v/c v/b v/a ");
	ck_assert(find(0, "v", "a", &name));
	ck_assert(knows(0, "v", "b")); /* a look is no use */
	put_absent(0, "v", "d");
	ck_assert_str_eq(in_order(0), "v/d v/a v/c ");
	put_absent(0, "v", "c");
	put_absent(0, "v", "e");
	ck_assert_str_eq(in_order(0), "v/e v/c v/d ");
	ck_assert_uint_eq(names_stats(names).evicted, 2);
}
END_TEST

START_TEST(test_purges)
{
	put(0, "v", "a", "same");
	put(0, "v", "b", "same");
	put(0, "w", "a", "same");
	put_absent(0, "w", "b");
	ck_assert_uint_eq(names_forget(names, bytes_str("v"), bytes_str("c")), 0);
	ck_assert_uint_eq(names_forget(names, bytes_str("v"), bytes_str("b")), 1);
	ck_assert_str_eq(in_order(0), "w/b w/a v/a ");
	ck_assert_uint_eq(names_forget_volume(names, bytes_str("w")), 2);
	ck_assert_str_eq(in_order(0), "v/a ");
	ck_assert_uint_eq(names_forget_volume(names, bytes_str("w")), 0);
	ck_assert_uint_eq(names_by_validator(names, 0, "same", note, NULL), 1);
	ck_assert_uint_eq(names_forget_volume(names, bytes_str("v")), 1);
	ck_assert_uint_eq(names_stats(names).bytes, 0);
}
END_TEST

START_TEST(test_back_from_what_names_have_in_common)
{
	put(0, "v", "a", "sha256:1");
	put(0, "w", "a", "sha256:1");
	put(0, "w", "b", "sha256:2");
	put(0, "w", "c", "");
	seen[0] = '\0';
	ck_assert_uint_eq(names_by_validator(names, 0, "sha256:1", note, NULL), 2);
	ck_assert_str_eq(seen, "w/a v/a ");
	ck_assert_uint_eq(names_by_validator(names, 0, "sha256:3", note, NULL), 0);
	ck_assert_uint_eq(names_by_validator(names, 0, "", note, NULL), 0);
	ck_assert_uint_eq(names_by_validator(names, TTL, "sha256:1", note, NULL), 0);
	ck_assert_uint_eq(names_by_volume(names, 0, bytes_str("w"), note, NULL), 3);
	seen[0] = '\0';
	ck_assert_uint_eq(names_by_cookie(names, 0, bytes_str("a"), note, NULL), 2);
	ck_assert_str_eq(seen, "w/a v/a ");
}
END_TEST

/* ---- open objects ------------------------------------------------------------------------- */

static bool bind(const char *cookie, uint32_t id, uint64_t generation)
{
	return names_bind(names, 0, bytes_str("v"), bytes_str(cookie), id, generation);
}

/* The cookie that has this id; "" when there is none. */
static const char *whose(uint32_t id, uint64_t generation)
{
	static char cookie[16];
	struct name name;

	cookie[0] = '\0';
	if (!names_by_id(names, 0, id, generation, &name))
		return cookie;
	ck_assert_uint_eq(name.id, id);
	memcpy(cookie, name.cookie.data, name.cookie.len);
	cookie[name.cookie.len] = '\0';
	return cookie;
}

START_TEST(test_an_open_object_has_a_name)
{
	put(0, "v", "a", "");
	ck_assert(!bind("b", 7, 1));
	ck_assert(bind("a", 0, 2)); /* 0 is an id as any other */
	ck_assert_str_eq(whose(0, 2), "a");
	ck_assert_str_eq(whose(0, 0), "a");
	ck_assert_str_eq(whose(0, 1), "");
	ck_assert_str_eq(whose(7, 0), "");
	names_unbind(names, 0, 2);
	ck_assert_str_eq(whose(0, 0), "");
}
END_TEST

START_TEST(test_a_used_again_id_finds_no_older_name)
{
	put(0, "v", "a", "");
	put(0, "v", "b", "");
	ck_assert(bind("a", 7, 1));
	ck_assert(bind("b", 7, 2)); /* without a close: it was never told */
	ck_assert_str_eq(whose(7, 1), "");
	ck_assert_str_eq(whose(7, 2), "b");
	names_unbind(names, 7, 1); /* it comes late */
	ck_assert_str_eq(whose(7, 2), "b");
	/* The new one is not remembered: the old one must not stand in for it. */
	ck_assert(!bind("c", 7, 3));
	ck_assert_str_eq(whose(7, 0), "");
}
END_TEST

START_TEST(test_a_name_is_that_of_its_last_id)
{
	put(0, "v", "a", "");
	ck_assert(bind("a", 7, 1));
	ck_assert(bind("a", 8, 2));
	ck_assert_str_eq(whose(7, 0), "");
	ck_assert_str_eq(whose(8, 0), "a");
	put(0, "v", "a", "new"); /* looked at again while it is open */
	ck_assert_str_eq(whose(8, 2), "a");
	names_forget(names, bytes_str("v"), bytes_str("a"));
	ck_assert_str_eq(whose(8, 0), "");
	put(0, "v", "a", "");
	ck_assert_str_eq(whose(8, 0), "");
}
END_TEST

START_TEST(test_ids_go_with_what_is_evicted)
{
	teardown();
	make(NAMES_OVERHEAD + 4);
	put_absent(0, "v", "a");
	ck_assert(bind("a", 7, 1));
	put_absent(0, "v", "b");
	ck_assert_str_eq(whose(7, 0), "");
	ck_assert(bind("b", 7, 2));
	ck_assert_str_eq(whose(7, 0), "b");
	ck_assert(!names_bind(names, TTL, bytes_str("v"), bytes_str("b"), 7, 3));
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------- */

START_TEST(test_no_memory_to_begin)
{
	struct names *n = NULL;
	int err = -ENOMEM;

	for (unsigned int i = 0; err < 0; i++) {
		allocations_left = i;
		err = names_new(&n, 1 << 16, 0);
		allocations_left = UINT32_MAX;
		ck_assert(err == 0 || (err == -ENOMEM && !n && i < 10));
	}
	names_free(n);
}
END_TEST

START_TEST(test_no_memory_forgets_what_is_older)
{
	int err, err2;

	put(0, "v", "a", "old");
	put(0, "v", "b", "old");
	allocations_left = 0;
	err = put(0, "v", "a", "new");
	err2 = put(0, "v", "c", "new");
	allocations_left = UINT32_MAX; /* asserting takes some as well */
	ck_assert_int_eq(err, -ENOMEM);
	ck_assert_int_eq(err2, -ENOMEM);
	ck_assert_str_eq(in_order(0), "v/b ");
	ck_assert_int_eq(put(0, "v", "a", "new"), 0);
	ck_assert_str_eq(in_order(0), "v/a v/b ");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("names");
	TCase *t = tcase_create("names");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_what_was_put_is_found);
	tcase_add_test(t, test_absence_is_remembered_without_anything_else);
	tcase_add_test(t, test_nothing_is_true_for_ever);
	tcase_add_test(t, test_a_time_without_end);
	tcase_add_test(t, test_no_time_is_not_remembered_and_forgets);
	tcase_add_test(t, test_the_later_one_counts);
	tcase_add_test(t, test_an_entry_can_be_put_again_from_itself);
	tcase_add_test(t, test_keys_are_bytes);
	tcase_add_test(t, test_whole_keys_are_compared);
	tcase_add_test(t, test_long_keys_pass_by);
	tcase_add_test(t, test_what_cannot_be_kept_replaces_all_the_same);
	tcase_add_test(t, test_an_entry_over_the_bound_passes_by);
	tcase_add_test(t, test_without_room_nothing_is_remembered);
	tcase_add_test(t, test_the_least_recently_used_goes_first);
	tcase_add_test(t, test_purges);
	tcase_add_test(t, test_back_from_what_names_have_in_common);
	tcase_add_test(t, test_an_open_object_has_a_name);
	tcase_add_test(t, test_a_used_again_id_finds_no_older_name);
	tcase_add_test(t, test_a_name_is_that_of_its_last_id);
	tcase_add_test(t, test_ids_go_with_what_is_evicted);
	tcase_add_test(t, test_no_memory_to_begin);
	tcase_add_test(t, test_no_memory_forgets_what_is_older);
	suite_add_tcase(s, t);
	return run_suite(s);
}
