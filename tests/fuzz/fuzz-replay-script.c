/* SPDX-License-Identifier: MIT */
/*
 * The script of faults of a replay.
 */
#include <string.h>

#include "daemon/replay/script.h"
#include "tests/fuzz/fuzz.h"

static void check_rule(const struct script_rule *rule)
{
	FUZZ_CHECK(rule->from < rule->to);
	FUZZ_CHECK((rule->kind == SCRIPT_ERROR) == (rule->error < 0));
	FUZZ_CHECK((rule->glob != NULL) ==
		   (rule->kind == SCRIPT_ERROR || rule->kind == SCRIPT_STALL));
	FUZZ_CHECK(rule->kind != SCRIPT_BANDWIDTH || rule->value > 0);
	FUZZ_CHECK(!script_holds(rule, UINT64_MAX, "erofs,v/a"));
	script_holds(rule, rule->from, "erofs,v/a");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char error[SCRIPT_ERROR_MAX] = "";
	struct script script = { .n = 0 };
	int r = script_parse(&script, "script", (const char *)data, n, error);

	FUZZ_CHECK(r == 0 || error[0]);
	FUZZ_CHECK(script.n <= SCRIPT_RULES_MAX);
	for (size_t i = 0; i < script.n; i++)
		check_rule(&script.rules[i]);
	script_deinit(&script);
	return 0;
}
