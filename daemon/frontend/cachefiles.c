/* SPDX-License-Identifier: MIT */
#include "daemon/frontend/cachefiles.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frontend/discard.h"
#include "daemon/util/log.h"
#include "daemon/util/table.h"
#include "proto/cachefiles.h"

/* Messages taken in one turn, before their answers get a chance. */
#define DRAIN_MAX 64

/* Requests that may wait for us at the same time; beyond it, messages wait in the kernel. */
#define REQUESTS_MAX 16384

/* An object that the kernel has open: one anonymous descriptor. */
struct handle {
	struct frontend *frontend;
	uint32_t object_id;
	struct object *object;
	struct sink sink;
	struct engine_close close;
	unsigned int reads; /* READs that will be completed through it */
	bool closed;	    /* the engine is done with the sink */
	UT_hash_handle hh;
};

/* An OPEN on its way to `copen`. */
struct open_request {
	struct frontend *frontend;
	struct engine_open open;
	struct handle *handle; /* owned until the engine says yes */
	uint32_t msg_id;
	TAILQ_ENTRY(open_request) link;
	uint8_t keys[];
};

/* The kernel gives the id of a READ whose reader was killed to another while ours is under way. */
struct read_key {
	uint32_t object_id, msg_id;
};

/* A READ on its way to READ_COMPLETE. */
struct read_request {
	struct engine_demand demand;
	struct handle *handle;
	struct read_key key;
	UT_hash_handle hh;
};

struct frontend {
	struct frontend_config config;
	struct loop_watch watch;
	struct handle *handles; /* by object id */
	TAILQ_HEAD(, open_request) opens;
	struct read_request *reads; /* by key, oldest first; two may share one */
	unsigned int requests; /* OPENs and READs under way */
	unsigned int closing;  /* handles out of the table whose close is under way */
	struct loop_timer restore;
	unsigned int restores; /* written since the last READ of an object that is not open here */
	bool restore_due; /* as soon as no OPEN of ours is unanswered; nothing is read before */
	bool resent;	  /* what comes may have come before, until the device is drained */
	bool stopping, drained, lost;
	void (*stopped)(void *);
	void *stopped_arg;
};

/* ---- trouble ------------------------------------------------------------------------------ */

static void frontend_lose(struct frontend *fe, const char *why)
{
	if (fe->lost)
		return;
	fe->lost = true;
	loop_timer_cancel(&fe->restore);
	loop_watch_remove(&fe->watch);
	fe->config.lost(fe->config.arg, why);
}

static void frontend_watch(struct frontend *fe)
{
	bool wanted = fe->requests < REQUESTS_MAX && !fe->restore_due;

	if (!fe->stopping && !fe->lost)
		loop_watch_modify(&fe->watch, wanted ? POLLIN : 0);
}

static void request_started(struct frontend *fe)
{
	if (++fe->requests == REQUESTS_MAX)
		frontend_watch(fe);
}

static void request_ended(struct frontend *fe)
{
	if (fe->requests-- == REQUESTS_MAX)
		frontend_watch(fe);
}

/* 0 or a negative errno; -EIO from a command means that the whole cache is dead. */
static int frontend_command(struct frontend *fe, const char *text, int n)
{
	struct port *port = fe->config.port;
	int err = n < 0 ? n : port->ops->command(port, text, (size_t)n);

	if (err == -EIO)
		frontend_lose(fe,
			      "the kernel has given up this cache after an I/O error of its file "
			      "system (see the kernel log): mend that, then start again and "
			      "mount again");
	return err;
}

/* ---- restore ------------------------------------------------------------------------------ */

/* Doubling, from a first time: a descriptor that somebody else keeps for good must not cost more.
 */
#define RESTORE_AFTER	 (10 * NSEC_PER_MSEC)
#define RESTORE_DOUBLING 7

static void frontend_restore(struct frontend *fe)
{
	char text[CF_COMMAND_MAX];
	int err;

	fe->restore_due = false;
	fe->resent = true;
	err = frontend_command(fe, text, cf_format_restore(text));
	if (err < 0)
		log_error("asking the kernel for its requests again: %s", strerror(-err));
	frontend_watch(fe);
}

