/* SPDX-License-Identifier: MIT */
/* The five calls of the port, with the checks of fs/cachefiles/{daemon,ondemand}.c. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

#define COMMAND_MAX 4095

static struct emu *device_of(struct port *port)
{
	return ((struct emu_port *)port)->emu;
}

/* ---- receive ---------------------------------------------------------------------------- */

/* A descriptor for an injected message: it holds nothing, and must be released all the same. */
static void raw_install(struct emu *emu, struct emu_raw *raw)
{
	struct emu_key key = emu_key_new(bytes_str("injected"), bytes_str("message"));
	struct emu_object *object = emu_object_new(emu, &key, NULL);
	int error = emu->delivery_error;
	uint32_t number;

	free(key.data);
	object->state = EMU_OBJECT_DROPPED;
	emu->delivery_error = 0; /* that is for the next real one */
	if (emu_object_install(object) < 0)
		ck_abort_msg("emu: no descriptor for an injected message");
	emu->delivery_error = error;
	number = (uint32_t)object->fd;
	memcpy(raw->msg + raw->fd_at, &number, sizeof(number));
}

static ssize_t deliver_raw(struct emu *emu, struct emu_raw *raw, void *buf)
{
	struct cachefiles_msg_header header;
	struct emu_ledger *ledger;
	size_t n = raw->n;

	TAILQ_REMOVE(&emu->raw, raw, link);
	if (raw->fd_at >= 0)
		raw_install(emu, raw);
	if (n >= sizeof(header)) {
		memcpy(&header, raw->msg, sizeof(header));
		ledger = emu_ledger_get(emu, header.msg_id, header.opcode);
		ledger->raw = true;
		ledger->deliveries++;
	}
	memcpy(buf, raw->msg, n);
	free(raw);
	return (ssize_t)n;
}

static size_t open_payload(struct emu_object *object, uint8_t *at)
{
	struct bytes volume = emu_key_volume(&object->key);
	struct bytes cookie = emu_key_cookie(&object->key);
	struct cachefiles_open_payload open = {
		.volume_key_size = (uint32_t)volume.len + 1,
		.cookie_key_size = (uint32_t)cookie.len,
		.fd = (uint32_t)object->fd,
	};

	memcpy(at, &open, sizeof(open));
	at += sizeof(open);
	memcpy(at, volume.data, volume.len);
	at[volume.len] = '\0';
	memcpy(at + volume.len + 1, cookie.data, cookie.len);
	return sizeof(open) + volume.len + 1 + cookie.len;
}

/* The message as it goes out; its object has its id and descriptor by now. */
static ssize_t deliver(struct emu_request *request, uint8_t *buf)
{
	struct cachefiles_read_payload read = { .off = request->off, .len = request->len };
	struct cachefiles_msg_header header = {
		.msg_id = request->msg_id,
		.opcode = request->opcode,
		.object_id = request->object->id,
	};
	size_t n = sizeof(header);

	if (request->opcode == CACHEFILES_OP_OPEN)
		n += open_payload(request->object, buf + n);
	if (request->opcode == CACHEFILES_OP_READ) {
		memcpy(buf + n, &read, sizeof(read));
		n += sizeof(read);
	}
	header.len = (uint32_t)n;
	memcpy(buf, &header, sizeof(header));
	emu_request_deliver(request);
	return (ssize_t)n;
}

static ssize_t deliver_open(struct emu *emu, struct emu_request *request, void *buf)
{
	struct emu_object *object = request->object;
	int r = emu_object_install(object);

	if (r == 0) {
		emu->counters.opens++;
		return deliver(request, buf);
	}
	emu_request_free(request);
	emu_object_refused(object, -EIO);
	return r;
}

static ssize_t deliver_close(struct emu *emu, struct emu_request *request, void *buf)
{
	struct emu_object *object = request->object;
	ssize_t n = deliver(request, buf);

	emu->counters.closes++;
	emu_request_free(request);
	emu_object_dropped(object);
	return n;
}

static ssize_t device_receive(struct port *port, void *buf, size_t n)
{
	struct emu *emu = device_of(port);
	struct emu_request *request = NULL;
	ssize_t r = 0;

	if (!emu || emu->dead)
		return 0;
	if (n < CACHEFILES_MSG_MAX_SIZE || (uintptr_t)buf % 8) {
		emu_violation(emu, "receive with %zu bytes at %p", n, buf);
		return -EMSGSIZE;
	}
	if (!TAILQ_EMPTY(&emu->raw))
		r = deliver_raw(emu, TAILQ_FIRST(&emu->raw), buf);
	else
		request = emu_request_select(emu);
	if (request && request->opcode == CACHEFILES_OP_OPEN) {
		r = deliver_open(emu, request, buf);
	} else if (request && request->opcode == CACHEFILES_OP_CLOSE) {
		r = deliver_close(emu, request, buf);
	} else if (request) {
		emu->counters.reads++;
		r = deliver(request, buf);
	}
	emu_poll_update(emu);
	return r;
}

