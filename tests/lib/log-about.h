/* SPDX-License-Identifier: MIT */
/*
 * What log_about() is told, in place of the log: for tests of what lines are about. It is linked in
 * the place of that function.
 */
#pragma once

/* "ORIGIN=... VOLUME=... COOKIE=... IMAGE=... the line", each with a newline, since the last call;
 * what is missing is left out. Static. */
const char *log_about_told(void);
