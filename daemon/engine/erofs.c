/* SPDX-License-Identifier: MIT */
#include "daemon/engine/erofs.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define SUPER_OFFSET	 1024
#define SUPER_MAGIC	 0xE0F5E1E2u
#define BLOCK_BITS	 (SUPER_OFFSET + 12)
#define BLOCKS		 (SUPER_OFFSET + 36)
#define FEATURE_INCOMPAT (SUPER_OFFSET + 80)
#define COMPR_ALGS	 (SUPER_OFFSET + 84)
#define EXTRA_DEVICES	 (SUPER_OFFSET + 86)

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

bool erofs_read_super(struct erofs_super *ret, const void *head, size_t n)
{
	const uint8_t *p = head;
	enum erofs_kind kind = erofs_look(head, n);
	uint16_t devices;
	uint32_t blocks;

	if (kind == EROFS_NONE || n < EXTRA_DEVICES + sizeof(devices))
		return false;
	memcpy(&devices, p + EXTRA_DEVICES, sizeof(devices));
	memcpy(&blocks, p + BLOCKS, sizeof(blocks));
	ret->kind = kind;
	/* From a sector to the largest page. */
	ret->block_size = p[BLOCK_BITS] >= 9 && p[BLOCK_BITS] <= 16 ? 1u << p[BLOCK_BITS] : 0;
	ret->devices = le16toh(devices);
	ret->size = (uint64_t)le32toh(blocks) * ret->block_size;
	return true;
}
