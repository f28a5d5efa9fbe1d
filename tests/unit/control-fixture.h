/* SPDX-License-Identifier: MIT */
/*
 * A control socket in the rig, and a directory for its place in the file system. Time is virtual:
 * deadlines cost nothing here.
 */
#pragma once

#include <check.h>

#include "daemon/control/control-internal.h"
#include "tests/lib/control-client.h"
#include "tests/lib/rig.h"
#include "tests/lib/temporary.h"

extern struct control *control;
extern char dir[TEMPORARY_MAX], path[TEMPORARY_MAX + 16];

void setup(void);
/* With other processes: they need time that is real. */
void setup_real(void);
void teardown(void);

/* At `path`. */
void listen_here(void);
/* Somebody who connects to a place in the file system; -1: nobody listens there. */
int connect_to(const char *place);
