/* SPDX-License-Identifier: MIT */
/* The socket in the file system, and who comes by it. */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control/server-internal.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* Nobody's groups are guessed where they are more. */
#define GROUPS_MAX   1024

#define ACCEPT_AGAIN (NSEC_PER_SEC / 10)

/* ---- who ---------------------------------------------------------------------------------- */

static bool has_group(int fd, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

enum control_access server_access(const struct server *s, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return CONTROL_NOTHING;
	if (peer.uid == 0 || peer.uid == geteuid())
		return CONTROL_CHANGE;
	if (s->group != (gid_t)-1 && (peer.gid == s->group || has_group(fd, s->group)))
		return CONTROL_READ;
	return CONTROL_NOTHING;
}

/* ---- accept ------------------------------------------------------------------------------- */

static void accept_again(struct loop_timer *timer)
{
	struct server *s = container_of(timer, struct server, listen_timer);

	if (server_clients(s) < SERVER_CLIENTS_MAX)
		loop_watch_modify(&s->listen_watch, POLLIN);
}

/* Without a descriptor he is still there in the next turn, and in all that follow. */
static void accept_failed(struct server *s)
{
	if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
		return;
	if (loop_timer_set(s->loop, &s->listen_timer, loop_now(s->loop) + ACCEPT_AGAIN) == 0)
		loop_watch_modify(&s->listen_watch, 0);
}

/* A few in a turn; whoever comes when there are enough waits in the backlog. */
void server_accept(struct loop_watch *watch, uint32_t events)
{
	struct server *s = container_of(watch, struct server, listen_watch);

	for (unsigned int i = 0; i < 16 && server_clients(s) < SERVER_CLIENTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) {
			accept_failed(s);
			return;
		}
		(void)server_adopt(s, fd);
	}
}

/* ---- listen ------------------------------------------------------------------------------- */

static int say(char *error, int err, const char *path, const char *why)
{
	snprintf(error, CONTROL_ERROR_MAX, "%s: %s", path, why ? why : strerror(-err));
	return err;
}

static gid_t find_group(const char *name)
{
	const struct group *group;
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (*name && !*end)
		return (gid_t)number;
	group = getgrnam(name);
	return group ? group->gr_gid : (gid_t)-1;
}

/* Everybody has to get through it to the socket. */
static int make_directory(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *dir = copy ? dirname(copy) : NULL;

	if (!dir)
		return -ENOMEM;
	if (mkdir(dir, 0755) == 0)
		return chmod(dir, 0755) < 0 ? -errno : 0; /* our umask is strict */
	return errno == EEXIST ? 0 : -errno;
}

/* Does somebody answer there? What a dead daemon has left is taken away. */
static int clear_place(const struct sockaddr_un *address, char *error)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return say(error, -errno, address->sun_path, NULL);
	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : say(error, -errno, address->sun_path, NULL);
	if (!S_ISSOCK(st.st_mode))
		return say(error, -EADDRINUSE, address->sun_path,
			   "it exists and is no socket: move it away");
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return say(error, -EADDRINUSE, address->sun_path,
			   "another daemon listens there already");
	if (errno != ECONNREFUSED || unlink(address->sun_path) < 0)
		return say(error, -errno, address->sun_path, NULL);
	return 0;
}

/*
 * Who has the group may give a socket to it without a capability, as the next program in this
 * process will have to (SIGUSR2). Without the right to join it is left at that: that one says so.
 */
static void join_group(gid_t group)
{
	gid_t groups[GROUPS_MAX + 1];
	int n = getgroups(GROUPS_MAX, groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == group)
			return;
	if (n < 0)
		return;
	groups[n] = group;
	if (setgroups((size_t)n + 1, groups) < 0)
		log_debug("cannot join group %lu: %s", (unsigned long)group, strerror(errno));
}

/* The socket is made with mode 0700 by our umask: nobody else comes in before the group is set. */
static int give_to_group(struct server *s, const char *path, const char *name)
{
	if (strcmp(name, "root") != 0)
		s->group = find_group(name);
	if (s->group == (gid_t)-1 && strcmp(name, "root") != 0)
		log_notice("%s: there is no group \"%s\": the control socket is for root alone",
			   path, name);
	if (s->group != (gid_t)-1 && chown(path, (uid_t)-1, s->group) < 0) {
		log_warning("%s: cannot be given to the group \"%s\" (%s): the control socket is "
			    "for root alone",
			    path, name, strerror(errno));
		s->group = (gid_t)-1;
	}
	if (s->group != (gid_t)-1)
		join_group(s->group);
	return chmod(path, s->group == (gid_t)-1 ? 0600 : 0660) < 0 ? -errno : 0;
}

static int start_listening(struct server *s, const char *group)
{
	struct stat st;
	int err = give_to_group(s, s->path, group);

	if (err == 0 && (listen(s->listen_fd, SOMAXCONN) < 0 || stat(s->path, &st) < 0))
		err = -errno;
	if (err < 0)
		return err;
	s->inode = st.st_ino;
	s->listen_watch.ready = server_accept;
	s->listen_timer.fire = accept_again;
	return loop_watch_add(s->loop, &s->listen_watch, s->listen_fd, POLLIN);
}

int server_listen(struct server *s, const char *path, const char *group, char *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	mode_t old;
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return say(error, -ENAMETOOLONG, path, "a path of a socket has up to 107 bytes");
	strcpy(address.sun_path, path);
	err = make_directory(path);
	if (err < 0)
		return say(error, err, path, NULL);
	err = clear_place(&address, error);
	if (err < 0)
		return err;
	s->path = strdup(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!s->path || fd < 0)
		return say(error, s->path ? -errno : -ENOMEM, path, NULL);
	old = umask(0177);
	err = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(old);
	if (err < 0)
		return say(error, err, path, NULL);
	s->listen_fd = steal_fd(&fd);
	err = start_listening(s, group);
	return err < 0 ? say(error, err, path, NULL) : 0;
}

/* A successor may have made its own by now. */
void server_unlisten(struct server *s)
{
	struct stat st;

	if (s->listen_fd < 0)
		return;
	loop_watch_remove(&s->listen_watch);
	loop_timer_cancel(&s->listen_timer);
	if (stat(s->path, &st) == 0 && st.st_ino == s->inode)
		unlink(s->path);
	close(steal_fd(&s->listen_fd));
}