/* ---- commands --------------------------------------------------------------------------- */

/* kstrtoull and kstrtol with base 0: no blanks, one newline at the end is fine. */
static int parse_number(const char *s, bool sign, bool *ret_negative, uint64_t *ret)
{
	char *end;
	bool negative = sign && *s == '-';

	s += negative || *s == '+';
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(s, &end, 0);
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	if (errno || (sign && *ret > (uint64_t)INT64_MAX + negative))
		return -ERANGE;
	*ret_negative = negative;
	return 0;
}

static void check_deadline(struct emu *emu, const struct emu_request *request, uint64_t deadline)
{
	const struct emu_origin *origin = request->object->origin;
	uint64_t waited = emu_now(emu) - request->delivered_at;
	char key[176];

	if (waited > emu->counters.answer_ns_max)
		emu->counters.answer_ns_max = waited;
	if (request->opcode == CACHEFILES_OP_READ && origin && origin->patient)
		return;
	if (deadline && waited > deadline)
		emu_violation(emu, "message %u (%s) was answered %ju ms late", request->msg_id,
			      emu_key_print(&request->object->key, key, sizeof(key)),
			      (uintmax_t)(waited - deadline) / 1000000);
}

/* Takes the size of a copen: cachefiles_ondemand_copen(). A size that cannot be read fails the
 * OPEN as well. */
static int copen_apply(struct emu *emu, struct emu_object *object, const char *text)
{
	bool negative = false;
	uint64_t size = 0;
	int r = parse_number(text, true, &negative, &size);

	if (r == 0 && negative && size > 4095)
		r = -EINVAL;
	if (r < 0) {
		emu_object_refused(object, r);
	} else if (negative && size > 0) {
		emu->counters.copen_errors++;
		/* Without memory nothing else is left, and the kernel asks again. */
		if (object->opened && size != ENOMEM)
			emu_violation(emu, "the reopen of object %u was refused", object->id);
		emu_object_refused(object, -(int)size);
	} else if (object->fd < 0) {
		emu_object_refused(object, -EIO); /* closed before its copen */
	} else {
		emu->counters.copens++;
		emu_object_opened(object, size);
	}
	return r;
}

static int command_copen(struct emu *emu, char *args)
{
	char *comma = strchr(args, ',');
	struct emu_request *request;
	struct emu_ledger *ledger;
	struct emu_object *object;
	bool negative;
	uint64_t id;
	int r;

	if (!comma)
		return -EINVAL;
	*comma = '\0';
	r = parse_number(args, false, &negative, &id);
	if (r < 0)
		return r;
	if (id > UINT32_MAX)
		return -EINVAL;
	ledger = emu_ledger_answer(emu, (uint32_t)id);
	if (!ledger)
		return -EINVAL;
	if (ledger->raw)
		return ledger->opcode == CACHEFILES_OP_OPEN ? 0 : -EINVAL;
	if (ledger->opcode != CACHEFILES_OP_OPEN)
		return -EINVAL;
	request = emu_request_find(emu, (uint32_t)id);
	if (!request) { /* e.g. sent twice by a restore, or its mount is gone */
		emu->counters.late_answers++;
		return -ENOENT;
	}
	object = request->object;
	check_deadline(emu, request, emu->config.open_deadline);
	emu_request_free(request);
	return copen_apply(emu, object, comma + 1);
}

/* cachefiles_daemon_write(): up to the first newline, a name, blanks, arguments. */
static int command_run(struct emu *emu, char *text)
{
	char *args = text + strcspn(text, " \t\n\v\f\r");
	bool bare = *args == '\0';

	if (!bare)
		*args++ = '\0';
	while (isspace((unsigned char)*args))
		args++;
	if (strcmp(text, "copen") == 0)
		return command_copen(emu, args);
	if (strcmp(text, "restore") == 0 && !emu->config.no_restore) {
		emu_restore(emu);
		return 0;
	}
	if (strcmp(text, "inuse") == 0)
		return emu_command_inuse(emu, args);
	if (strcmp(text, "cull") == 0)
		return emu_command_cull(emu, args);
	if (strcmp(text, "tag") == 0)
		return -EEXIST; /* the probe for life */
	return -EOPNOTSUPP;
}

