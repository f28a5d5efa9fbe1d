/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/ctl/interrupt.h"
#include "daemon/util/cleanup.h"

#define TICK_MS 100

extern char **environ;

/* Ours, then what is added: the last of a name would not count, so ours loses it. */
static int make_env(char ***ret, const char *const *added)
{
	size_t n = 0, more = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	while (added && added[more])
		more++;
	env = calloc(n + more + 1, sizeof(*env));
	if (!env)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		bool replaced = false;

		for (size_t k = 0; k < more; k++)
			replaced = replaced ||
				   strncmp(environ[i], added[k], strcspn(added[k], "=") + 1) == 0;
		if (!replaced)
			env[kept++] = environ[i];
	}
	for (size_t k = 0; k < more; k++)
		env[kept++] = (char *)added[k];
	*ret = env;
	return 0;
}

/* Signals do in the child what they do by default. */
static int spawn(pid_t *ret, const struct program *p, char **env, int err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t ending;
	int r;

	sigemptyset(&ending);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &ending);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY,
						     0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
	if (r == 0)
		r = posix_spawnp(ret, p->argv[0], &files, &attr, (char *const *)p->argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

/* Keeps the last line that is not empty. */
static void take_words(struct program *p, const char *text, size_t n, bool *begun)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(p->words);

		if (text[i] == '\n') {
			*begun = false;
			continue;
		}
		if (!*begun)
			len = 0;
		*begun = true;
		if (len < sizeof(p->words) - 1) {
			p->words[len] =
				(unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
			p->words[len + 1] = '\0';
		}
	}
}

/* Until it closes its stderr, which a program does when it ends. */
static void listen_to(struct program *p, pid_t pid, int err)
{
	struct pollfd fd = { .fd = err, .events = POLLIN };
	bool begun = false, stopped = false;
	char text[4096];

	for (;;) {
		int n = poll(&fd, 1, TICK_MS);
		ssize_t len;

		if (interrupt_pending() && !stopped) {
			kill(pid, SIGTERM);
			stopped = true;
		}
		if (p->tick)
			p->tick(p->arg);
		if (n <= 0)
			continue;
		len = read(err, text, sizeof(text));
		if (len == 0 || (len < 0 && errno != EINTR))
			return;
		if (len > 0)
			take_words(p, text, (size_t)len, &begun);
	}
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program_execute(struct program *p)
{
	_cleanup_close_ int in = -1, out = -1;
	char **env = NULL;
	int fds[2], r;
	pid_t pid;

	p->words[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	in = fds[0];
	out = fds[1];
	r = make_env(&env, p->env);
	if (r == 0)
		r = spawn(&pid, p, env, out);
	free(env);
	if (r < 0)
		return r;
	close(steal_fd(&out));
	listen_to(p, pid, in);
	r = wait_for(pid);
	return interrupt_pending() ? -EINTR : r;
}
