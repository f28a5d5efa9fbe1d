/* SPDX-License-Identifier: MIT */
/*
 * The kernel's side of a replay: a cachefiles device behind daemon/kernel/port.h, which gives the
 * daemon the messages that it is told to give, and looks at each answer. What no daemon may do is
 * told as a breach.
 *
 * Ids are its own, not those of the trace: a trace may use them as no kernel does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/kernel/port.h"
#include "daemon/replay/cachefiles.h"

struct port_replay;

enum port_state {
	PORT_QUEUED,
	PORT_DELIVERED,
	PORT_DONE,
};

/* One open of an object: from its OPEN to the close of its descriptor. */
struct port_handle {
	struct catalog_object *object;
	struct cachefile *file;
	bool opened;  /* copen was taken */
	bool closing; /* CLOSE is queued or was read */
	/* private */
	uint32_t id;
	int fd; /* the daemon's; -1: none */
	bool dropped;
	unsigned int refs;
	UT_hash_handle hh;
};

/* An OPEN, a READ or a CLOSE. Owned by the caller from answered() on, and before. */
struct port_request {
	uint32_t opcode;
	struct port_handle *handle;
	uint64_t off, len; /* of a READ */
	enum port_state state;
	/* The answer: */
	int error;	 /* OPEN: of copen; READ: -ECANCELED: it was closed before its answer */
	uint64_t size;	 /* OPEN: of copen */
	bool unanswered; /* the device was closed first */
	/* private */
	uint32_t msg;
	TAILQ_ENTRY(port_request) link;
	UT_hash_handle hh;
};

struct port_replay_events {
	void (*delivered)(void *arg, struct port_request *request);
	/* The end of a request; of a CLOSE that is its delivery. */
	void (*answered)(void *arg, struct port_request *request);
	/* The daemon has closed a descriptor. */
	void (*released)(void *arg, struct catalog_object *object);
	/* Everything was delivered. */
	void (*idle)(void *arg);
	/* What no daemon may do; object NULL: of none. */
	void (*breach)(void *arg, const struct catalog_object *object, const char *what);
};

/* files and events are borrowed; ret_port is the device, freed through its ops; that ends what is
 * not answered. */
int port_replay_new(struct port_replay **ret, struct port **ret_port, struct cachefiles *files,
		    const struct port_replay_events *events, void *arg);
/* After the device is closed. Takes NULL, returns NULL. */
struct port_replay *port_replay_free(struct port_replay *replay);

/*
 * The first open of an object, or one more, into request->handle, of which the caller holds a
 * reference until port_replay_close(). version: that the trace tells.
 * -EMFILE, -EFBIG, -ENAMETOOLONG (keys that fit no message), -ENOMEM: nothing has happened.
 */
int port_replay_open(struct port_replay *replay, struct port_request *request,
		     struct catalog_object *object, const struct catalog_version *version);
void port_replay_read(struct port_replay *replay, struct port_request *request,
		      struct port_handle *handle);
/* Sends CLOSE where the handle is open. Gives the reference back; false: there is nothing to send,
 * and request is not used. */
bool port_replay_close(struct port_replay *replay, struct port_request *request,
		       struct port_handle *handle);

/* One more reference, for a request that is to be sent later; and the end of it. */
void port_replay_hold(struct port_handle *handle);
void port_replay_drop(struct port_replay *replay, struct port_handle *handle);

/* A message is there to be received. */
bool port_replay_queued(const struct port_replay *replay);
