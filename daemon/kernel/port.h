/* SPDX-License-Identifier: MIT */
/*
 * The system-call surface of a cachefiles device, cut below the parser and the text of commands,
 * so that tests exercise both. Implementations: the device (port-device.c) and the emulated
 * kernel of the tests. The front end is the only caller.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct port;

struct port_ops {
	/*
	 * read(2) of one message: its length, 0 when none is pending (never -EAGAIN), or a negative
	 * errno. -EMFILE and -ENFILE have consumed and failed an OPEN. n must be at least
	 * CACHEFILES_MSG_MAX_SIZE, buf 8-byte aligned. cachefiles_ondemand_daemon_read().
	 */
	ssize_t (*receive)(struct port *port, void *buf, size_t n);

	/*
	 * write(2) of one command without a terminator: 0 or a negative errno. A kernel that took
	 * less than n bytes is -EIO. cachefiles_daemon_write().
	 */
	int (*command)(struct port *port, const char *text, size_t n);

	/*
	 * ioctl READ_COMPLETE: 0, or -EINVAL when the reader is gone or was answered already.
	 * cachefiles_ondemand_fd_ioctl().
	 */
	int (*complete)(struct port *port, int object_fd, uint32_t msg_id);

	/*
	 * Bytes of the file behind an object's descriptor, in whole blocks, or a negative errno.
	 * The kernel has none before it has opened the object, which it does after the first copen:
	 * until then it is -ENOBUFS. So at the delivery of an OPEN this tells an object that lives
	 * already, and only lost its descriptor, from one that is new.
	 * cachefiles_ondemand_fd_llseek().
	 */
	int64_t (*live)(struct port *port, int object_fd);

	/* Closes an object's anonymous descriptor. Nothing may be writing to it any more. */
	void (*release)(struct port *port, int object_fd);

	/* Closes the device; every object_fd must have been released before: the kernel unbinds in
	 * whichever close comes last. */
	void (*free)(struct port *port);
};

struct port {
	const struct port_ops *ops;
	int fd; /* POLLIN: a message is pending. Owned by the port. */
};

/* Wraps an open /dev/cachefiles (consumed, also on failure). */
int port_device_new(struct port **ret, int device_fd);
