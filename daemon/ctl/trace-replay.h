/* SPDX-License-Identifier: MIT */
/*
 * The report of a replay, for people.
 */
#pragma once

#include "daemon/replay/report.h"

void trace_replay_print(const struct report *report);