static int device_command(struct port *port, const char *text, size_t n)
{
	struct emu *emu = device_of(port);
	char copy[COMMAND_MAX + 1];
	bool on_file = strncmp(text, "cull", 4) == 0 || strncmp(text, "inuse", 5) == 0;
	int r;

	if (!emu)
		return 0;
	if (emu->dead)
		return -EIO;
	if (n == 0 || n > COMMAND_MAX) {
		emu_violation(emu, "a command of %zu bytes", n);
		return -EOPNOTSUPP;
	}
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (memchr(text, '\0', n) || text[0] == '\n') {
		r = -EINVAL;
	} else {
		copy[strcspn(copy, "\n")] = '\0';
		r = command_run(emu, copy);
	}
	emu_poll_update(emu);
	if (on_file && (r == -EBUSY || r == -ENOENT)) /* lost races, which are normal */
		return r;
	if (r == -ENOENT) /* an answer in time that nobody waits for any more: no fault */
		return -EINVAL;
	if (r < 0 && r != -EEXIST)
		emu_violation(emu, "the command `%.*s` was refused: %s", (int)(n > 80 ? 80 : n),
			      text, strerror(-r));
	return r;
}

/* ---- completion, descriptors, end ------------------------------------------------------- */

static int complete_read(struct emu *emu, struct emu_object *object, uint32_t msg_id)
{
	struct emu_ledger *ledger = emu_ledger_answer(emu, msg_id);
	struct emu_request *request = emu_request_find(emu, msg_id);
	struct emu_reader *reader;

	if (!ledger)
		return -EINVAL;
	if (ledger->raw)
		return ledger->opcode == CACHEFILES_OP_READ ? 0 : -EINVAL;
	if (ledger->opcode != CACHEFILES_OP_READ || (request && request->object != object)) {
		emu_violation(emu, "READ_COMPLETE of %u on object %u: not its READ", msg_id,
			      object->id);
		return -EINVAL;
	}
	if (!request) {
		emu->counters.late_answers++;
		return -EINVAL;
	}
	check_deadline(emu, request, emu->config.read_deadline);
	emu->counters.completions++;
	if (!emu_file_present(emu, object->file, request->off, EMU_PAGE))
		emu->counters.completions_empty++;
	reader = request->reader;
	emu_request_free(request);
	emu_reader_advance(reader);
	return 0;
}

static struct emu_object *object_by_fd(struct emu *emu, int fd)
{
	struct emu_object *object;

	HASH_FIND(hh_fd, emu->by_fd, &fd, sizeof(fd), object);
	return object;
}

static int device_complete(struct port *port, int object_fd, uint32_t msg_id)
{
	struct emu *emu = device_of(port);
	struct emu_object *object;
	int r;

	if (!emu)
		return 0;
	object = object_by_fd(emu, object_fd);
	if (!object) {
		emu_violation(emu, "READ_COMPLETE of %u on descriptor %d: no object's", msg_id,
			      object_fd);
		return -EBADF;
	}
	emu_fd_check_cloexec(object);
	r = complete_read(emu, object, msg_id);
	emu_poll_update(emu);
	return r;
}

static int64_t device_live(struct port *port, int object_fd)
{
	struct emu *emu = device_of(port);
	struct emu_object *object = emu ? object_by_fd(emu, object_fd) : NULL;

	if (!object) {
		if (emu)
			emu_violation(emu, "lseek of descriptor %d: no object's", object_fd);
		return -EBADF;
	}
	return object->file ? (int64_t)object->file->limit : -ENOBUFS;
}

static void device_release(struct port *port, int object_fd)
{
	struct emu *emu = device_of(port);
	struct emu_object *object;

	if (!emu) {
		close(object_fd);
		return;
	}
	object = object_by_fd(emu, object_fd);
	if (!object) {
		emu_violation(emu, "release of descriptor %d: no object's", object_fd);
		return;
	}
	if (!emu_fd_is_ours(object))
		emu_violation(emu, "descriptor %d of object %u was closed or replaced already",
			      object_fd, object->id);
	close(object_fd);
	emu_object_released(object);
}

static void device_free(struct port *port)
{
	struct emu *emu = device_of(port);
	struct emu_request *request, *next_request;
	struct emu_object *object, *next;

	close(port->fd);
	free((struct emu_port *)port);
	if (!emu)
		return;
	emu->port = NULL;
	HASH_ITER(hh_fd, emu->by_fd, object, next)
		emu_violation(emu, "the device was closed before descriptor %d of object %u",
			      object->fd, object->id);
	if (emu->config.holder)
		return;
	HASH_ITER(hh, emu->requests, request, next_request)
		if (!request->fresh)
			emu_violation(emu, "the device was closed with message %u unanswered",
				      request->msg_id);
	if (!emu->dead)
		emu_device_die(emu);
}

static const struct port_ops device_ops = {
	.receive = device_receive,
	.command = device_command,
	.complete = device_complete,
	.live = device_live,
	.release = device_release,
	.free = device_free,
};

struct port *emu_port_new(struct emu *emu)
{
	struct emu_port *port = emu_alloc(sizeof(*port));

	port->port.ops = &device_ops;
	port->port.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (port->port.fd < 0)
		ck_abort_msg("emu: eventfd: %s", strerror(errno));
	port->emu = emu;
	emu->port = port;
	emu_poll_update(emu);
	return &port->port;
}
