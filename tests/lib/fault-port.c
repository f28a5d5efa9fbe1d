/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/kernel/port.h"
#include "daemon/loop/loop.h"
#include "tests/lib/fault.h"
#include "tests/lib/rig.h"

struct fault_port {
	struct port port;
	struct port *inner; /* owned */
};

static struct port *inner_of(struct port *port)
{
	return container_of(port, struct fault_port, port)->inner;
}

static ssize_t fault_port_receive(struct port *port, void *buf, size_t n)
{
	struct port *inner = inner_of(port);
	int error;

	if (!fault_point(FAULT_PORT_RECEIVE, &error))
		return inner->ops->receive(inner, buf, n);
	if (error != EMFILE)
		return -error;
	emu_fail_delivery(rig.emu, -error);
	return inner->ops->receive(inner, buf, n);
}

static int fault_port_command(struct port *port, const char *text, size_t n)
{
	struct port *inner = inner_of(port);
	int error, r;

	if (!fault_point(FAULT_PORT_COMMAND, &error))
		return inner->ops->command(inner, text, n);
	if (error == EIO)
		emu_kill_device(rig.emu);
	r = inner->ops->command(inner, text, n);
	return r < 0 ? r : -error;
}

static int fault_port_complete(struct port *port, int object_fd, uint32_t msg_id)
{
	struct port *inner = inner_of(port);
	int error, r;

	if (!fault_point(FAULT_PORT_COMPLETE, &error))
		return inner->ops->complete(inner, object_fd, msg_id);
	r = inner->ops->complete(inner, object_fd, msg_id);
	return r < 0 ? r : -error;
}

static int64_t fault_port_live(struct port *port, int object_fd)
{
	struct port *inner = inner_of(port);

	return inner->ops->live(inner, object_fd);
}

static void fault_port_release(struct port *port, int object_fd)
{
	struct port *inner = inner_of(port);

	inner->ops->release(inner, object_fd);
}

static void fault_port_free(struct port *port)
{
	struct fault_port *p = container_of(port, struct fault_port, port);

	p->inner->ops->free(p->inner);
	free(p);
}

static const struct port_ops fault_port_ops = {
	.receive = fault_port_receive,
	.command = fault_port_command,
	.complete = fault_port_complete,
	.live = fault_port_live,
	.release = fault_port_release,
	.free = fault_port_free,
};

void fault_port(struct port **port)
{
	struct fault_port *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	p->port = (struct port){ .ops = &fault_port_ops, .fd = (*port)->fd };
	p->inner = *port;
	*port = &p->port;
}
