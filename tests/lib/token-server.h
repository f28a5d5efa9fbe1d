/* SPDX-License-Identifier: MIT */
/*
 * A token server for registry.h, in a thread of its own: tokens that docker-registry(1) believes,
 * because they are signed with a key whose certificate it knows. The registry takes them for 60 s
 * longer than they say.
 */
#pragma once

#include <stdbool.h>

struct token_server_options {
	const char *user, *password; /* NULL: everybody gets a token */
	const char *identity_token;  /* NULL: asked by POST, it refuses */
	const char *repository;	     /* that tokens are for; NULL: the one that was asked for */
	bool read_only;		     /* nobody may push, also who asks for that */
	int life;		     /* s until "exp"; 0: 300 */
	unsigned int expires_in;     /* s, as told; 0: not told */
	unsigned int size;	     /* bytes of what looks like a token, 0: a real one */
	bool access_token;	     /* under that name */
	const char *location;	     /* where it redirects to instead, NULL: nowhere */
	bool hang;		     /* no answer until that is changed */
	unsigned int status;	     /* an error instead; 0: none */
};

/* Makes the key in registry_dir(); the registry's `auth` for registry_open() is static. */
const char *token_server_start(const struct token_server_options *options);
void token_server_stop(void);

/* From the next request on. */
void token_server_change(const struct token_server_options *options);

/* Requests since the start; the last one's head and body. */
unsigned int token_server_asked(void);
char *token_server_last(char *buf, unsigned int n);
