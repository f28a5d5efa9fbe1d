/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/emu-hand.h"

struct hand hand;

uint8_t hand_byte(const struct emu_origin *origin, uint64_t off)
{
	return (uint8_t)(off * 7 + off / 4096 + 1);
}

const struct emu_origin hand_blob = { .size = 256 * 1024, .byte = hand_byte };
const struct emu_origin hand_odd = { .size = 5000, .byte = hand_byte };

static uint64_t clock_now(const struct loop *loop)
{
	return hand.clock;
}

void hand_begin(const struct emu_config *config)
{
	hand.clock = NSEC_PER_SEC;
	hand.emu = emu_new(config);
	emu_set_clock(hand.emu, clock_now, NULL);
	hand.port = emu_port(hand.emu);
}

void hand_setup(void)
{
	hand_begin(NULL);
}

void hand_port_close(void)
{
	if (hand.port)
		hand.port->ops->free(hand.port);
	hand.port = NULL;
}

void hand_end(void)
{
	hand_port_close();
	emu_free(hand.emu);
}

ssize_t hand_receive(void)
{
	return hand.port->ops->receive(hand.port, &hand.msg, sizeof(hand.msg));
}

bool hand_readable(void)
{
	struct pollfd p = { .fd = hand.port->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

void hand_receive_op(uint32_t opcode)
{
	ck_assert_int_gt(hand_receive(), 0);
	ck_assert_uint_eq(hand.msg.header.opcode, opcode);
}

int hand_command(const char *text)
{
	return hand.port->ops->command(hand.port, text, strlen(text));
}

int hand_copen(uint32_t msg_id, int64_t size)
{
	char text[64];

	snprintf(text, sizeof(text), "copen %u,%lld", msg_id, (long long)size);
	return hand_command(text);
}

int hand_complete(int fd, uint32_t msg_id)
{
	return hand.port->ops->complete(hand.port, fd, msg_id);
}

/* Receives the OPEN and answers it with a size: the object's descriptor. */
int hand_answer_open(int64_t size)
{
	int fd;

	hand_receive_op(CACHEFILES_OP_OPEN);
	fd = (int)hand.msg.open.fd;
	ck_assert_int_eq(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	ck_assert_int_eq(hand_copen(hand.msg.header.msg_id, size), 0);
	return fd;
}

void hand_receive_read(uint64_t off, uint64_t len)
{
	hand_receive_op(CACHEFILES_OP_READ);
	ck_assert_uint_eq(hand.msg.read.off, off);
	ck_assert_uint_eq(hand.msg.read.len, len);
}

uint8_t *hand_page_buffer(const struct emu_origin *origin, uint64_t off, size_t len)
{
	void *buf;

	ck_assert_int_eq(posix_memalign(&buf, 4096, len), 0);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = off + i < origin->size ? hand_byte(origin, off + i) : 0;
	return buf;
}

int hand_fill(int fd, const struct emu_origin *origin, uint64_t off, size_t len)
{
	uint8_t *buf = hand_page_buffer(origin, off, len);
	ssize_t r = pwrite(fd, buf, len, (off_t)off);
	int error = errno;

	free(buf);
	return r < 0 ? -error : (int)r;
}

void hand_answer_read(int fd, const struct emu_origin *origin)
{
	hand_receive_op(CACHEFILES_OP_READ);
	ck_assert_int_gt(hand_fill(fd, origin, hand.msg.read.off, hand.msg.read.len), 0);
	ck_assert_int_eq(hand_complete(fd, hand.msg.header.msg_id), 0);
}

void hand_release(int fd)
{
	hand.port->ops->release(hand.port, fd);
}

/* umount, up to the end. */
void hand_shut(struct emu_mount *mount, int fd)
{
	emu_close(mount);
	hand_receive_op(CACHEFILES_OP_CLOSE);
	hand_release(fd);
}

struct emu_mount *hand_mount_blob(int *fd)
{
	struct emu_mount *mount = emu_open(hand.emu, "erofs,v", "blob", &hand_blob);

	*fd = hand_answer_open((int64_t)hand_blob.size);
	ck_assert_int_eq(emu_mount_state(mount), EMU_MOUNT_OPEN);
	return mount;
}
