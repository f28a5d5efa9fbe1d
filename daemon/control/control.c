/* SPDX-License-Identifier: MIT */
#include "daemon/control/control.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/control/control-internal.h"
#include "daemon/control/events.h"
#include "daemon/control/server.h"

int control_new(struct control **ret, const struct control_config *config)
{
	struct control *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->config = *config;
	c->started = loop_now(config->loop);
	metrics_begin(&c->metrics, config->engine, config->loop);
	activity_begin(&c->activity, config->engine, config->loop);
	err = events_new(&c->events, config->loop, config->engine, &c->metrics);
	if (err == 0)
		err = server_new(&c->server, c);
	if (err < 0) {
		control_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	if (!c)
		return NULL;
	server_free(c->server);
	events_free(c->events);
	activity_end(&c->activity);
	metrics_end(&c->metrics);
	free(c);
	return NULL;
}

int control_listen(struct control *c, const char *path, const char *group, char *error)
{
	return server_listen(c->server, path, group, error);
}

int control_adopt(struct control *c, int fd)
{
	return server_adopt(c->server, fd);
}
