/* SPDX-License-Identifier: MIT */
/*
 * For commands that have something to remove before they go: SIGINT, SIGTERM and SIGHUP set a flag,
 * which long work looks at. System calls that wait end with EINTR.
 */
#pragma once

#include <stdbool.h>

/* From now on. A signal that our parent has chosen to ignore stays ignored. */
void interrupt_catch(void);

bool interrupt_pending(void);

/* Dies of the signal that came, if one has, now that all is removed; else returns. */
void interrupt_finish(void);
