/* SPDX-License-Identifier: MIT */
/*
 * Credential helpers, docker-credential-NAME programs, for a daemon that must not start any: a
 * child would inherit what the kernel installs without close-on-exec. So one small process is
 * forked before there is anything to inherit, and runs them: it has one socket and no privileges.
 * It ends when the daemon does. The daemon's side waits on its loop.
 *
 *	credential-agent.c	the daemon's side
 *	credential-runner.c	the process; the only file of the daemon that may start one
 */
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "daemon/loop/loop.h"
#include "fetchers/auth-file.h"

struct credential_agent;

/*
 * Forks; nothing may be open, and no thread exist, that is not for everybody. confine (or NULL) is
 * called in the process: an error of it ends that at once. Negative errno.
 */
int credential_agent_start(struct credential_agent **ret, int (*confine)(void));

/*
 * For a program that may go on in the process of one with an agent: its children, those that it has
 * already included, are waited for by nobody, and leave nothing behind when they end.
 */
void credential_agent_disown(void);

/* All asks are done or canceled. The process ends. Takes NULL, returns NULL. */
struct credential_agent *credential_agent_free(struct credential_agent *agent);

/* One question. Owned by the caller until done() or its cancel. */
struct credential_ask {
	/*
	 * From the loop. 0: found is given away, and empty where the helper knows nobody. -EACCES,
	 * -ETIMEDOUT, -EIO with half a sentence in why, without secrets.
	 */
	void (*done)(struct credential_ask *ask, int err, struct auth_credentials *found,
		     const char *why);
	unsigned int seconds; /* how long it may take; 0: 20 */
	/* private */
	TAILQ_ENTRY(credential_ask) link;
	struct loop *loop;
	struct credential_agent *agent; /* NULL: not under way */
	char *helper, *server;		/* owned */
	uint64_t id;			/* 0: not sent yet */
};

/*
 * Asks docker-credential-HELPER for a server. All asks under way at a time have the same loop.
 * -EINVAL: no name of a helper; -ENOMEM; -EIO: the process is gone.
 */
int credential_ask_start(struct credential_agent *agent, struct loop *loop,
			 struct credential_ask *ask, const char *helper, const char *server);
void credential_ask_cancel(struct credential_ask *ask);
