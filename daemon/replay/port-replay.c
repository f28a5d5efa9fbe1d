/* SPDX-License-Identifier: MIT */
#include "daemon/replay/port-replay.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/loop/loop.h"
#include "daemon/util/checked.h"
#include "proto/cachefiles-abi.h"

struct port_replay {
	struct port port;
	struct cachefiles *files;
	struct port_replay_events events;
	void *arg;
	TAILQ_HEAD(, port_request) queue; /* not delivered */
	struct port_request *waiting;	  /* by message id: delivered, not answered */
	struct port_handle *handles;	  /* by the daemon's descriptor */
	uint32_t next_msg, next_id;
	bool readable, closed;
};

static struct port_replay *replay_of(struct port *port)
{
	return container_of(port, struct port_replay, port);
}

static void breach(struct port_replay *p, const struct port_handle *h, const char *what)
{
	p->events.breach(p->arg, h ? h->object : NULL, what);
}

/* POLLIN as long as there is a message. */
static void update_poll(struct port_replay *p)
{
	bool readable = !TAILQ_EMPTY(&p->queue);
	uint64_t value = 1;
	ssize_t n;

	if (readable == p->readable || p->closed)
		return;
	n = readable ? write(p->port.fd, &value, sizeof(value))
		     : read(p->port.fd, &value, sizeof(value));
	assert(n == sizeof(value));
	p->readable = readable;
}

/* ---- handles ----------------------------------------------------------------------------- */

static void handle_unref(struct port_replay *p, struct port_handle *h)
{
	if (--h->refs > 0)
		return;
	cachefile_put(p->files, h->file);
	free(h);
}

static struct port_handle *handle_find(const struct port_replay *p, int fd)
{
	struct port_handle *h;

	HASH_FIND(hh, p->handles, &fd, sizeof(fd), h);
	return h;
}

/* A descriptor of its own, as the kernel installs it: without close-on-exec. */
static int handle_install(struct port_replay *p, struct port_handle *h)
{
	h->fd = dup(h->file->fd);
	if (h->fd < 0)
		return -errno;
	HASH_ADD(hh, p->handles, fd, sizeof(h->fd), h);
	if (!table_has(h)) {
		close(h->fd);
		h->fd = -1;
		return -ENOMEM;
	}
	h->refs++;
	h->object->handles++;
	return 0;
}

/* The kernel holds up a new open of the same key until the descriptor is closed. */
static void handle_drop(struct port_handle *h)
{
	if (!h->dropped)
		h->object->closing++;
	h->dropped = true;
}

/* ---- messages ---------------------------------------------------------------------------- */

static void put_bytes(uint8_t **at, const void *data, size_t n)
{
	if (n > 0)
		memcpy(*at, data, n);
	*at += n;
}

static size_t format_message(const struct port_request *r, uint8_t *buf)
{
	struct bytes volume = r->handle->object->volume, cookie = r->handle->object->cookie;
	struct cachefiles_msg_header header = {
		.msg_id = r->msg,
		.opcode = r->opcode,
		.object_id = r->handle->id,
	};
	struct cachefiles_read_payload read = { .off = r->off, .len = r->len };
	struct cachefiles_open_payload open = {
		.volume_key_size = (uint32_t)volume.len + 1,
		.cookie_key_size = (uint32_t)cookie.len,
		.fd = (uint32_t)r->handle->fd,
	};
	uint8_t *at = buf + sizeof(header);

	if (r->opcode == CACHEFILES_OP_READ) {
		put_bytes(&at, &read, sizeof(read));
	} else if (r->opcode == CACHEFILES_OP_OPEN) {
		put_bytes(&at, &open, sizeof(open));
		put_bytes(&at, volume.data, volume.len);
		put_bytes(&at, "", 1);
		put_bytes(&at, cookie.data, cookie.len);
	}
	header.len = (uint32_t)(at - buf);
	memcpy(buf, &header, sizeof(header));
	return header.len;
}

static bool keys_fit(const struct catalog_object *object)
{
	size_t fixed =
		sizeof(struct cachefiles_msg_header) + sizeof(struct cachefiles_open_payload) + 1;

	return object->volume.len + object->cookie.len <= CACHEFILES_MSG_MAX_SIZE - fixed;
}

static void queue(struct port_replay *p, struct port_request *r)
{
	r->state = PORT_QUEUED;
	r->handle->refs++;
	TAILQ_INSERT_TAIL(&p->queue, r, link);
	update_poll(p);
}

