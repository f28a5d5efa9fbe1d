/* SPDX-License-Identifier: MIT */
/*
 * HTTP by libmicrohttpd, turned by the daemon's loop.
 */
#pragma once

#include <stddef.h>

struct control;
struct server;

enum {
	SERVER_CLIENTS_MAX = 64,      /* more wait to be accepted */
	SERVER_USERS_MAX = 32,	      /* of those, who is not root: more are refused */
	SERVER_BODY_MAX = 16 << 10,   /* bytes of a request */
	SERVER_HEAD_MAX = 16 << 10,   /* about, of a request */
	SERVER_PATIENCE_SECONDS = 10, /* for a request to be here, and for an answer to be taken */
};

int server_new(struct server **ret, struct control *control);
/* Ends all connections. Takes NULL, returns NULL. */
struct server *server_free(struct server *server);

/* See control.h. */
int server_listen(struct server *server, const char *path, const char *group, char *error);
int server_adopt(struct server *server, int fd);

unsigned int server_clients(const struct server *server);
