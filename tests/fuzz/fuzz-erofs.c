/* SPDX-License-Identifier: MIT */
/*
 * The first block of what is said to be an image.
 */
#include "daemon/engine/erofs.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct erofs_super super = { .devices = 1u << 20 };
	enum erofs_kind kind = erofs_look(data, n);

	if (!erofs_read_super(&super, data, n)) {
		FUZZ_CHECK(super.devices == 1u << 20);
		FUZZ_CHECK(kind == EROFS_NONE || n < EROFS_HEAD);
		return 0;
	}
	FUZZ_CHECK(super.kind == kind && kind != EROFS_NONE);
	FUZZ_CHECK((super.block_size & (super.block_size - 1)) == 0);
	FUZZ_CHECK(super.block_size <= 65536 && super.devices <= UINT16_MAX);
	FUZZ_CHECK(super.size <= (uint64_t)UINT32_MAX * 65536);
	return 0;
}
