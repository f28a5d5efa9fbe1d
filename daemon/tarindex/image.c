/* SPDX-License-Identifier: MIT */
/*
 * Block 0 is the superblock and the device table. From block 1 on lie the inodes, each followed by
 * its attributes and then by its chunk indexes, or by the end of its data (of a directory, or a
 * symbolic link) where that stays in the block. Behind the inodes lie whole blocks of directories.
 * Inodes come directory by directory, so that what is listed together lies together.
 */
#include "daemon/tarindex/image.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "daemon/tarindex/image-dir.h"
#include "daemon/tarindex/image-disk.h"
#include "daemon/util/checked.h"

struct writer {
	struct image_sink *sink;
	uint64_t at; /* bytes written */
	int err;     /* the first */
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (w->err == 0 && len > 0)
		w->err = w->sink->write(w->sink, bytes, len);
	w->at += len;
}

static void pad_to(struct writer *w, uint64_t at)
{
	static const uint8_t zeros[IMAGE_BLOCK];

	while (w->at < at)
		put(w, zeros, min_u64(at - w->at, sizeof(zeros)));
}

/* ---- where things lie ------------------------------------------------------------------- */

static size_t xattr_size(const struct tree_inode *inode)
{
	return inode->xattrs_len > 0 ? DISK_XATTR_HEADER + inode->xattrs_len : 0;
}

/* An inode without what follows it. */
static size_t head_size(const struct tree_inode *inode)
{
	return sizeof(struct disk_inode) + xattr_size(inode);
}

static unsigned int chunk_bits(const struct tree_inode *inode)
{
	unsigned int bits = 0;

	while (bits < DISK_CHUNK_BITS_MAX && (uint64_t)IMAGE_BLOCK << bits < inode->size)
		bits++;
	return bits;
}

static bool is_chunked(const struct tree_inode *inode)
{
	return S_ISREG(inode->mode) && inode->size > 0;
}

static uint64_t n_chunks(const struct tree_inode *inode)
{
	uint64_t chunk = (uint64_t)IMAGE_BLOCK << chunk_bits(inode);

	return round_up_u64(inode->size, chunk) / chunk;
}

/* Bytes of data that this inode has in the image itself. */
static uint64_t own_data(const struct tree_inode *inode)
{
	return tree_is_dir(inode) || S_ISLNK(inode->mode) ? inode->size : 0;
}

/* The end of its data that follows the inode in the same block; 0: all of it is whole blocks. */
static size_t tail_size(const struct tree_inode *inode)
{
	size_t tail = own_data(inode) % IMAGE_BLOCK;

	return head_size(inode) + tail <= IMAGE_BLOCK ? tail : 0;
}

static uint64_t n_blocks(const struct tree_inode *inode)
{
	return round_up_u64(own_data(inode) - tail_size(inode), IMAGE_BLOCK) / IMAGE_BLOCK;
}

/* Numbers all inodes and the blocks behind them. Returns the number of blocks of the image. */
static uint64_t lay_out(struct tree *tree)
{
	uint64_t at = IMAGE_BLOCK, block;

	for (size_t i = 0; i < tree->n_inodes; i++) {
		struct tree_inode *inode = tree->order[i];
		size_t head = head_size(inode), tail;

		if (tree_is_dir(inode))
			inode->size = image_dir_size(inode);
		tail = tail_size(inode);
		at = round_up_u64(at, DISK_INODE_UNIT);
		if (tail > 0 && at % IMAGE_BLOCK + head + tail > IMAGE_BLOCK)
			at = round_up_u64(at, IMAGE_BLOCK);
		inode->nid = at / DISK_INODE_UNIT;
		at += head + tail;
		if (is_chunked(inode))
			at = round_up_u64(at, sizeof(struct disk_chunk)) +
			     n_chunks(inode) * sizeof(struct disk_chunk);
	}
	block = round_up_u64(at, IMAGE_BLOCK) / IMAGE_BLOCK;
	for (size_t i = 0; i < tree->n_inodes; i++) {
		uint64_t n = n_blocks(tree->order[i]);

		if (n > 0)
			tree->order[i]->at = block;
		block += n;
	}
	return block;
}

/* ---- writing ---------------------------------------------------------------------------- */

