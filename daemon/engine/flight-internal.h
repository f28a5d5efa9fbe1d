/* SPDX-License-Identifier: MIT */
/* What flight.c and flight-wait.c share. */
#pragma once

#include "daemon/engine/flight.h"

/* Stores what is due, and ends it when nothing more can come. */
void flight_pump(struct flight *flight);

/* Those whose next block is stored go on, those who want more of this flight stay. */
void flight_wake(struct flight *flight);

/* Whether somebody is told of what went wrong when it ends. */
bool flight_fails_somebody(const struct flight *flight);

/* It has ended: nobody waits for it any more. */
void flight_settle(struct flight *flight);
