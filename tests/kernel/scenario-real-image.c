/* SPDX-License-Identifier: MIT */
/*
 * The smallest image that has a file in a blob. Structures and names: fs/erofs/erofs_fs.h.
 */
#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/kernel/scenario-real.h"

#define SUPER		      1024u
#define DEVICE		      (SUPER + 128u)  /* struct erofs_deviceslot; a multiple of its size */
#define ROOT		      (DEVICE + 128u) /* struct erofs_inode_extended, then its entries */
#define ENTRIES		      (ROOT + 64u)
#define FILE_INODE	      (ROOT + 128u)
#define CHUNKS		      (FILE_INODE + 64u)

#define INCOMPAT_CHUNKED_FILE 0x4u
#define INCOMPAT_DEVICE_TABLE 0x8u
#define LAYOUT_INLINE	      2u
#define LAYOUT_CHUNKED	      4u
#define CHUNK_INDEXES	      0x20u

static void put16(uint8_t *at, unsigned int value)
{
	memcpy(at, &(uint16_t){ htole16((uint16_t)value) }, 2);
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &(uint32_t){ htole32(value) }, 4);
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &(uint64_t){ htole64(value) }, 8);
}

static void put_super(uint8_t *block, uint64_t blocks)
{
	uint8_t *super = block + SUPER;

	put32(super, 0xe0f5e1e2);
	super[12] = 12;		      /* blkszbits */
	put16(super + 14, ROOT / 32); /* root_nid */
	put64(super + 16, 2);	      /* inos */
	put32(super + 36, 1);	      /* blocks */
	put32(super + 80, INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE);
	put16(super + 86, 1);		 /* extra_devices */
	put16(super + 88, DEVICE / 128); /* devt_slotoff */
	put32(block + DEVICE + 64, (uint32_t)blocks);
}

/* Version 1, in i_format's first bit. info: i_u of the layout. */
static void put_inode(uint8_t *inode, unsigned int layout, unsigned int mode, uint64_t size,
		      uint32_t info)
{
	put16(inode, layout << 1 | 1);
	put16(inode + 4, mode);
	put64(inode + 8, size);
	put32(inode + 16, info);
	put32(inode + 44, 1); /* i_nlink */
}

/* Returns where the next name goes. */
static unsigned int put_entry(uint8_t *entries, unsigned int number, unsigned int name_off,
			      const char *name, unsigned int inode, uint8_t type)
{
	uint8_t *entry = entries + 12 * number;

	put64(entry, inode / 32); /* nid */
	put16(entry + 8, name_off);
	entry[10] = type;
	memcpy(entries + name_off, name, strlen(name));
	return name_off + (unsigned int)strlen(name);
}

void real_image(uint8_t block[static REAL_BLOCK], uint64_t size)
{
	uint64_t blocks = (size + REAL_BLOCK - 1) / REAL_BLOCK;
	unsigned int bits = 0, end = 3 * 12;

	/* One chunk, so that no read ends at a border. */
	while (bits < 31 && (uint64_t)REAL_BLOCK << bits < size)
		bits++;
	memset(block, 0, REAL_BLOCK);
	put_super(block, blocks);
	end = put_entry(block + ENTRIES, 0, end, ".", ROOT, 2);
	end = put_entry(block + ENTRIES, 1, end, "..", ROOT, 2);
	end = put_entry(block + ENTRIES, 2, end, "data", FILE_INODE, 1);
	put_inode(block + ROOT, LAYOUT_INLINE, S_IFDIR | 0755, end, 0);
	put_inode(block + FILE_INODE, LAYOUT_CHUNKED, S_IFREG | 0644, size, CHUNK_INDEXES | bits);
	put16(block + CHUNKS + 2, 1); /* device_id; advise and blkaddr are 0 */
}
