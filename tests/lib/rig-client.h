/* SPDX-License-Identifier: MIT */
/*
 * A client of the rig's engine beside the front end: it asks for a name that may be open already,
 * which the kernel does after `restore` only.
 */
#pragma once

#include "tests/lib/rig.h"

struct rig_client {
	struct engine_open open;
	struct engine_close close;
	struct sink sink;
	struct object *object;
	unsigned int discards; /* times that it was told to drop what was stored */
	int err;	       /* of the open */
	bool done;
};

/* Asks; rig_wait(c->done) waits for the answer. */
void rig_client_open(struct rig_client *c, const char *volume, const char *cookie);
/* Lets go of the object, and waits. */
void rig_client_close(struct rig_client *c);
