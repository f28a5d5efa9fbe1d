/* SPDX-License-Identifier: MIT */
#include "daemon/util/resident.h"

#include <check.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/run-suite.h"

#define SIZE (4 << 20)

/* As much as many libraries have that only starting needs; the compiler must not know what it
 * holds. */
static const unsigned char constants[SIZE] = { 1, [SIZE / 2] = 2, [SIZE - 1] = 3 };
/* Read-only, but only since the linker has written it. */
static int (*const relocated[])(int) = { abs, putchar };
static int written = 1;

static const volatile unsigned char *at(size_t i)
{
	return (const volatile unsigned char *)constants + i;
}

/* How many KiB of the mapping around the constants are in memory; -1: the kernel does not say. */
static long resident(void)
{
	uint64_t start, end, middle = (uint64_t)(uintptr_t)at(SIZE / 2);
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool inside = false;
	long kib = -1;

	while (maps && kib < 0 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = start <= middle && middle < end;
		else if (inside)
			sscanf(line, "Rss: %ld kB", &kib);
	}
	if (maps)
		fclose(maps);
	return kib;
}

static void touch_all(void)
{
	for (size_t i = 0; i < SIZE; i += 4096)
		ck_assert_uint_eq(*at(i), i == 0 ? 1 : i == SIZE / 2 ? 2 : 0);
}

START_TEST(test_constants)
{
	touch_all();
	ck_assert_int_ge(resident(), SIZE / 1024);
	resident_forget_start();
	ck_assert_int_lt(resident(), SIZE / 1024 / 2);
	touch_all();
	ck_assert_uint_eq(*at(SIZE - 1), 3);
}
END_TEST

/* What the program and its linker have written stays. */
START_TEST(test_written)
{
	int (*const volatile *functions)(int) = relocated;

	written = 7;
	resident_forget_start();
	ck_assert_int_eq(written, 7);
	ck_assert_int_eq(functions[0](-5), 5);
	ck_assert_ptr_eq(functions[1], putchar);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resident");
	TCase *tc = tcase_create("resident");

	if (resident() < 0)
		return skip_all("this kernel does not say what is resident");
	tcase_add_test(tc, test_constants);
	tcase_add_test(tc, test_written);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
