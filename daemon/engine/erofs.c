/* SPDX-License-Identifier: MIT */
#include "daemon/engine/erofs.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define SUPER_OFFSET	 1024
#define SUPER_MAGIC	 0xE0F5E1E2u
#define FEATURE_INCOMPAT (SUPER_OFFSET + 80)
#define COMPR_ALGS	 (SUPER_OFFSET + 84)

/*
 * ZERO_PADDING, COMPR_CFGS (and BIG_PCLUSTER), ZTAILPACKING, FRAGMENTS (and DEDUPE). The other
 * bits that name compression, COMPR_HEAD2 among them, are shared with features of plain images.
 */
#define INCOMPAT_COMPRESSION 0x33u

enum erofs_kind erofs_look(const void *head, size_t n)
{
	const uint8_t *p = head;
	uint32_t magic, incompat;
	uint16_t algorithms;

	if (n < COMPR_ALGS + sizeof(algorithms))
		return EROFS_NONE;
	memcpy(&magic, p + SUPER_OFFSET, sizeof(magic));
	memcpy(&incompat, p + FEATURE_INCOMPAT, sizeof(incompat));
	memcpy(&algorithms, p + COMPR_ALGS, sizeof(algorithms));
	if (le32toh(magic) != SUPER_MAGIC)
		return EROFS_NONE;
	/* Images of before 5.4 (mkfs -Elegacy-compress) show it by the LZ4 distance alone. */
	if ((le32toh(incompat) & INCOMPAT_COMPRESSION) || algorithms != 0)
		return EROFS_COMPRESSED;
	return EROFS_PLAIN;
}
