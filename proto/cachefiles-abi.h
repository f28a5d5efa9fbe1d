/* SPDX-License-Identifier: MIT */
/*
 * Mirror of include/uapi/linux/cachefiles.h, so that we build where the system's headers lack it.
 * Native byte order, no padding. The static asserts stand in proto/cachefiles.c.
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

#define CACHEFILES_MSG_MAX_SIZE 1024

enum cachefiles_opcode {
	CACHEFILES_OP_OPEN,
	CACHEFILES_OP_CLOSE,
	CACHEFILES_OP_READ,
};

/* struct cachefiles_msg: len counts the whole message; object_id 0 means none. */
struct cachefiles_msg_header {
	uint32_t msg_id;
	uint32_t opcode;
	uint32_t len;
	uint32_t object_id;
};

/* struct cachefiles_open: the volume key (with its NUL) and the cookie key (without) follow. */
struct cachefiles_open_payload {
	uint32_t volume_key_size;
	uint32_t cookie_key_size;
	uint32_t fd;
	uint32_t flags;
};

/* struct cachefiles_read */
struct cachefiles_read_payload {
	uint64_t off;
	uint64_t len;
};

/* The argument is the message id by value, not a pointer. */
#define CACHEFILES_READ_COMPLETE _IOW(0x98, 1, int)