/* The kernel would fail an OPEN that is sent twice while we have its descriptor. */
static void frontend_restore_if_due(struct frontend *fe)
{
	if (fe->restore_due && TAILQ_EMPTY(&fe->opens) && !fe->stopping && !fe->lost)
		frontend_restore(fe);
}

static void frontend_restore_fire(struct loop_timer *timer)
{
	struct frontend *fe = container_of(timer, struct frontend, restore);

	fe->restore_due = true;
	frontend_watch(fe);
	frontend_restore_if_due(fe);
}

/*
 * A READ of an object that is not open here: the daemon before us had, and its descriptor lives a
 * little longer than its process, where io_uring has a write to it under way. Only when it is
 * closed does the kernel send an OPEN, and only if the READ has still to be delivered.
 */
static void frontend_read_is_astray(struct frontend *fe, const struct cf_msg *msg)
{
	unsigned int doubling = fe->restores < RESTORE_DOUBLING ? fe->restores : RESTORE_DOUBLING;

	if (fe->restores == 0 || !fe->config.restore)
		log_warning("READ %u is for object id %u, which is not open%s", msg->msg_id,
			    msg->object_id,
			    fe->config.restore ? " here: the kernel is asked for it again" : "");
	if (!fe->config.restore || fe->restore_due || loop_timer_armed(&fe->restore))
		return;
	fe->restores++;
	if (loop_timer_set(fe->config.loop, &fe->restore,
			   loop_now(fe->config.loop) + (RESTORE_AFTER << doubling)) < 0)
		log_error("out of memory: message %u stays without an answer", msg->msg_id);
}

/* All that was sent again has arrived. */
static void frontend_is_up_to_date(struct frontend *fe)
{
	fe->resent = false;
	if (!fe->restore_due && !loop_timer_armed(&fe->restore))
		fe->restores = 0;
}

/* ---- OPEN --------------------------------------------------------------------------------- */

static void copen_refuse(struct frontend *fe, uint32_t msg_id, int error, int fd)
{
	struct port *port = fe->config.port;
	char text[CF_COMMAND_MAX];
	int err = frontend_command(fe, text, cf_format_copen_error(text, msg_id, error));

	if (err < 0 && err != -EINVAL)
		log_warning("copen of message %u: %s", msg_id, strerror(-err));
	/* No CLOSE follows: the descriptor is ours to close, and a mount hangs until it is. */
	if (fd >= 0)
		port->ops->release(port, fd);
}

static int open_discard(struct engine_open *open)
{
	struct open_request *r = container_of(open, struct open_request, open);

	return discard_cached(r->frontend->config.cache_dir_fd, open->volume, open->cookie);
}

static void frontend_stopped_if_done(struct frontend *fe)
{
	struct port *port = fe->config.port;

	if (!fe->drained || fe->handles || fe->closing || fe->requests || !port)
		return;
	/* The anonymous descriptors are closed by now; the device is the last. */
	fe->config.port = NULL;
	port->ops->free(port);
	fe->stopped(fe->stopped_arg);
}

static void handle_release(struct handle *h)
{
	struct frontend *fe = h->frontend;

	if (!h->closed || h->reads > 0)
		return;
	fe->config.port->ops->release(fe->config.port, h->sink.fd);
	free(h);
	fe->closing--;
	frontend_stopped_if_done(fe);
}

static void handle_closed(struct engine_close *close)
{
	struct handle *h = container_of(close, struct handle, close);

	h->closed = true;
	handle_release(h);
}

static void handle_close(struct handle *h)
{
	h->frontend->closing++;
	engine_close(h->object, &h->sink, &h->close);
}

static struct handle *handle_new(struct frontend *fe, const struct cf_msg *msg)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->frontend = fe;
	h->object_id = msg->object_id;
	h->sink.fd = msg->open.fd;
	h->sink.id = msg->object_id;
	h->close.done = handle_closed;
	return h;
}