int port_replay_open(struct port_replay *p, struct port_request *r, struct catalog_object *object,
		     const struct catalog_version *version)
{
	struct port_handle *h;
	int err;

	if (!keys_fit(object))
		return -ENAMETOOLONG;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	err = cachefile_get(p->files, object, version, &h->file);
	if (err < 0) {
		free(h);
		return err;
	}
	h->object = object;
	h->id = p->next_id++;
	h->fd = -1;
	h->refs = 1;
	err = handle_install(p, h);
	if (err < 0) {
		handle_unref(p, h);
		return err;
	}
	r->opcode = CACHEFILES_OP_OPEN;
	r->handle = h;
	queue(p, r);
	return 0;
}

void port_replay_read(struct port_replay *p, struct port_request *r, struct port_handle *h)
{
	r->opcode = CACHEFILES_OP_READ;
	r->handle = h;
	queue(p, r);
}

bool port_replay_close(struct port_replay *p, struct port_request *r, struct port_handle *h)
{
	bool open = h->opened && h->fd >= 0 && !p->closed;

	h->closing = true;
	if (open) {
		r->opcode = CACHEFILES_OP_CLOSE;
		r->handle = h;
		queue(p, r);
	}
	handle_unref(p, h);
	return open;
}

/* ---- the end of a request ---------------------------------------------------------------- */

static void request_end(struct port_replay *p, struct port_request *r)
{
	struct port_handle *h = r->handle;

	if (r->state == PORT_DELIVERED && r->opcode != CACHEFILES_OP_CLOSE)
		HASH_DEL(p->waiting, r);
	else if (r->state == PORT_QUEUED)
		TAILQ_REMOVE(&p->queue, r, link);
	r->state = PORT_DONE;
	p->events.answered(p->arg, r);
	handle_unref(p, h);
}

static struct port_request *waiting_find(const struct port_replay *p, uint32_t msg)
{
	struct port_request *r;

	HASH_FIND(hh, p->waiting, &msg, sizeof(msg), r);
	return r;
}

/* cachefiles_ondemand_clean_object(): who waits for it fails; the daemon's answer comes too late,
 * and is awaited all the same. */
static void drop(struct port_replay *p, struct port_handle *h)
{
	struct port_request *r, *next;

	handle_drop(h);
	HASH_ITER(hh, p->waiting, r, next)
		if (r->handle == h)
			r->error = -ECANCELED;
}

static uint32_t free_msg(struct port_replay *p)
{
	while (waiting_find(p, p->next_msg))
		p->next_msg++;
	return p->next_msg++;
}

/* ---- the device -------------------------------------------------------------------------- */

static ssize_t replay_receive(struct port *port, void *buf, size_t n)
{
	struct port_replay *p = replay_of(port);
	struct port_request *r;
	size_t len;

	if (TAILQ_EMPTY(&p->queue))
		p->events.idle(p->arg);
	r = TAILQ_FIRST(&p->queue);
	if (!r) {
		update_poll(p);
		return 0;
	}
	r->msg = free_msg(p);
	if (r->opcode != CACHEFILES_OP_CLOSE) {
		HASH_ADD(hh, p->waiting, msg, sizeof(r->msg), r);
		if (!table_has(r))
			return -ENOMEM; /* it stays where it is */
	}
	TAILQ_REMOVE(&p->queue, r, link);
	len = format_message(r, buf);
	r->state = PORT_DELIVERED;
	p->events.delivered(p->arg, r);
	if (r->opcode == CACHEFILES_OP_CLOSE) {
		drop(p, r->handle);
		request_end(p, r);
	}
	if (TAILQ_EMPTY(&p->queue))
		p->events.idle(p->arg);
	update_poll(p);
	return (ssize_t)len;
}

static int take_copen(struct port_replay *p, struct port_request *r, long long size)
{
	struct port_handle *h = r->handle;

	if (size < 0)
		r->error = size < -4095 ? -EIO : (int)size;
	else
		r->size = (uint64_t)size;
	h->opened = size >= 0;
	if (!h->opened)
		handle_drop(h);
	request_end(p, r);
	return 0;
}

