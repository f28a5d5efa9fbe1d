/* SPDX-License-Identifier: MIT */
#include "fetchers/credential-agent.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "fetchers/credential-runner.h"

TAILQ_HEAD(asks, credential_ask);

struct credential_agent {
	int socket; /* -1: the process is gone */
	pid_t pid;
	struct loop_watch watch; /* while something was sent */
	bool watching;
	struct asks sent, waiting;
	unsigned int n_sent;
	uint64_t last_id;
	struct runner_answer answer; /* secret while it is in use */
};

static void agent_serve(struct credential_agent *agent);

static void agent_unlink(struct credential_ask *ask)
{
	struct credential_agent *agent = ask->agent;

	if (ask->id) {
		TAILQ_REMOVE(&agent->sent, ask, link);
		agent->n_sent--;
	} else {
		TAILQ_REMOVE(&agent->waiting, ask, link);
	}
	free(ask->helper);
	free(ask->server);
	ask->helper = ask->server = NULL;
	ask->agent = NULL;
	if (agent->n_sent == 0 && agent->watching) {
		loop_watch_remove(&agent->watch);
		agent->watching = false;
	}
}

static void ask_end(struct credential_ask *ask, int err, struct auth_credentials *found,
		    const char *why)
{
	agent_unlink(ask);
	ask->done(ask, err, found, why);
}

/* ---- answers ---------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void ask_fail(struct credential_ask *ask, int err,
							   const char *fmt, ...)
{
	struct auth_credentials nobody = { 0 };
	char why[AUTH_WHY_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	ask_end(ask, err, &nobody, why);
}

/* What it said is not shown: it may have been about the secret. */
static void ask_exited(struct credential_ask *ask, int status, const char *text, size_t len)
{
	struct auth_credentials found = { 0 };
	const char *why = NULL;
	int r;

	if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && auth_helper_knows_nobody(text, len))
		ask_end(ask, 0, &found, NULL);
	else if (!WIFEXITED(status))
		ask_fail(ask, -EACCES, "docker-credential-%.24s was killed by signal %d",
			 ask->helper, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		ask_fail(ask, -EACCES,
			 "docker-credential-%.24s fails with status %d: run its 'get' by hand",
			 ask->helper, WEXITSTATUS(status));
	else if ((r = auth_helper_parse(&found, text, len, &why)) < 0)
		ask_fail(ask, r == -ENOMEM ? r : -EACCES, "docker-credential-%.24s: %s",
			 ask->helper, why);
	else
		ask_end(ask, 0, &found, NULL);
}

static void ask_answered(struct credential_ask *ask, const struct runner_answer *answer, size_t len)
{
	switch (answer->end) {
	case RUNNER_EXITED:
		ask_exited(ask, answer->detail, answer->output, len);
		break;
	case RUNNER_MISSING:
		ask_fail(ask, -EACCES, "docker-credential-%.24s is not in $PATH", ask->helper);
		break;
	case RUNNER_LATE:
		ask_fail(ask, -ETIMEDOUT, "docker-credential-%.24s says nothing for %u s",
			 ask->helper, ask->seconds ? ask->seconds : RUNNER_SECONDS);
		break;
	case RUNNER_LONG:
		ask_fail(ask, -EACCES, "docker-credential-%.24s says too much", ask->helper);
		break;
	default:
		ask_fail(ask, -EIO, "docker-credential-%.24s cannot be run: %s", ask->helper,
			 strerror(answer->detail));
	}
}

static struct credential_ask *find_ask(struct credential_agent *agent, uint64_t id)
{
	struct credential_ask *ask;

	TAILQ_FOREACH(ask, &agent->sent, link) {
		if (ask->id == id)
			break;
	}
	return ask;
}

/* The process is gone, and none can be started any more. */
static void agent_lost(struct credential_agent *agent)
{
	struct asks asks = TAILQ_HEAD_INITIALIZER(asks);
	struct credential_ask *ask;

	close_fdp(&agent->socket);
	agent->socket = -1;
	for (;;) {
		ask = TAILQ_FIRST(&agent->sent);
		if (!ask)
			ask = TAILQ_FIRST(&agent->waiting);
		if (!ask)
			break;
		ask_fail(ask, -EIO, "the process that runs credential helpers has ended");
	}
}

