/* SPDX-License-Identifier: MIT */
/*
 * What of the program and its libraries is in memory.
 */
#pragma once

/*
 * Lets go of all pages of them that nobody can have written to: what only starting needed, symbols
 * and relocations above all, does not come back. The others come from the page cache when they are
 * used, as they did the first time.
 */
void resident_forget_start(void);
