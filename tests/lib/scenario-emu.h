/* SPDX-License-Identifier: MIT */
/*
 * The stage of scenarios that is made of the rig: emulated kernel, scripted origin, virtual time.
 * What the oracle finds fails a scenario at its end, whatever it expects.
 */
#pragma once

#include "tests/lib/scenario.h"

struct scenario_emu;

/* One for each run; one run at a time, for there is one rig. */
struct scenario_emu *scenario_emu_new(void);
/* Takes NULL, returns NULL. */
struct scenario_emu *scenario_emu_free(struct scenario_emu *stage);

/* To be called with a struct scenario_emu. */
extern const struct scenario_stage scenario_emulated;