static int handle_insert(struct handle *h)
{
	struct frontend *fe = h->frontend;
	struct handle *old;

	HASH_FIND(hh, fe->handles, &h->object_id, sizeof(h->object_id), old);
	if (old) {
		const struct log_subject subject = object_subject(old->object);

		/* The kernel does not reuse ids of open objects; whoever does gets the new one. */
		log_about(LOG_WARNING, &subject, "object id %u was open already (%s)", h->object_id,
			  object_name(old->object));
		HASH_DEL(fe->handles, old);
		handle_close(old);
	}
	HASH_ADD(hh, fe->handles, object_id, sizeof(h->object_id), h);
	return table_has(h) ? 0 : -ENOMEM;
}

/* The engine has said yes; now the kernel has to. After copen a READ may come at any time, so the
 * handle is in its place before. */
static void open_accept(struct open_request *r, struct object *object)
{
	struct frontend *fe = r->frontend;
	struct handle *h = r->handle;
	char text[CF_COMMAND_MAX];
	int err;

	h->object = object;
	err = handle_insert(h);
	if (err < 0) {
		const struct log_subject subject = object_subject(object);

		log_about(LOG_ERR, &subject, "%s: out of memory: an open fails",
			  object_name(object));
		copen_refuse(fe, r->msg_id, err, -1);
		handle_close(h);
		return;
	}
	err = frontend_command(fe, text, cf_format_copen(text, r->msg_id, object_size(object)));
	if (err < 0) {
		const struct log_subject subject = object_subject(object);

		log_about(LOG_WARNING, &subject, "%s: copen of message %u: %s", object_name(object),
			  r->msg_id, strerror(-err));
		HASH_DEL(fe->handles, h);
		handle_close(h);
		return;
	}
	engine_attach(object, &h->sink);
	log_debug("%s: open as object %u, %llu bytes", object_name(object), h->object_id,
		  (unsigned long long)object_size(object));
}

static void open_done(struct engine_open *open, int err, struct object *object)
{
	struct open_request *r = container_of(open, struct open_request, open);
	struct frontend *fe = r->frontend;

	TAILQ_REMOVE(&fe->opens, r, link);
	if (err < 0) {
		copen_refuse(fe, r->msg_id, err, r->handle->sink.fd);
		free(r->handle);
	} else {
		open_accept(r, object);
	}
	free(r);
	request_ended(fe);
	frontend_restore_if_due(fe);
	frontend_stopped_if_done(fe);
}

static struct open_request *open_request_new(struct frontend *fe, const struct cf_msg *msg)
{
	struct bytes volume = msg->open.volume, cookie = msg->open.cookie;
	int64_t live = fe->config.port->ops->live(fe->config.port, msg->open.fd);
	struct open_request *r = calloc(1, sizeof(*r) + volume.len + cookie.len);

	if (!r)
		return NULL;
	r->handle = handle_new(fe, msg);
	if (!r->handle) {
		free(r);
		return NULL;
	}
	r->frontend = fe;
	r->msg_id = msg->msg_id;
	memcpy(r->keys, volume.data, volume.len);
	memcpy(r->keys + volume.len, cookie.data, cookie.len);
	r->open.volume = bytes_of(r->keys, volume.len);
	r->open.cookie = bytes_of(r->keys + volume.len, cookie.len);
	r->open.discard = open_discard;
	r->open.done = open_done;
	r->open.live = live >= 0;
	r->open.live_size = live < 0 ? 0 : (uint64_t)live;
	return r;
}

static void receive_open(struct frontend *fe, const struct cf_msg *msg)
{
	struct open_request *r = open_request_new(fe, msg);

	if (!r) {
		log_error("out of memory: an open fails");
		copen_refuse(fe, msg->msg_id, -ENOMEM, msg->open.fd);
		return;
	}
	request_started(fe);
	TAILQ_INSERT_TAIL(&fe->opens, r, link);
	engine_open(fe->config.engine, &r->open);
}

/* ---- READ and CLOSE ----------------------------------------------------------------------- */

