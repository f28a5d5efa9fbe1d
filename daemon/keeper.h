/* SPDX-License-Identifier: MIT */
/*
 * `--keeper`: where no service manager keeps the device while the daemon restarts, its parent does.
 * It keeps a copy of the device, which it never reads, starts the daemon again when that has
 * crashed, passes signals on, and ends with it when it ends in an orderly way.
 */
#pragma once

#include "daemon/handover.h"

/*
 * Runs daemons until there is to be none; returns the exit status. notify_fd (consumed) as in
 * notify_ready(). To be called by a process that has as little as possible.
 */
int keeper_run(const struct handover_program *program, int notify_fd);