/* "copen MSG,SIZE" or "copen MSG,-ERRNO" is all that a daemon at work has to say. */
static int replay_command(struct port *port, const char *text, size_t n)
{
	struct port_replay *p = replay_of(port);
	struct port_request *r;
	char line[64] = "";
	long long size;
	uint32_t msg;
	int end = 0;

	if (n < sizeof(line))
		memcpy(line, text, n);
	if (sscanf(line, "copen %" SCNu32 ",%lld%n", &msg, &size, &end) != 2 || (size_t)end != n) {
		breach(p, NULL, "a command that is no copen");
		return -EINVAL;
	}
	r = waiting_find(p, msg);
	if (r && r->opcode == CACHEFILES_OP_OPEN)
		return take_copen(p, r, size);
	breach(p, r ? r->handle : NULL, "a copen for a message that is no unanswered OPEN");
	return -EINVAL;
}

static int replay_complete(struct port *port, int object_fd, uint32_t msg_id)
{
	struct port_replay *p = replay_of(port);
	struct port_handle *h = handle_find(p, object_fd);
	struct port_request *r = waiting_find(p, msg_id);
	int err;

	if (!h) {
		breach(p, NULL, "a READ completed on what is no descriptor of an object");
		return -EBADF;
	}
	if (!r || r->opcode != CACHEFILES_OP_READ || r->handle != h) {
		breach(p, h, "a READ completed that is no unanswered one of its object");
		return -EINVAL;
	}
	err = r->error ? -EINVAL : 0; /* closed meanwhile: the reader is gone */
	request_end(p, r);
	return err;
}

/* A replay begins with nothing: what is opened again was opened by the daemon that asks. */
static int64_t replay_live(struct port *port, int object_fd)
{
	return -ENOBUFS;
}

/* Also of an OPEN that was refused, or never answered. */
static void replay_release(struct port *port, int object_fd)
{
	struct port_replay *p = replay_of(port);
	struct port_handle *h = handle_find(p, object_fd);
	struct port_request *r, *next;
	struct catalog_object *object;

	if (!h) {
		breach(p, NULL, "a descriptor closed that is none of an object");
		return;
	}
	HASH_ITER(hh, p->waiting, r, next) {
		if (r->handle != h)
			continue;
		breach(p, h, "a descriptor closed before a request of its object was answered");
		r->unanswered = true;
		request_end(p, r);
	}
	object = h->object;
	if (h->dropped)
		object->closing--;
	object->handles--;
	HASH_DEL(p->handles, h);
	close(h->fd);
	h->fd = -1;
	handle_unref(p, h);
	p->events.released(p->arg, object);
}

static void replay_close_device(struct port *port)
{
	struct port_replay *p = replay_of(port);
	struct port_request *r, *next;
	struct port_handle *h, *next_h;

	p->closed = true;
	HASH_ITER(hh, p->handles, h, next_h) {
		breach(p, h, "the device closed before a descriptor of an object");
		replay_release(port, h->fd);
	}
	HASH_ITER(hh, p->waiting, r, next) {
		r->unanswered = true;
		request_end(p, r);
	}
	while ((r = TAILQ_FIRST(&p->queue))) {
		r->unanswered = true;
		request_end(p, r);
	}
	close(p->port.fd);
	p->port.fd = -1;
}

static const struct port_ops replay_ops = {
	.receive = replay_receive,
	.command = replay_command,
	.complete = replay_complete,
	.live = replay_live,
	.release = replay_release,
	.free = replay_close_device,
};

int port_replay_new(struct port_replay **ret, struct port **ret_port, struct cachefiles *files,
		    const struct port_replay_events *events, void *arg)
{
	struct port_replay *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->port.ops = &replay_ops;
	p->port.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->port.fd < 0) {
		int err = -errno;

		free(p);
		return err;
	}
	p->files = files;
	p->events = *events;
	p->arg = arg;
	p->next_id = 1;
	TAILQ_INIT(&p->queue);
	*ret = p;
	*ret_port = &p->port;
	return 0;
}

struct port_replay *port_replay_free(struct port_replay *p)
{
	if (!p)
		return NULL;
	assert(p->closed);
	free(p);
	return NULL;
}

void port_replay_hold(struct port_handle *h)
{
	h->refs++;
}

void port_replay_drop(struct port_replay *p, struct port_handle *h)
{
	handle_unref(p, h);
}

bool port_replay_queued(const struct port_replay *p)
{
	return !TAILQ_EMPTY(&p->queue);
}
