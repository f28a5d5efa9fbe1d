/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd without a thread of its own: it has an epoll descriptor, which our loop watches,
 * and is run when that is ready. A thread would have to hand each request over to the loop, which
 * alone may look at the engine, and would only add the waiting for that.
 *
 * What clients can cost is bounded. In one run at most WORK_MAX is spent on requests before those
 * that are left wait for the next; and after each run the server rests for REST times as long as it
 * took, so that clients who never stop asking get a fifth of the loop's time, and readers the rest.
 */
#include "daemon/control/server-internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

#define REST	   4
#define REST_LEAST (200000) /* ns: shorter runs are not worth a timer */

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- turning it --------------------------------------------------------------------------- */

static void server_arm(struct server *s, uint64_t delay)
{
	/* Without memory for it there is the next thing that somebody sends. */
	(void)loop_timer_set(s->loop, &s->timer, loop_now(s->loop) + delay);
}

static void server_rest(struct server *s, uint64_t took)
{
	s->resting = took > REST_LEAST;
	loop_watch_modify(&s->watch, s->resting ? 0 : POLLIN);
	if (s->resting)
		server_arm(s, REST * took);
}

static void resume_waiting(struct server *s)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&s->waiting))) {
		TAILQ_REMOVE(&s->waiting, call, link);
		call->waiting = false;
		MHD_resume_connection(call->connection);
	}
}

static void server_run(struct server *s)
{
	uint64_t begun = clock_ns();
	MHD_UNSIGNED_LONG_LONG wait_ms;

	s->spent = 0;
	resume_waiting(s);
	MHD_run(s->daemon);
	server_rest(s, clock_ns() - begun);
	if (s->resting)
		return;
	if (!TAILQ_EMPTY(&s->waiting))
		server_arm(s, 0);
	else if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		server_arm(s, max_u64(wait_ms, 1) * NSEC_PER_MSEC); /* it may say 0 for long */
}

static void server_ready(struct loop_watch *watch, uint32_t events)
{
	server_run(container_of(watch, struct server, watch));
}

static void server_due(struct loop_timer *timer)
{
	server_run(container_of(timer, struct server, timer));
}

void server_kick(struct server *s)
{
	if (!s->resting)
		server_arm(s, 0);
}

/* ---- clients ------------------------------------------------------------------------------ */

/* libmicrohttpd sees the end, and closes it. */
static void client_late(struct loop_timer *timer)
{
	struct client *client = container_of(timer, struct client, deadline);

	shutdown(client->fd, SHUT_RDWR);
}

void client_wait(struct client *client)
{
	struct loop *loop = client->server->loop;

	(void)loop_timer_set(loop, &client->deadline,
			     loop_now(loop) + SERVER_PATIENCE_SECONDS * NSEC_PER_SEC);
}

static void client_begin(struct server *s, struct MHD_Connection *connection, void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *client = calloc(1, sizeof(*client));

	*context = client;
	if (!client)
		return; /* its requests are refused */
	client->server = s;
	client->fd = info->connect_fd;
	client->access = s->arriving;
	client->deadline.fire = client_late;
	client_wait(client);
	TAILQ_INSERT_TAIL(&s->clients, client, link);
	s->n_clients++;
	if (client->access != CONTROL_CHANGE)
		s->n_users++;
}

static void client_end(struct client *client)
{
	struct server *s = client->server;

	loop_timer_cancel(&client->deadline);
	TAILQ_REMOVE(&s->clients, client, link);
	if (client->access != CONTROL_CHANGE)
		s->n_users--;
	if (s->n_clients-- == SERVER_CLIENTS_MAX && s->listen_fd >= 0)
		loop_watch_modify(&s->listen_watch, POLLIN);
	free(client);
}

static void notify_connection(void *arg, struct MHD_Connection *connection, void **context,
			      enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		client_begin(arg, connection, context);
	else if (*context)
		client_end(*context);
}

int server_adopt(struct server *s, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	s->arriving = server_access(s, fd);
	if (s->n_clients == SERVER_CLIENTS_MAX ||
	    (s->arriving != CONTROL_CHANGE && s->n_users == SERVER_USERS_MAX)) {
		close(fd);
		return -EUSERS;
	}
	if (MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address, sizeof(sa_family_t)) !=
	    MHD_YES)
		return -ENOMEM; /* it is closed */
	if (s->n_clients == SERVER_CLIENTS_MAX && s->listen_fd >= 0)
		loop_watch_modify(&s->listen_watch, 0);
	server_kick(s);
	return 0;
}

unsigned int server_clients(const struct server *s)
{
	return s->n_clients;
}

/* ---- life --------------------------------------------------------------------------------- */

static struct MHD_Daemon *daemon_start(struct server *s)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		call_handle, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)SERVER_CLIENTS_MAX + 1,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_HEAD_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, 0u, /* deadlines are ours */
		MHD_OPTION_URI_LOG_CALLBACK, call_begin, s, MHD_OPTION_NOTIFY_COMPLETED, call_end,
		s, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, s,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

static void server_freep(struct server **s)
{
	server_free(*s);
}

int server_new(struct server **ret, struct control *control)
{
	_cleanup_(server_freep) struct server *s = calloc(1, sizeof(*s));
	const union MHD_DaemonInfo *info;
	int err;

	if (!s)
		return -ENOMEM;
	s->control = control;
	s->loop = control->config.loop;
	s->listen_fd = -1;
	s->group = (gid_t)-1;
	s->watch.ready = server_ready;
	s->timer.fire = server_due;
	TAILQ_INIT(&s->waiting);
	LIST_INIT(&s->pending);
	TAILQ_INIT(&s->clients);
	TAILQ_INIT(&s->pulls);
	s->daemon = daemon_start(s);
	if (!s->daemon)
		return -ENOMEM;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	err = info ? loop_watch_add(s->loop, &s->watch, info->epoll_fd, POLLIN) : -ENOSYS;
	if (err < 0)
		return err;
	*ret = steal(&s);
	return 0;
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	server_unlisten(s);
	loop_watch_remove(&s->watch);
	if (s->daemon) {
		/* Nobody may be suspended when it stops: streams have ended, calls do. */
		s->closing = true;
		server_end_streams(s);
		server_end_pending(s);
		resume_waiting(s);
		MHD_run(s->daemon);
		MHD_stop_daemon(s->daemon);
	}
	loop_timer_cancel(&s->timer);
	free(s->path);
	free(s);
	return NULL;
}
