/* SPDX-License-Identifier: MIT */
#include "daemon/kernel/port.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "proto/cachefiles-abi.h"

static ssize_t device_receive(struct port *port, void *buf, size_t n)
{
	ssize_t r;

	assert(n >= CACHEFILES_MSG_MAX_SIZE);
	do
		r = read(port->fd, buf, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int device_command(struct port *port, const char *text, size_t n)
{
	ssize_t r;

	do
		r = write(port->fd, text, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == n ? 0 : -EIO;
}

/* The id goes by value and unsigned: the kernel takes the whole long as an index. */
static int device_complete(struct port *port, int object_fd, uint32_t msg_id)
{
	return ioctl(object_fd, CACHEFILES_READ_COMPLETE, (unsigned long)msg_id) < 0 ? -errno : 0;
}

static int64_t device_live(struct port *port, int object_fd)
{
	off_t size = lseek(object_fd, 0, SEEK_END);

	return size < 0 ? -errno : (int64_t)size;
}

static void device_release(struct port *port, int object_fd)
{
	assert(object_fd >= 0 && object_fd != port->fd);
	close(object_fd);
}

static void device_free(struct port *port)
{
	close(port->fd);
	free(port);
}

static const struct port_ops device_ops = {
	.receive = device_receive,
	.command = device_command,
	.complete = device_complete,
	.live = device_live,
	.release = device_release,
	.free = device_free,
};

int port_device_new(struct port **ret, int device_fd)
{
	_cleanup_close_ int fd = device_fd;
	struct port *port;

	/* One that was handed over by a service manager may lack it. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	port = malloc(sizeof(*port));
	if (!port)
		return -ENOMEM;
	*port = (struct port){ .ops = &device_ops, .fd = steal_fd(&fd) };
	*ret = port;
	return 0;
}
