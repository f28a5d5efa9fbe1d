/* SPDX-License-Identifier: MIT */
/*
 * The contract of read: the right bytes of any span, and progress of those alone.
 */
#include <check.h>

#include "tests/contract/contract-fixture.h"

static const struct {
	uint64_t off;
	size_t len;
} spans[] = {
	{ 0, 1 },    { 0, 4096 },     { 4096, 4096 },	     { 1, SIZE - 1 },
	{ 0, SIZE }, { SIZE - 1, 1 }, { SIZE - 4097, 4097 }, { 12345, 54321 },
};

START_TEST(read_gives_the_bytes)
{
	struct fetch_object *object = attach_new("blob", SIZE);

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct host_read read = { 0 };

		ck_assert_int_eq(host_read(&host, &read, object, spans[i].off, spans[i].len), 0);
		check_bytes(&read, "blob", spans[i].len);
		host_read_free(&read);
	}
	detach(object);
}
END_TEST

START_TEST(read_object_of_one_byte)
{
	struct fetch_object *object = attach_new("blob", 1);
	struct host_read read = { 0 };

	ck_assert_int_eq(host_read(&host, &read, object, 0, 1), 0);
	check_bytes(&read, "blob", 1);
	host_read_free(&read);
	detach(object);
}
END_TEST

START_TEST(read_many_at_once)
{
	static struct host_read reads[MANY];
	struct fetch_object *a = attach_new("a", SIZE), *b = attach_new("b", 8192);

	for (int i = 0; i < MANY; i++)
		host_read_start(&host, &reads[i], i % 2 ? a : b, (uint64_t)i * (i % 2 ? 5000 : 100),
				4096);
	host_wait_all(&host);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(reads[i].err, 0);
		check_bytes(&reads[i], i % 2 ? "a" : "b", 4096);
		host_read_free(&reads[i]);
	}
	detach(a);
	detach(b);
}
END_TEST

static void check_progress(struct host_read *read)
{
	check_bytes(read, "blob", read->progress);
}

START_TEST(progress_only_of_right_bytes)
{
	struct fetch_object *object = attach_new("blob", LARGE);
	struct host_read read = { .on_progress = check_progress };

	ck_assert_int_eq(host_read(&host, &read, object, 1, LARGE - 1), 0);
	check_bytes(&read, "blob", LARGE - 1);
	host_read_free(&read);
	detach(object);
}
END_TEST

START_TEST(read_without_progress)
{
	struct fetch_object *object = attach_new("blob", 1000000);
	struct host_read read = { 0 };

	host_read_start(&host, &read, object, 0, 1000000);
	read.read.progress = NULL;
	ck_assert_int_eq(host_read_wait(&read), 0);
	check_bytes(&read, "blob", 1000000);
	host_read_free(&read);
	detach(object);
}
END_TEST

void contract_read(TCase *tc)
{
	tcase_add_test(tc, read_gives_the_bytes);
	tcase_add_test(tc, read_object_of_one_byte);
	tcase_add_test(tc, read_many_at_once);
	tcase_add_test(tc, progress_only_of_right_bytes);
	tcase_add_test(tc, read_without_progress);
}