static void agent_ready(struct loop_watch *watch, uint32_t events)
{
	struct credential_agent *agent = container_of(watch, struct credential_agent, watch);
	struct runner_answer *answer = &agent->answer;
	size_t head = offsetof(struct runner_answer, output);
	ssize_t len = recv(agent->socket, answer, sizeof(*answer), MSG_DONTWAIT);
	struct credential_ask *ask;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len < (ssize_t)head) {
		loop_watch_remove(&agent->watch);
		agent->watching = false;
		agent_lost(agent);
		return;
	}
	ask = find_ask(agent, answer->id);
	if (ask)
		ask_answered(ask, answer, (size_t)len - head);
	explicit_bzero(answer, (size_t)len);
	agent_serve(agent);
}

/* ---- questions -------------------------------------------------------------------------- */

static int agent_send(struct credential_agent *agent, struct credential_ask *ask)
{
	struct runner_question question = {
		.id = ++agent->last_id,
		.seconds = ask->seconds ? ask->seconds : RUNNER_SECONDS,
	};

	if (!agent->watching) {
		agent->watch.ready = agent_ready;
		if (loop_watch_add(ask->loop, &agent->watch, agent->socket, POLLIN) < 0)
			return -ENOMEM;
		agent->watching = true;
	}
	snprintf(question.helper, sizeof(question.helper), "%s", ask->helper);
	snprintf(question.server, sizeof(question.server), "%s", ask->server);
	if (send(agent->socket, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -EIO;
	TAILQ_REMOVE(&agent->waiting, ask, link);
	TAILQ_INSERT_TAIL(&agent->sent, ask, link);
	ask->id = question.id;
	agent->n_sent++;
	return 0;
}

/* Sends what waits, as far as it may. */
static void agent_serve(struct credential_agent *agent)
{
	struct credential_ask *ask;

	while (agent->socket >= 0 && agent->n_sent < RUNNER_AT_ONCE &&
	       (ask = TAILQ_FIRST(&agent->waiting)))
		if (agent_send(agent, ask) < 0)
			ask_fail(ask, -EIO, "the process that runs credential helpers has ended");
}

int credential_ask_start(struct credential_agent *agent, struct loop *loop,
			 struct credential_ask *ask, const char *helper, const char *server)
{
	int r;

	if (!auth_helper_valid(helper) || strlen(helper) >= RUNNER_NAME_MAX ||
	    strlen(server) >= RUNNER_SERVER_MAX)
		return -EINVAL;
	if (agent->socket < 0)
		return -EIO;
	ask->helper = strdup(helper);
	ask->server = strdup(server);
	ask->loop = loop;
	ask->agent = agent;
	ask->id = 0;
	TAILQ_INSERT_TAIL(&agent->waiting, ask, link);
	r = ask->helper && ask->server ? 0 : -ENOMEM;
	if (r == 0 && agent->n_sent < RUNNER_AT_ONCE)
		r = agent_send(agent, ask);
	if (r < 0)
		agent_unlink(ask);
	return r;
}

void credential_ask_cancel(struct credential_ask *ask)
{
	if (ask->agent)
		agent_unlink(ask);
}

/* ---- life ------------------------------------------------------------------------------- */

int credential_agent_start(struct credential_agent **ret, int (*confine)(void))
{
	struct credential_agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return -ENOMEM;
	TAILQ_INIT(&agent->sent);
	TAILQ_INIT(&agent->waiting);
	r = runner_start(&agent->socket, &agent->pid, confine);
	if (r < 0) {
		free(agent);
		return r;
	}
	*ret = agent;
	return 0;
}

/* In this order none is missed: one that ends after the first goes by itself. */
void credential_agent_disown(void)
{
	signal(SIGCHLD, SIG_IGN);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

struct credential_agent *credential_agent_free(struct credential_agent *agent)
{
	if (!agent)
		return NULL;
	assert(TAILQ_EMPTY(&agent->sent) && TAILQ_EMPTY(&agent->waiting));
	/* It ends by that, with all that it has started, whoever else was forked and has the
	 * socket. */
	if (agent->socket >= 0)
		shutdown(agent->socket, SHUT_RDWR);
	close_fdp(&agent->socket);
	/* Disowned, it is gone when this fails. */
	while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(agent);
	return NULL;
}
