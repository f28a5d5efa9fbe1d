/* SPDX-License-Identifier: MIT */
/*
 * Values with units, as people write them: text -> number. Pure. Each returns false, and leaves
 * *ret alone, for anything else, also for what does not fit; bounds are the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* "4096", "64K", "16MiB", "1GiB": bytes; the units are powers of 1024. */
bool config_value_size(const char *text, uint64_t *ret);

/* "500ms", "30s", "2min", "1h": milliseconds. The unit is needed: a bare 30 says nothing. */
bool config_value_time(const char *text, uint64_t *ret_ms);

/* "7%" */
bool config_value_percent(const char *text, uint64_t *ret);

/* "16" */
bool config_value_count(const char *text, uint64_t *ret);

/* yes, no, true, false, on, off */
bool config_value_bool(const char *text, bool *ret);
