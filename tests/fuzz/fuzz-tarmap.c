/* SPDX-License-Identifier: MIT */
/*
 * A map of a tar layer.
 */
#include <string.h>

#include "proto/tarmap.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct tarmap map = { .n = 77 };
	uint8_t header[TARMAP_HEADER];
	uint64_t end = 0;

	if (tarmap_parse(&map, bytes_of(data, n)) != TARMAP_OK) {
		FUZZ_CHECK(map.n == 77);
		return 0;
	}
	FUZZ_CHECK(strlen(map.validator) < TARMAP_VALIDATOR_MAX);
	for (uint64_t i = 0; i < map.n; i++) {
		struct tarmap_extent e = tarmap_extent(&map, i);

		FUZZ_CHECK(e.len > 0 && e.at >= end && e.at + e.len <= map.size);
		FUZZ_CHECK(e.from + e.len <= map.inner_size);
		FUZZ_CHECK(tarmap_find(&map, e.at) == i);
		FUZZ_CHECK(tarmap_find(&map, e.at + e.len - 1) == i);
		FUZZ_CHECK(tarmap_find(&map, end) == i);
		end = e.at + e.len;
	}
	FUZZ_CHECK(tarmap_find(&map, end) == map.n);
	tarmap_encode_header(header, &map);
	FUZZ_CHECK(memcmp(header, data, 16) == 0);
	return 0;
}
