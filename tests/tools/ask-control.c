/* SPDX-License-Identifier: MIT */
/*
 * What a daemon that has served something answers on its control socket, for scripts:
 *
 *	ask-control URI [ACCEPT]
 *
 * Prints the body. Exit status 0 for an answer with 200. The daemon is one on the emulated kernel,
 * in virtual time, so that each run prints the same but for the numbers of the process.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/prefetch/prefetch.h"
#include "tests/lib/control-client.h"
#include "tests/lib/rig.h"

/* Of all that can be counted some: reads that succeed and one that fails, and an open that does. */
static void serve_something(void)
{
	struct fake_origin *origin = rig_serve("blob", 4 * MIB);
	struct emu_mount *mount = rig_mount(origin);

	ck_assert_int_eq(rig_read(mount, 0, 64 * KIB), 0);
	origin->fail_always = true;
	origin->read_error = -EIO;
	ck_assert_int_ne(rig_read(mount, 2 * MIB, 4 * KIB), 0);
}

static struct prefetch *make_prefetch(void)
{
	struct prefetch_config config = { .loop = rig.loop, .engine = rig.engine };
	struct prefetch *prefetch = NULL;

	ck_assert_int_eq(prefetch_new(&prefetch, &config), 0);
	return prefetch;
}

static void ask(struct control *control, const char *uri, const char *accept,
		struct client_answer *ret)
{
	int fd = control_client_connect(control, rig.loop);
	char request[1024];
	int n = snprintf(request, sizeof(request),
			 "GET %s HTTP/1.1\r\nHost: c\r\nAccept: %s\r\n\r\n", uri, accept);

	control_client_send(fd, request, (size_t)n);
	control_client_receive(fd, rig.loop, ret);
	close(fd);
}

int main(int argc, char *argv[])
{
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };
	struct client_answer answer;
	struct control *control;
	int status;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: ask-control URI [ACCEPT]\n");
		return 2;
	}
	rig_setup();
	rig.kernel.in_memory = true;
	rig.culls = true;
	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	config.space = rig.space;
	config.prefetch = make_prefetch();
	ck_assert_int_eq(control_new(&control, &config), 0);
	serve_something();
	ask(control, argv[1], argc > 2 ? argv[2] : "*/*", &answer);
	fputs(answer.body ? answer.body : "", stdout);
	status = answer.status;
	control_client_end(&answer);
	control_free(control);
	prefetch_free(config.prefetch);
	rig_end();
	return status != 200;
}
