/* SPDX-License-Identifier: MIT */
#include "tests/lib/rig-client.h"

#include <check.h>
#include <stdlib.h>

static int client_discard(struct engine_open *open)
{
	container_of(open, struct rig_client, open)->discards++;
	return 0;
}

static void client_opened(struct engine_open *open, int err, struct object *object)
{
	struct rig_client *c = container_of(open, struct rig_client, open);

	c->err = err;
	c->object = object;
	c->done = true;
}

static void client_closed(struct engine_close *close)
{
	container_of(close, struct rig_client, close)->done = true;
}

void rig_client_open(struct rig_client *c, const char *volume, const char *cookie)
{
	*c = (struct rig_client){ .open = { .volume = bytes_str(volume),
					    .cookie = bytes_str(cookie),
					    .discard = client_discard,
					    .done = client_opened },
				  .close = { .done = client_closed } };
	engine_open(rig.engine, &c->open);
}

void rig_client_close(struct rig_client *c)
{
	c->done = false;
	engine_close(c->object, &c->sink, &c->close);
	rig_wait(c->done);
}