/* The kernel looks for itself whether the hole is still there: success and failure look alike. */
static void read_complete(struct frontend *fe, const struct handle *h, uint32_t msg_id)
{
	struct port *port = fe->config.port;
	int err = port->ops->complete(port, h->sink.fd, msg_id);
	struct log_subject subject;

	/* -EINVAL: the reader was killed, or `restore` had the request sent twice. */
	if (err == 0 || err == -EINVAL)
		return;
	subject = object_subject(h->object);
	log_about(LOG_WARNING, &subject, "completing message %u of object %u: %s", msg_id,
		  h->object_id, strerror(-err));
}

static void read_done(struct engine_demand *demand, int err)
{
	struct read_request *r = container_of(demand, struct read_request, demand);
	struct handle *h = r->handle;
	struct frontend *fe = h->frontend;

	read_complete(fe, h, r->key.msg_id);
	HASH_DEL(fe->reads, r);
	free(r);
	h->reads--;
	request_ended(fe);
	handle_release(h);
	frontend_stopped_if_done(fe);
}

/* It came before, and is being answered. */
static bool read_is_known(const struct frontend *fe, const struct read_key *key)
{
	const struct read_request *r = NULL;

	if (fe->resent)
		HASH_FIND(hh, fe->reads, key, sizeof(*key), r);
	return r;
}

static struct read_request *read_request_new(struct handle *h, const struct cf_msg *msg,
					     const struct read_key *key)
{
	struct frontend *fe = h->frontend;
	struct read_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->handle = h;
	r->key = *key;
	r->demand.off = msg->read.off;
	r->demand.len = msg->read.len;
	r->demand.done = read_done;
	HASH_ADD(hh, fe->reads, key, sizeof(r->key), r);
	if (!table_has(r)) {
		free(r);
		return NULL;
	}
	return r;
}

static void receive_read(struct frontend *fe, const struct cf_msg *msg)
{
	const struct read_key key = { msg->object_id, msg->msg_id };
	struct read_request *r;
	struct handle *h;

	HASH_FIND(hh, fe->handles, &msg->object_id, sizeof(msg->object_id), h);
	if (!h) {
		frontend_read_is_astray(fe, msg);
		return;
	}
	if (read_is_known(fe, &key))
		return;
	r = read_request_new(h, msg, &key);
	if (!r) {
		const struct log_subject subject = object_subject(h->object);

		log_about(LOG_ERR, &subject, "%s: out of memory: a read fails",
			  object_name(h->object));
		read_complete(fe, h, msg->msg_id);
		return;
	}
	h->reads++;
	request_started(fe);
	engine_demand(h->object, &r->demand);
}

static void receive_close(struct frontend *fe, const struct cf_msg *msg)
{
	struct handle *h;

	HASH_FIND(hh, fe->handles, &msg->object_id, sizeof(msg->object_id), h);
	if (!h) {
		log_warning("CLOSE for object id %u, which is not open", msg->object_id);
		return;
	}
	log_debug("%s: closed", object_name(h->object));
	HASH_DEL(fe->handles, h);
	handle_close(h);
}

/* ---- messages ----------------------------------------------------------------------------- */

/* A message that cannot be trusted: refuse what can be refused, close what it gave us. */
static void receive_bad(struct frontend *fe, const struct cf_msg *msg, enum cf_verdict verdict,
			size_t n)
{
	struct handle *h = NULL;

	log_error("bad message of %zu bytes from the kernel (id %u, opcode %u): %s", n, msg->msg_id,
		  msg->opcode, cf_verdict_text(verdict));
	if (msg->opcode == CACHEFILES_OP_OPEN) {
		copen_refuse(fe, msg->msg_id, -EINVAL, msg->open.fd);
	} else if (msg->opcode == CACHEFILES_OP_READ) {
		HASH_FIND(hh, fe->handles, &msg->object_id, sizeof(msg->object_id), h);
		if (h)
			read_complete(fe, h, msg->msg_id);
	}
}

