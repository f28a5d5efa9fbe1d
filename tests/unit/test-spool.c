/* SPDX-License-Identifier: MIT */
/*
 * The file of a recording alone, whose writes the loop does.
 */
#include "daemon/record/spool.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/recording.h"

static int spool_error;

static void spool_failed(void *arg, int err)
{
	ck_assert_int_eq(spool_error, 0); /* once */
	spool_error = err;
}

static void spool_finished(void *arg)
{
	stopped = true;
}

START_TEST(device_that_is_full_from_the_start)
{
	struct spool *spool;
	size_t n;

	spool_error = 0;
	stopped = false;
	ck_assert_int_eq(spool_new(&spool, rig.loop, open("/dev/full", O_WRONLY | O_CLOEXEC),
				   spool_failed, NULL),
			 0);
	memset(spool_reserve(spool, 10, &n), 'a', 10);
	ck_assert_uint_eq(n, SPOOL_BUFFER);
	spool_commit(spool, 10);
	rig_wait(spool_error);
	ck_assert_int_eq(spool_error, -ENOSPC);
	spool_reserve(spool, 10, &n);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(spool_written(spool), 0);
	spool_free(spool);
}
END_TEST

START_TEST(spool_writes_in_order_whatever_the_sizes)
{
	static uint8_t written[FILE_MAX];
	struct spool *spool;
	size_t total = 0, n;
	uint8_t *at;

	stopped = false;
	spool_error = 0;
	ck_assert_int_eq(spool_new(&spool, rig.loop,
				   open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), spool_failed,
				   NULL),
			 0);
	for (unsigned int i = 0; i < 300; i++) {
		size_t size = 1 + i * 7919 % 10000;

		at = spool_reserve(spool, size, &n);
		if (n == 0) {
			rig_run(MS);
			at = spool_reserve(spool, size, &n);
		}
		ck_assert_uint_ge(n, size);
		for (size_t k = 0; k < size; k++)
			at[k] = written[total + k] = (uint8_t)(i + k);
		spool_commit(spool, size);
		total += size;
		if (i % 37 == 0)
			rig_run(2 * SEC);
	}
	spool_finish(spool, spool_finished);
	rig_wait(stopped);
	ck_assert_uint_eq(spool_written(spool), total);
	spool_free(spool);
	load(file);
	ck_assert_uint_eq(seen.n_bytes, total);
	ck_assert_mem_eq(seen.bytes, written, total);
}
END_TEST

static TCase *tests(void)
{
	TCase *tcase = tcase_create("spool");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up_and_begin, tear_down);
	tcase_add_test(tcase, device_that_is_full_from_the_start);
	tcase_add_test(tcase, spool_writes_in_order_whatever_the_sizes);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("spool");

	suite_add_tcase(suite, tests());
	return run_suite(suite);
}
