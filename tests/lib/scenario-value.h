/* SPDX-License-Identifier: MIT */
/*
 * The values of a scenario: texts in, numbers out. Each returns false, and leaves *ret as it is,
 * when the text is not one of these and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Decimal, or 0x and hexadecimal. */
bool scenario_value_count(const char *text, uint64_t *ret);
/* Bytes, with K, M, G, T. */
bool scenario_value_size(const char *text, uint64_t *ret);
/* "OFFSET+LENGTH", the length not 0. */
bool scenario_value_range(char *text, uint64_t *ret_off, uint64_t *ret_len);
/* ns; a unit is needed: ns, ms, s. */
bool scenario_value_time(const char *text, uint64_t *ret);
/* The positive number of ENOENT and the like. */
bool scenario_value_error(const char *text, uint64_t *ret);
/* [A-Za-z0-9._~-] and, where wanted, %XX; not empty. */
bool scenario_value_name(const char *text, bool escapes);
