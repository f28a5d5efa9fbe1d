/* SPDX-License-Identifier: MIT */
/*
 * The service manager's watchdog (WatchdogSec=): it is told that all is well from the loop, so not
 * while that is held up, and only while no request is overdue. What it does about silence is to end
 * the daemon and to start it again.
 */
#pragma once

#include "daemon/engine/engine.h"

struct watchdog {
	struct loop *loop;
	const struct engine *engine;
	struct loop_timer timer;
	uint64_t every; /* ns; 0: nobody wants to be told */
	bool silent;	/* for a reason that has been logged */
};

/* By $WATCHDOG_USEC and $WATCHDOG_PID, as sd_watchdog_enabled(3) reads them. -ENOMEM. */
int watchdog_start(struct watchdog *watchdog, struct loop *loop, const struct engine *engine);
void watchdog_stop(struct watchdog *watchdog);
