/* SPDX-License-Identifier: MIT */
/*
 * The first block of a compressed EROFS image, as far as anybody looks at it.
 */
#pragma once

#include <stdint.h>

#define SUPERBLOCK_LEN	       4096
#define SUPERBLOCK_COMPRESSION (1024 + 80) /* where it says that the image is compressed */

/* fs/erofs/erofs_fs.h: magic at 1024; from there blkszbits at 12, feature_incompat
 * (LZ4_0PADDING) at 80. */
static inline uint8_t superblock_byte(uint64_t off)
{
	static const uint8_t magic[] = { 0xe2, 0xe1, 0xf5, 0xe0 };

	if (off >= 1024 && off < 1028)
		return magic[off - 1024];
	return off == 1024 + 12 ? 12 : off == SUPERBLOCK_COMPRESSION ? 1 : 0;
}
