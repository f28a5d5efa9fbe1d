/* SPDX-License-Identifier: MIT */
/*
 * The whole daemon between the emulated kernel and a scripted origin, in any order of things: the
 * bytes are a program (tests/lib/program.h). FUZZ_VERBOSE=1 in the environment prints what happens.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/lib/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct program_options options = {
		.script = getenv("FUZZ_VERBOSE") ? stderr : NULL,
	};

	program_run(data, n, &options);
	return 0;
}
