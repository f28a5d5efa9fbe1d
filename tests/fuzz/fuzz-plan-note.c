/* SPDX-License-Identifier: MIT */
/*
 * The annotation of a manifest that is a plan: what is taken is within the layers, and is the same
 * plan when it is written again.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context.h"
#include "daemon/ctl/image-plan.h"
#include "tests/fuzz/fuzz.h"

static const struct image_plan_object layers[] = {
	{ "sha256:a", 4096 }, { "x:b", 1 }, { "sha256:a%/ ", (uint64_t)1 << 40 }
};

#define N_LAYERS (sizeof(layers) / sizeof(layers[0]))

static void check_ranges(const struct image_plan *plan)
{
	const char *text = plan->text;
	struct plan_range range;
	size_t n = 0;

	while (image_plan_next(&text, &range)) {
		FUZZ_CHECK(range.volume.len == 0 && range.off < (uint64_t)1 << 40);
		n++;
	}
	FUZZ_CHECK(n == plan->n && n > 0 && n <= PLAN_RANGES_MAX);
}

static void check_again(const struct image_plan *plan)
{
	char error[CONTEXT_ERROR_MAX], *note = NULL;
	struct image_plan again;

	FUZZ_CHECK(image_plan_make_note(&note, plan, layers, N_LAYERS, error) == 0);
	FUZZ_CHECK(image_plan_of_note(&again, note, layers, N_LAYERS, error) == 0);
	FUZZ_CHECK(again.n == plan->n && again.bytes == plan->bytes);
	FUZZ_CHECK(strcmp(again.text, plan->text) == 0);
	image_plan_end(&again);
	free(note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char error[CONTEXT_ERROR_MAX] = "", *note = strndup((const char *)data, n);
	struct image_plan plan = { 0 };

	FUZZ_CHECK(note);
	if (image_plan_of_note(&plan, note, layers, N_LAYERS, error) < 0) {
		FUZZ_CHECK(*error && !plan.text);
	} else {
		check_ranges(&plan);
		check_again(&plan);
	}
	image_plan_end(&plan);
	free(note);
	return 0;
}
