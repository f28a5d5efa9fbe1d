/* SPDX-License-Identifier: MIT */
/*
 * Without memory every request is still answered.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/contract/contract-fixture.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool no_memory;

/* The fetchers' own; libraries have theirs. */
void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

START_TEST(no_memory_still_answers)
{
	static struct host_read reads[8], ok;
	static struct host_look some_looks[8];
	struct fetch_object *object = attach_new("blob", SIZE);
	const char *locator = locator_of("blob");

	no_memory = true;
	for (int i = 0; i < 8; i++) {
		host_read_start(&host, &reads[i], object, 0, 4096);
		host_look_start(&host, &some_looks[i], locator, 0);
	}
	host_read_cancel(&reads[6], object);
	host_look_cancel(&some_looks[7]);
	no_memory = false;
	host_wait_all(&host);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(reads[i].err, -ENOMEM);
		ck_assert_int_eq(some_looks[i].err, -ENOMEM);
		host_read_free(&reads[i]);
	}
	ck_assert_int_eq(host_read(&host, &ok, object, 0, 4096), 0);
	host_read_free(&ok);
	detach(object);
}
END_TEST

void contract_memory(TCase *tc)
{
	tcase_add_test(tc, no_memory_still_answers);
}
