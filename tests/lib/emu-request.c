/* SPDX-License-Identifier: MIT */
/* Requests: numbered cyclically, delivered round-robin, kept until they are answered.
 * fs/cachefiles/ondemand.c: cachefiles_ondemand_send_req, cachefiles_ondemand_select_req. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/lib/emu-internal.h"

struct emu_request *emu_request_find(struct emu *emu, uint32_t msg_id)
{
	struct emu_request *request;

	HASH_FIND(hh, emu->requests, &msg_id, sizeof(msg_id), request);
	return request;
}

static struct emu_ledger *ledger_find(const struct emu *emu, uint32_t msg_id)
{
	struct emu_ledger *ledger;

	HASH_FIND(hh, emu->ledger, &msg_id, sizeof(msg_id), ledger);
	return ledger;
}

/* Ids mostly grow, so the place is at or near the end. */
static void unread_insert(struct emu *emu, struct emu_request *request)
{
	struct emu_request *at = TAILQ_LAST(&emu->unread, emu_unread);

	while (at && at->msg_id > request->msg_id)
		at = TAILQ_PREV(at, emu_unread, link);
	if (at)
		TAILQ_INSERT_AFTER(&emu->unread, at, request, link);
	else
		TAILQ_INSERT_HEAD(&emu->unread, request, link);
	request->fresh = true;
	request->queued_at = emu_now(emu);
}

struct emu_request *emu_request_new(struct emu_object *object, uint32_t opcode)
{
	struct emu_request *request = emu_alloc(sizeof(*request));
	struct emu *emu = object->emu;
	struct emu_ledger *old;

	while (emu_request_find(emu, emu->next_msg_id))
		emu->next_msg_id++;
	request->msg_id = emu->next_msg_id++;
	request->opcode = opcode;
	request->object = object;
	old = ledger_find(emu, request->msg_id);
	if (old) { /* the ids have come round */
		HASH_DEL(emu->ledger, old);
		free(old);
	}
	HASH_ADD(hh, emu->requests, msg_id, sizeof(request->msg_id), request);
	if (opcode != CACHEFILES_OP_READ)
		object->open = request;
	unread_insert(emu, request);
	return request;
}

void emu_request_free(struct emu_request *request)
{
	struct emu *emu = request->object->emu;

	if (request->fresh)
		TAILQ_REMOVE(&emu->unread, request, link);
	if (request->object->open == request)
		request->object->open = NULL;
	if (request->reader)
		request->reader->request = NULL;
	HASH_DEL(emu->requests, request);
	free(request);
}

void emu_request_requeue(struct emu_request *request)
{
	if (!request->fresh)
		unread_insert(request->object->emu, request);
}

void emu_request_deliver(struct emu_request *request)
{
	struct emu *emu = request->object->emu;
	uint64_t waited = emu_now(emu) - request->queued_at;

	TAILQ_REMOVE(&emu->unread, request, link);
	request->fresh = false;
	request->delivered_at = emu_now(emu);
	if (waited > emu->counters.queue_ns_max)
		emu->counters.queue_ns_max = waited;
	emu_ledger_get(emu, request->msg_id, request->opcode)->deliveries++;
}

/* ---- ledger ----------------------------------------------------------------------------- */

struct emu_ledger *emu_ledger_get(struct emu *emu, uint32_t msg_id, uint32_t opcode)
{
	struct emu_ledger *ledger = ledger_find(emu, msg_id);

	if (ledger)
		return ledger;
	ledger = emu_alloc(sizeof(*ledger));
	ledger->msg_id = msg_id;
	ledger->opcode = opcode;
	HASH_ADD(hh, emu->ledger, msg_id, sizeof(ledger->msg_id), ledger);
	return ledger;
}

/* Notes an answer; NULL: it is one too many, and a violation. */
struct emu_ledger *emu_ledger_answer(struct emu *emu, uint32_t msg_id)
{
	struct emu_ledger *ledger = ledger_find(emu, msg_id);

	if (!ledger) {
		emu_violation(emu, "message %u was answered, which was never delivered", msg_id);
		return NULL;
	}
	if (++ledger->answers > ledger->deliveries) {
		emu_violation(emu, "message %u was answered %u times, delivered %u times", msg_id,
			      ledger->answers, ledger->deliveries);
		return NULL;
	}
	return ledger;
}

unsigned int emu_answers(const struct emu *emu, uint32_t msg_id)
{
	struct emu_ledger *ledger = ledger_find(emu, msg_id);

	return ledger ? ledger->answers : 0;
}

void emu_ledger_clear(struct emu *emu)
{
	struct emu_ledger *ledger, *next;

	HASH_ITER(hh, emu->ledger, ledger, next) {
		HASH_DEL(emu->ledger, ledger);
		free(ledger);
	}
}

/* ---- delivery --------------------------------------------------------------------------- */

/* A READ that waits for its object's reopen is not to be had (cachefiles_daemon_poll). */
static bool request_pollable(const struct emu_request *request)
{
	return request->opcode != CACHEFILES_OP_READ ||
	       request->object->state != EMU_OBJECT_REOPENING;
}

void emu_poll_update(struct emu *emu)
{
	struct emu_request *request = NULL;
	eventfd_t count;
	bool pollable;

	if (!emu->port)
		return;
	TAILQ_FOREACH(request, &emu->unread, link)
		if (request_pollable(request))
			break;
	pollable = request || !TAILQ_EMPTY(&emu->raw);
	eventfd_read(emu->port->port.fd, &count);
	if (pollable)
		eventfd_write(emu->port->port.fd, 1);
}

/* May this one be delivered? A READ of an object without descriptor sends for an OPEN instead. */
static bool request_select(struct emu_request *request)
{
	struct emu_object *object = request->object;

	if (request->opcode != CACHEFILES_OP_READ || object->state == EMU_OBJECT_OPEN)
		return true;
	if (object->state == EMU_OBJECT_CLOSED) {
		object->state = EMU_OBJECT_REOPENING;
		TAILQ_INSERT_TAIL(&object->emu->reopens, object, reopen);
	}
	return false;
}

struct emu_request *emu_request_select(struct emu *emu)
{
	struct emu_request *request, *found = NULL;
	struct emu_object *object;

	for (int round = 0; round < 2 && !found; round++) {
		TAILQ_FOREACH(request, &emu->unread, link) {
			if (round == 0 && request->msg_id < emu->deliver_from)
				continue;
			if (!request_select(request))
				continue;
			found = request;
			break;
		}
	}
	if (found)
		emu->deliver_from = found->msg_id + 1;
	while ((object = TAILQ_FIRST(&emu->reopens))) {
		TAILQ_REMOVE(&emu->reopens, object, reopen);
		if (!object->open)
			emu_request_new(object, CACHEFILES_OP_OPEN);
	}
	return found;
}
