/* SPDX-License-Identifier: MIT */
/*
 * The device port with a recorder in it. What the kernel gives goes on unchanged, whatever becomes
 * of its record. Always in place where there is a recorder: one that begins in the middle has to
 * know which object each open descriptor belongs to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/record/recorder-internal.h"
#include "proto/cachefiles.h"

struct record_port {
	struct port port;
	struct port *inner; /* owned */
	struct recorder *recorder;
	uint32_t *ids; /* owned; object id by descriptor, 0: none, as the kernel counts from 1 */
	size_t n_ids;
};

static struct record_port *record_port(struct port *port)
{
	return container_of(port, struct record_port, port);
}

/* ---- which object a descriptor belongs to ------------------------------------------------- */

static int ids_grow(struct record_port *p, size_t n)
{
	uint32_t *ids;

	if (n <= p->n_ids)
		return 0;
	n = n < 2 * p->n_ids ? 2 * p->n_ids : n;
	ids = reallocarray(p->ids, n, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	memset(ids + p->n_ids, 0, (n - p->n_ids) * sizeof(*ids));
	p->ids = ids;
	p->n_ids = n;
	return 0;
}

/* Without memory the records of this object say 0; the object itself is served all the same. */
static void ids_set(struct record_port *p, int fd, uint32_t id)
{
	if (fd >= 0 && (id == 0 ? (size_t)fd < p->n_ids : ids_grow(p, (size_t)fd + 1) == 0))
		p->ids[fd] = id;
}

static uint32_t ids_get(const struct record_port *p, int fd)
{
	return fd >= 0 && (size_t)fd < p->n_ids ? p->ids[fd] : 0;
}

/* ---- from the kernel ---------------------------------------------------------------------- */

static void record_message(struct recorder *r, const struct cf_msg *msg, enum cf_verdict verdict,
			   size_t n)
{
	struct trace_record record = { .msg = msg->msg_id, .id = msg->object_id };

	if (verdict != CF_OK) {
		record.kind = TRACE_BAD;
		record.opcode = msg->opcode;
		record.len = n;
	} else if (msg->opcode == CACHEFILES_OP_OPEN) {
		record.kind = TRACE_OPEN;
		record.flags = msg->open.flags;
		record.volume = msg->open.volume;
		record.cookie = msg->open.cookie;
	} else if (msg->opcode == CACHEFILES_OP_READ) {
		record.kind = TRACE_READ;
		record.off = msg->read.off;
		record.len = msg->read.len;
	} else {
		record.kind = TRACE_CLOSE;
	}
	recorder_put(r, &record);
}

static void record_receive(struct record_port *p, const void *buf, ssize_t n)
{
	struct trace_record record = { .kind = TRACE_RECEIVE, .result = (int32_t)n };
	struct cf_msg msg;
	enum cf_verdict verdict;

	if (n < 0) {
		if (recorder_is_on(p->recorder))
			recorder_put(p->recorder, &record);
		return;
	}
	verdict = cf_parse(&msg, buf, (size_t)n);
	if (msg.opcode == CACHEFILES_OP_OPEN)
		ids_set(p, msg.open.fd, msg.object_id);
	if (recorder_is_on(p->recorder))
		record_message(p->recorder, &msg, verdict, (size_t)n);
}

static ssize_t record_port_receive(struct port *port, void *buf, size_t n)
{
	struct record_port *p = record_port(port);
	ssize_t r = p->inner->ops->receive(p->inner, buf, n);

	if (r != 0)
		record_receive(p, buf, r);
	return r;
}

/* ---- to the kernel ------------------------------------------------------------------------ */

/* "copen MSG,SIZE" or "copen MSG,-ERRNO", as cf_format_copen() writes it. */
static bool read_copen(const char *text, size_t n, struct trace_record *record)
{
	char line[64];
	long long size;
	int end = 0;

	if (n >= sizeof(line))
		return false;
	memcpy(line, text, n);
	line[n] = '\0';
	if (sscanf(line, "copen %" SCNu32 ",%lld%n", &record->msg, &size, &end) != 2 ||
	    (size_t)end != n)
		return false;
	if (size < 0)
		record->error = size < INT32_MIN ? INT32_MIN : (int32_t)size;
	else
		record->size = (uint64_t)size;
	record->kind = TRACE_COPEN;
	return true;
}

static int record_port_command(struct port *port, const char *text, size_t n)
{
	struct record_port *p = record_port(port);
	int result = p->inner->ops->command(p->inner, text, n);
	struct trace_record record = { .kind = TRACE_COMMAND, .result = result };

	if (!recorder_is_on(p->recorder))
		return result;
	if (!read_copen(text, n, &record))
		record.text = bytes_of(text, n);
	recorder_put(p->recorder, &record);
	return result;
}

static int record_port_complete(struct port *port, int object_fd, uint32_t msg_id)
{
	struct record_port *p = record_port(port);
	int result = p->inner->ops->complete(p->inner, object_fd, msg_id);
	struct trace_record record = {
		.kind = TRACE_COMPLETE,
		.msg = msg_id,
		.id = ids_get(p, object_fd),
		.result = result,
	};

	if (recorder_is_on(p->recorder))
		recorder_put(p->recorder, &record);
	return result;
}

static int64_t record_port_live(struct port *port, int object_fd)
{
	struct record_port *p = record_port(port);

	return p->inner->ops->live(p->inner, object_fd);
}

static void record_port_release(struct port *port, int object_fd)
{
	struct record_port *p = record_port(port);
	struct trace_record record = { .kind = TRACE_RELEASE, .id = ids_get(p, object_fd) };

	/* First: the number may come back with the next message. */
	ids_set(p, object_fd, 0);
	p->inner->ops->release(p->inner, object_fd);
	if (recorder_is_on(p->recorder))
		recorder_put(p->recorder, &record);
}

static void record_port_free(struct port *port)
{
	struct record_port *p = record_port(port);

	p->inner->ops->free(p->inner);
	recorder_set_port(p->recorder, false);
	free(p->ids);
	free(p);
}

static const struct port_ops record_port_ops = {
	.receive = record_port_receive,
	.command = record_port_command,
	.complete = record_port_complete,
	.live = record_port_live,
	.release = record_port_release,
	.free = record_port_free,
};

int recorder_port(struct recorder *recorder, struct port **ret, struct port *inner)
{
	struct record_port *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->port = (struct port){ .ops = &record_port_ops, .fd = inner->fd };
	p->inner = inner;
	p->recorder = recorder;
	recorder_set_port(recorder, true);
	*ret = &p->port;
	return 0;
}
