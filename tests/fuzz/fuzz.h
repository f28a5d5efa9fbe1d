/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target is one file fuzz-<input>.c with this function, a row in meson.build and a
 * directory corpus/<input>. Built with -Dfuzz=true and clang it is a libFuzzer; else it replays its
 * corpus once, as a test. Inputs that must be refused are called should-fail-<why>; those that
 * once broke something keep the name of what they broke.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Not assert(): it has to hold with NDEBUG, too. */
#define FUZZ_CHECK(condition)                                                                   \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)
