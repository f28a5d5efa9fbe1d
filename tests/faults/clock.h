/* SPDX-License-Identifier: MIT */
#pragma once

#include "tests/faults/wire.h"

#define CLOCK_NAME "origin.test"

/* The monotonic clock of this process is this loop's; NULL: that of the machine again. */
void clock_of(const struct loop *loop);
