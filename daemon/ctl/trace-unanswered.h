/* SPDX-License-Identifier: MIT */
/*
 * The requests of a trace that have no answer in it, which only its end tells.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct trace_unanswered;

/* Reads the whole trace. CTL_OK, or CTL_FAILED after it has said why. */
int trace_unanswered_find(struct trace_unanswered **ret, const char *path);
struct trace_unanswered *trace_unanswered_free(struct trace_unanswered *unanswered);

/* The message whose record is at this offset has no answer. */
bool trace_unanswered_has(const struct trace_unanswered *unanswered, uint64_t offset);
