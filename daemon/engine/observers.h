/* SPDX-License-Identifier: MIT */
/*
 * Telling all observers of one thing.
 */
#pragma once

#include "daemon/engine/engine.h"

TAILQ_HEAD(observer_list, engine_observer);

/* OBSERVE(sched, opened, object): calls opened() of each that has one. */
#define OBSERVE(sched, member, ...)                                        \
	do {                                                               \
		struct engine_observer *observer_;                         \
                                                                           \
		TAILQ_FOREACH(observer_, &(sched)->observers, link)        \
			if (observer_->member)                             \
				observer_->member(observer_, __VA_ARGS__); \
	} while (0)
