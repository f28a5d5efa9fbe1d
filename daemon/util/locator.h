/* SPDX-License-Identifier: MIT */
/*
 * Locators in what people read.
 */
#pragma once

#include <stddef.h>

/*
 * Writes a locator without what may be secret (userinfo, query, fragment) and without control
 * bytes; cut with "..." where it does not fit. Always terminates (n > 4). Returns buf.
 */
char *locator_print(const char *locator, char *buf, size_t n);