static void receive_message(struct frontend *fe, const void *buf, size_t n)
{
	struct cf_msg msg;
	enum cf_verdict verdict = cf_parse(&msg, buf, n);

	/* Installed without close-on-exec: a copy in a child would block the next mount for ever.
	 */
	if (msg.opcode == CACHEFILES_OP_OPEN && msg.open.fd >= 0)
		fcntl(msg.open.fd, F_SETFD, FD_CLOEXEC);

	if (verdict != CF_OK)
		receive_bad(fe, &msg, verdict, n);
	else if (msg.opcode == CACHEFILES_OP_OPEN)
		receive_open(fe, &msg);
	else if (msg.opcode == CACHEFILES_OP_READ)
		receive_read(fe, &msg);
	else
		receive_close(fe, &msg);
}

static void receive_failed(struct frontend *fe, int err)
{
	if (err == -EINTR)
		return;
	if (err == -EMFILE || err == -ENFILE)
		log_error("an open failed since no file descriptor is left: raise LimitNOFILE "
			  "(RLIMIT_NOFILE) or fs.file-max");
	else if (err == -EIO || err == -EBADF)
		frontend_lose(fe, "the device cannot be read any more");
	else
		log_error("reading the device: %s", strerror(-err));
}

/* The device gives one message per read, and 0 when none is pending. */
static void frontend_receive(struct loop_watch *watch, uint32_t events)
{
	struct frontend *fe = container_of(watch, struct frontend, watch);
	struct port *port = fe->config.port;
	_Alignas(8) uint8_t buf[CACHEFILES_MSG_MAX_SIZE];

	for (unsigned int i = 0; i < DRAIN_MAX && fe->requests < REQUESTS_MAX && !fe->lost; i++) {
		ssize_t n = port->ops->receive(port, buf, sizeof(buf));

		if (n == 0) {
			frontend_is_up_to_date(fe);
			return;
		}
		if (n < 0)
			receive_failed(fe, (int)n);
		else
			receive_message(fe, buf, (size_t)n);
	}
}

/* ---- life --------------------------------------------------------------------------------- */

/* Before anything is read: what is read first would be sent again. */
static int frontend_take_over(struct port *port)
{
	char text[CF_COMMAND_MAX];

	return port->ops->command(port, text, (size_t)cf_format_restore(text));
}

int frontend_new(struct frontend **ret, const struct frontend_config *config)
{
	struct frontend *fe = calloc(1, sizeof(*fe));
	int err;

	if (!fe)
		return -ENOMEM;
	fe->config = *config;
	TAILQ_INIT(&fe->opens);
	fe->watch.ready = frontend_receive;
	fe->restore.fire = frontend_restore_fire;
	err = config->take_over ? frontend_take_over(config->port) : 0;
	if (err == 0)
		err = loop_watch_add(config->loop, &fe->watch, config->port->fd, POLLIN);
	if (err < 0) {
		free(fe);
		return err;
	}
	*ret = fe;
	return 0;
}

void frontend_visit(const struct frontend *fe, const struct frontend_visitor *visitor, void *arg)
{
	const struct open_request *o;

	for (const struct handle *h = fe->handles; h; h = h->hh.next)
		visitor->handle(arg, h->object_id, h->object);
	TAILQ_FOREACH(o, &fe->opens, link)
		visitor->open(arg, o->msg_id, o->handle->object_id, o->open.volume, o->open.cookie);
	for (const struct read_request *r = fe->reads; r; r = r->hh.next)
		visitor->read(arg, r->key.msg_id, r->key.object_id, r->demand.off, r->demand.len);
}

static void frontend_drained(void *arg)
{
	struct frontend *fe = arg;
	struct handle *h, *tmp;

	fe->drained = true;
	HASH_ITER(hh, fe->handles, h, tmp) {
		HASH_DEL(fe->handles, h);
		handle_close(h);
	}
	frontend_stopped_if_done(fe);
}

void frontend_stop(struct frontend *fe, void (*done)(void *), void *arg)
{
	assert(!fe->stopping);
	fe->stopping = true;
	fe->stopped = done;
	fe->stopped_arg = arg;
	loop_timer_cancel(&fe->restore);
	loop_watch_remove(&fe->watch);
	engine_shutdown(fe->config.engine, frontend_drained, fe);
}

struct frontend *frontend_free(struct frontend *fe)
{
	if (!fe)
		return NULL;
	assert(!fe->handles && !fe->config.port);
	free(fe);
	return NULL;
}
