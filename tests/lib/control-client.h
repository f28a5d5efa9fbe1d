/* SPDX-License-Identifier: MIT */
/*
 * A client of the control socket in the same thread: it is connected by a pair of sockets, and the
 * loop of the rig turns until the answer is here.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/control/control.h"

struct client_answer {
	int status; /* 0: the connection ended without an answer */
	char head[4096];
	char *body; /* owned, terminated */
	size_t len;
	json_t *json; /* owned; NULL: it is none */
};

/* A connection; closed by the caller. */
int control_client_connect(struct control *control, struct loop *loop);

void control_client_send(int fd, const void *bytes, size_t n);

/* Until there is an answer as a whole, or the connection ends. */
void control_client_receive(int fd, struct loop *loop, struct client_answer *ret);

/* One request on a connection of its own. body NULL: none. */
void control_client_ask(struct control *control, struct loop *loop, const char *method,
			const char *uri, const char *body, struct client_answer *ret);
void control_client_end(struct client_answer *answer);