/* As the kernel computes it: not inverted at the end. */
static uint32_t crc32c(const uint8_t *bytes, size_t len)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static void write_super(struct writer *w, const struct tree *tree,
			const struct image_params *params, uint64_t blocks)
{
	uint8_t block[IMAGE_BLOCK] = { 0 };
	struct disk_super super = {
		.magic = htole32(DISK_MAGIC),
		.feature_compat = htole32(DISK_COMPAT_CHECKSUM | DISK_COMPAT_MTIME),
		.blkszbits = 12,
		.root_nid = htole16((uint16_t)tree->root->nid),
		.inos = htole64(tree->n_inodes),
		.blocks = htole32((uint32_t)blocks),
		.feature_incompat = htole32(DISK_INCOMPAT_CHUNKS | DISK_INCOMPAT_DEVICES),
		.extra_devices = htole16(1),
		.devt_slotoff =
			htole16((DISK_SUPER_AT + sizeof(super)) / sizeof(struct disk_device)),
	};
	struct disk_device device = {
		.blocks = htole32(
			(uint32_t)(round_up_u64(params->device_size, IMAGE_BLOCK) / IMAGE_BLOCK)),
	};

	memcpy(super.uuid, params->uuid, sizeof(super.uuid));
	memcpy(device.tag, params->tag, min_u64(strlen(params->tag), sizeof(device.tag)));
	memcpy(block + DISK_SUPER_AT + sizeof(super), &device, sizeof(device));
	memcpy(block + DISK_SUPER_AT, &super, sizeof(super));
	super.checksum = htole32(crc32c(block + DISK_SUPER_AT, IMAGE_BLOCK - DISK_SUPER_AT));
	memcpy(block + DISK_SUPER_AT, &super, sizeof(super));
	put(w, block, sizeof(block));
}

static void write_head(struct writer *w, const struct tree_inode *inode)
{
	size_t xattrs = xattr_size(inode);
	unsigned int layout = is_chunked(inode)	     ? DISK_CHUNKED
			      : tail_size(inode) > 0 ? DISK_INLINE
						     : DISK_FLAT;
	uint32_t u = n_blocks(inode) > 0 ? (uint32_t)inode->at : 0;
	struct disk_inode disk;

	if (is_chunked(inode))
		u = DISK_CHUNK_INDEXES | chunk_bits(inode);
	else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		u = inode->rdev;
	disk = (struct disk_inode){
		.format = htole16((uint16_t)(layout << 1 | 1)),
		.xattr_icount =
			htole16((uint16_t)(xattrs > 0 ? (xattrs - DISK_XATTR_HEADER) / 4 + 1 : 0)),
		.mode = htole16(inode->mode),
		.size = htole64(S_ISREG(inode->mode) || own_data(inode) > 0 ? inode->size : 0),
		.u = htole32(u),
		.ino = htole32((uint32_t)inode->nid),
		.uid = htole32(inode->uid),
		.gid = htole32(inode->gid),
		.mtime = htole64((uint64_t)inode->mtime),
		.mtime_nsec = htole32(inode->mtime_nsec),
		.nlink = htole32(inode->nlink),
	};
	put(w, &disk, sizeof(disk));
	if (xattrs > 0) {
		static const uint8_t header[DISK_XATTR_HEADER];

		put(w, header, sizeof(header));
		put(w, inode->xattrs, inode->xattrs_len);
	}
}

static void write_chunks(struct writer *w, const struct tree_inode *inode)
{
	uint64_t n = n_chunks(inode), block = inode->at / IMAGE_BLOCK;
	unsigned int bits = chunk_bits(inode);

	pad_to(w, round_up_u64(w->at, sizeof(struct disk_chunk)));
	for (uint64_t i = 0; i < n; i++) {
		struct disk_chunk chunk = {
			.device_id = htole16(1),
			.blkaddr = htole32((uint32_t)(block + (i << bits))),
		};

		put(w, &chunk, sizeof(chunk));
	}
}

/* Its own data, without or with nothing but the tail. */
static void write_data(struct writer *w, const struct tree_inode *inode, bool tail)
{
	uint64_t blocks = n_blocks(inode), n = 0;
	uint8_t block[IMAGE_BLOCK];
	struct image_dir d;

	if (S_ISLNK(inode->mode)) {
		if (tail == (tail_size(inode) > 0))
			put(w, inode->target, inode->size);
		return;
	}
	image_dir_begin(&d, inode);
	for (; memset(block, 0, sizeof(block)), image_dir_block(&d, block) > 0; n++)
		if (n < blocks && !tail)
			put(w, block, sizeof(block));
		else if (n >= blocks && tail)
			put(w, block, tail_size(inode));
}

static void write_inodes(struct writer *w, struct tree *tree)
{
	for (size_t i = 0; i < tree->n_inodes; i++) {
		const struct tree_inode *inode = tree->order[i];

		pad_to(w, inode->nid * DISK_INODE_UNIT);
		write_head(w, inode);
		if (is_chunked(inode))
			write_chunks(w, inode);
		else if (tail_size(inode) > 0)
			write_data(w, inode, true);
	}
}

int image_write(struct tree *tree, const struct image_params *params, struct image_sink *sink)
{
	struct writer w = { .sink = sink };
	uint64_t blocks = lay_out(tree);

	if (blocks > UINT32_MAX || params->device_size / IMAGE_BLOCK >= UINT32_MAX)
		return -EFBIG;
	write_super(&w, tree, params, blocks);
	write_inodes(&w, tree);
	for (size_t i = 0; i < tree->n_inodes && w.err == 0; i++) {
		const struct tree_inode *inode = tree->order[i];

		if (n_blocks(inode) == 0)
			continue;
		pad_to(&w, inode->at * IMAGE_BLOCK);
		write_data(&w, inode, false);
	}
	pad_to(&w, blocks * IMAGE_BLOCK);
	return w.err;
}
