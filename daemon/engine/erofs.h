/* SPDX-License-Identifier: MIT */
/*
 * The little that must be known of an EROFS image: whether its superblock says that file data may
 * be compressed. Such an image over fscache can hang the kernel when one read touches cached and
 * missing bytes (z_erofs completes the request once per piece), so it has to be fetched whole.
 * Pure; layout as in fs/erofs/erofs_fs.h, struct erofs_super_block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum erofs_kind {
	EROFS_NONE,	  /* not an EROFS image (a blob, or anything else) */
	EROFS_PLAIN,	  /* no compressed data */
	EROFS_COMPRESSED, /* there may be some */
};

/* head: the first n bytes of an object. */
enum erofs_kind erofs_look(const void *head, size_t n);

/* Bytes that erofs_look() wants to see. */
#define EROFS_HEAD 4096

/* What a mount needs to know. */
struct erofs_super {
	enum erofs_kind kind;	 /* not EROFS_NONE */
	unsigned int block_size; /* bytes; 0: none that can be */
	unsigned int devices;	 /* that lie in objects of their own */
	uint64_t size;		 /* bytes of the image itself, at least */
};

/* False: not an EROFS image. */
bool erofs_read_super(struct erofs_super *ret, const void *head, size_t n);
