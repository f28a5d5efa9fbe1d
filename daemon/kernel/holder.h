/* SPDX-License-Identifier: MIT */
/*
 * Who holds the device, which can be open only once. It stays busy until the last copy of its
 * descriptor *and* of each object's descriptor is closed, in every process.
 */
#pragma once

#include <stddef.h>

/*
 * Lists the holders for people, "412 (cachefilesd), 977 (bash)", into text (n >= 64, terminated,
 * ends in "..." when there are more than fit). Returns how many were found in /proc; 0: none that
 * this process may see, and text is "".
 */
unsigned int holder_list(const char *device, char *text, size_t n);
