/* SPDX-License-Identifier: MIT */
/*
 * What a client of the control socket may send: one connection to a daemon with an object that is
 * open, on virtual time. Whatever it is, each answer that is JSON is good JSON, the connection ends
 * in its time, and the daemon goes on.
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/control-internal.h"
#include "daemon/control/server.h"
#include "daemon/util/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/control-client.h"
#include "tests/unit/prefetch-fixture.h"

static char answer[1 << 20];

static int trace_start(void *arg, const char *path, char *error)
{
	return -EALREADY;
}

static void trace_stop(void *arg)
{
}

static void trace_look(void *arg, struct control_trace *ret)
{
	*ret = (struct control_trace){ .recording = true, .path = "/t" };
}

static const struct control_ops ops = { trace_start, trace_stop, trace_look };

static struct control *begin(void)
{
	struct control_config config = { .cache_dir = "/c", .state_dir = "/s", .ops = &ops };
	struct control *control;

	if (!rig.loop) {
		rig_setup();
		jobs_begin();
		rig_mount(rig_serve("blob", MIB));
	}
	config.loop = rig.loop;
	config.engine = rig.engine;
	config.prefetch = jobs.prefetch;
	FUZZ_CHECK(control_new(&control, &config) == 0);
	return control;
}

/* The first answer, as far as it has a length. */
static void check_answer(size_t n)
{
	const char *body, *length;
	json_t *value;
	size_t len;

	answer[n] = '\0';
	body = strstr(answer, "\r\n\r\n");
	length = strstr(answer, "Content-Length: ");
	if (!body || !length || length > body || !strstr(answer, "application/json"))
		return;
	len = strtoul(length + 16, NULL, 10);
	body += 4;
	if (len == 0 || strlen(body) < len)
		return;
	value = json_loadb(body, len, 0, NULL);
	FUZZ_CHECK(value);
	FUZZ_CHECK(memcmp(answer + 9, "200", 3) == 0 || json_object_get(value, "hint"));
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct control *control = begin();
	int fd = control_client_connect(control, rig.loop);
	size_t got = 0;
	ssize_t r;

	if (send(fd, data, n, MSG_NOSIGNAL) < 0)
		FUZZ_CHECK(errno == EAGAIN || errno == EMSGSIZE);
	for (unsigned int i = 0; i < 20; i++) {
		rig_run(SEC / 10);
		while (got < sizeof(answer) - 1 &&
		       (r = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
			got += (size_t)r;
	}
	check_answer(got);
	close(fd);
	rig_run(60 * SEC);
	FUZZ_CHECK(server_clients(control->server) == 0);
	control_free(control);
	log_set_level(-1);
	return 0;
}
