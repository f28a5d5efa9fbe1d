/* SPDX-License-Identifier: MIT */
/*
 * A line of a plan: what is taken for a range is written again as a line that means the same.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/plan.h"
#include "tests/fuzz/fuzz.h"

static void check_again(const struct plan_range *range)
{
	struct plan_range again;
	const char *why;
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	FUZZ_CHECK(out);
	plan_write_range(out, range->off, range->len, range->volume, range->cookie);
	FUZZ_CHECK(fclose(out) == 0);
	FUZZ_CHECK(n > 0 && text[n - 1] == '\n' && n <= PLAN_LINE_MAX);
	FUZZ_CHECK(plan_parse_line(text, n - 1, &again, &why) == PLAN_RANGE);
	FUZZ_CHECK(again.off == range->off && again.len == range->len);
	FUZZ_CHECK(bytes_equal(again.volume, range->volume));
	FUZZ_CHECK(bytes_equal(again.cookie, range->cookie));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct plan_range range;
	const char *why = "";

	switch (plan_parse_line((const char *)data, n, &range, &why)) {
	case PLAN_NOTHING:
		break;
	case PLAN_BAD:
		FUZZ_CHECK(*why);
		break;
	case PLAN_RANGE:
		FUZZ_CHECK(range.len > 0 && range.cookie.len > 0);
		FUZZ_CHECK(range.volume.len <= PLAN_KEY_MAX && range.cookie.len <= PLAN_KEY_MAX);
		check_again(&range);
	}
	return 0;
}
