/* SPDX-License-Identifier: MIT */
/*
 * The little that must be known of an EROFS image: whether its superblock says that file data may
 * be compressed. Such an image over fscache can hang the kernel when one read touches cached and
 * missing bytes (z_erofs completes the request once per piece), so it has to be fetched whole.
 * Pure; layout as in fs/erofs/erofs_fs.h, struct erofs_super_block.
 */
#pragma once

#include <stddef.h>

enum erofs_kind {
	EROFS_NONE,	  /* not an EROFS image (a blob, or anything else) */
	EROFS_PLAIN,	  /* no compressed data */
	EROFS_COMPRESSED, /* there may be some */
};

/* head: the first n bytes of an object. */
enum erofs_kind erofs_look(const void *head, size_t n);

/* Bytes that erofs_look() wants to see. */
#define EROFS_HEAD 4096
