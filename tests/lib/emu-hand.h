/* SPDX-License-Identifier: MIT */
/*
 * A daemon by hand: the emulated kernel with one port and a clock that the test turns, and the
 * few steps of which each conversation consists. Each step asserts that it went well.
 */
#pragma once

#include "daemon/loop/loop.h"
#include "proto/cachefiles-abi.h"
#include "tests/lib/emu.h"

struct hand_msg {
	struct cachefiles_msg_header header;
	union {
		struct cachefiles_open_payload open;
		struct cachefiles_read_payload read;
		uint8_t rest[CACHEFILES_MSG_MAX_SIZE - sizeof(struct cachefiles_msg_header)];
	};
};

extern struct hand {
	struct emu *emu;
	struct port *port;
	uint64_t clock;			 /* ns */
	_Alignas(8) struct hand_msg msg; /* the latest */
} hand;

uint8_t hand_byte(const struct emu_origin *origin, uint64_t off);
extern const struct emu_origin hand_blob; /* 256 KiB */
extern const struct emu_origin hand_odd;  /* 5000 bytes */

/* Fixtures; begin() is for those who want another kernel, after end(). */
void hand_begin(const struct emu_config *config);
void hand_setup(void);
void hand_end(void);
void hand_port_close(void);

ssize_t hand_receive(void);
bool hand_readable(void);
void hand_receive_op(uint32_t opcode);
void hand_receive_read(uint64_t off, uint64_t len);

int hand_command(const char *text);
int hand_copen(uint32_t msg_id, int64_t size);
int hand_complete(int fd, uint32_t msg_id);
void hand_release(int fd);

/* Bytes of the origin with its padding, page-aligned; to be freed. */
uint8_t *hand_page_buffer(const struct emu_origin *origin, uint64_t off, size_t len);
/* Writes them: the count or a negative errno. */
int hand_fill(int fd, const struct emu_origin *origin, uint64_t off, size_t len);

/* Receives an OPEN and answers it with this size: the object's descriptor. */
int hand_answer_open(int64_t size);
/* Receives a READ and answers it with all that it asks for. */
void hand_answer_read(int fd, const struct emu_origin *origin);

/* mount of hand_blob, up to its copen; umount, up to the release. */
struct emu_mount *hand_mount_blob(int *fd);
void hand_shut(struct emu_mount *mount, int fd);
