/* SPDX-License-Identifier: MIT */
#include "tests/unit/control-fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct control *control;
char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16];

static void setup_with(enum loop_backend backend)
{
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };

	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(path, sizeof(path), "%s/c.sock", dir);
	rig_setup();
	rig.backend = backend;
	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	ck_assert_int_eq(control_new(&control, &config), 0);
}

void setup(void)
{
	setup_with(LOOP_VIRTUAL);
}

void setup_real(void)
{
	setup_with(LOOP_POLL);
}

void teardown(void)
{
	control = control_free(control);
	rig_end();
	temporary_remove(dir);
}

int connect_to(const char *place)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, place);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void listen_here(void)
{
	char error[CONTROL_ERROR_MAX];

	ck_assert_msg(control_listen(control, path, "root", error) == 0, "%s", error);
}
