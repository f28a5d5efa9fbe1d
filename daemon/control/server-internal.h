/* SPDX-License-Identifier: MIT */
/* server.c turns libmicrohttpd, server-request.c has its requests, server-socket.c its socket. */
#pragma once

#include <microhttpd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "daemon/control/control-internal.h"
#include "daemon/control/server.h"

/* Somebody who is connected. */
struct client {
	struct server *server;
	int fd; /* of libmicrohttpd */
	enum control_access access;
	struct loop_timer deadline;
	TAILQ_ENTRY(client) link;
};

/* A request that has come as a whole, and waits for its turn. */
struct call {
	struct server *server;
	struct client *client;
	struct MHD_Connection *connection;
	char *raw_uri; /* owned */
	char *body;    /* owned, SERVER_BODY_MAX bytes, or NULL */
	size_t body_len;
	bool too_long, begun, waiting;
	struct control_wait *wait;    /* its answer has not come yet */
	bool ready;		      /* it has */
	struct control_answer answer; /* owned, then */
	void (*sent)(void *arg);      /* of its answer, or NULL */
	void *sent_arg;
	LIST_ENTRY(call) pending; /* in server->pending, with a wait */
	TAILQ_ENTRY(call) link;	  /* in server->waiting, while it is */
};

TAILQ_HEAD(call_list, call);

struct pull;

struct server {
	struct control *control;
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct loop_watch watch; /* of its epoll descriptor */
	struct loop_timer timer; /* its own next deadline, or the end of a rest */
	bool resting, closing;
	uint64_t spent; /* ns, on requests, in this run */
	struct call_list waiting;
	LIST_HEAD(, call) pending;
	TAILQ_HEAD(, pull) pulls;
	TAILQ_HEAD(, client) clients;
	unsigned int n_clients, n_users;
	enum control_access arriving; /* inside server_adopt() */

	int listen_fd; /* owned; -1: none */
	struct loop_watch listen_watch;
	struct loop_timer listen_timer; /* armed: nobody can be accepted for a moment */
	char *path;			/* owned */
	ino_t inode;
	gid_t group; /* (gid_t)-1: root only */
};

/* Something is to be done soon. */
void server_kick(struct server *server);

/* What the peer may do. The group is looked for in all groups that it has. */
enum control_access server_access(const struct server *server, int fd);

void server_accept(struct loop_watch *watch, uint32_t events);
void server_unlisten(struct server *server);

/* Callbacks of libmicrohttpd. */
void *call_begin(void *arg, const char *uri, struct MHD_Connection *connection);
enum MHD_Result call_handle(void *arg, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data,
			    size_t *data_len, void **con_cls);
void call_end(void *arg, struct MHD_Connection *connection, void **con_cls,
	      enum MHD_RequestTerminationCode why);

/* No answer comes any more for those that wait for one. */
void server_end_pending(struct server *server);

/* All streams have said what they had to say. */
void server_end_streams(struct server *server);

/* The client has from now on as long for what comes next. */
void client_wait(struct client *client);
