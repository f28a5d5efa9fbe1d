/* SPDX-License-Identifier: MIT */
/*
 * EROFS on disk, as much of it as is written here (fs/erofs/erofs_fs.h of Linux 6.1 and 6.12).
 * All numbers are little endian.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define DISK_MAGIC	      0xe0f5e1e2u
#define DISK_SUPER_AT	      1024
#define DISK_INODE_UNIT	      32 /* an inode's number is its place in these */
#define DISK_COMPAT_CHECKSUM  1u
#define DISK_COMPAT_MTIME     2u
#define DISK_INCOMPAT_CHUNKS  4u
#define DISK_INCOMPAT_DEVICES 8u
#define DISK_CHUNK_INDEXES    0x20u
#define DISK_CHUNK_BITS_MAX   18u /* our bound: 1 GiB. The format has 31 */

struct disk_super {
	uint32_t magic, checksum, feature_compat;
	uint8_t blkszbits, sb_extslots;
	uint16_t root_nid;
	uint64_t inos, build_time;
	uint32_t build_time_nsec, blocks, meta_blkaddr, xattr_blkaddr;
	uint8_t uuid[16], volume_name[16];
	uint32_t feature_incompat;
	uint16_t compression, extra_devices, devt_slotoff;
	uint8_t dirblkbits, xattr_prefix_count;
	uint32_t xattr_prefix_start;
	uint64_t packed_nid;
	uint8_t reserved[24];
};
static_assert(sizeof(struct disk_super) == 128, "erofs_super_block");

struct disk_device {
	uint8_t tag[64];
	uint32_t blocks, mapped_blkaddr;
	uint8_t reserved[56];
};
static_assert(sizeof(struct disk_device) == 128, "erofs_deviceslot");

enum { DISK_FLAT = 0, DISK_INLINE = 2, DISK_CHUNKED = 4 };

struct disk_inode { /* the extended form */
	uint16_t format, xattr_icount, mode, reserved;
	uint64_t size;
	uint32_t u; /* block, device number, chunk format */
	uint32_t ino, uid, gid;
	uint64_t mtime;
	uint32_t mtime_nsec, nlink;
	uint8_t reserved2[16];
};
static_assert(sizeof(struct disk_inode) == 64, "erofs_inode_extended");

enum { DISK_XATTR_HEADER = 12 };

struct disk_chunk {
	uint16_t advise, device_id;
	uint32_t blkaddr;
};
static_assert(sizeof(struct disk_chunk) == 8, "erofs_inode_chunk_index");

struct disk_dirent {
	uint64_t nid;
	uint16_t nameoff;
	uint8_t file_type, reserved;
} __attribute__((packed));
static_assert(sizeof(struct disk_dirent) == 12, "erofs_dirent");
