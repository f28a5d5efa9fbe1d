/* SPDX-License-Identifier: MIT */
/*
 * Directories for what tests write. All of a process and of its forks are in one directory for each
 * place, "cachefilld-test.*", which goes when the process that began exits or is told to end:
 * whatever became of a test, or of a fork in which it ran.
 */
#pragma once

enum { TEMPORARY_MAX = 192 }; /* a path, with its NUL */

enum temporary_place {
	TEMPORARY_ANY,	  /* $TMPDIR, or /tmp */
	TEMPORARY_DISK,	  /* $TMPDIR unless that is memory, or /var/tmp: real direct I/O, attributes
			   */
	TEMPORARY_MEMORY, /* $CACHEFILLD_TEST_MEMORY, or /dev/shm */
	TEMPORARY_PLACES,
};

/* What is made from now on, also in forks, goes with this process. run_suite() calls it, and
 * temporary_dir() where nobody has. */
void temporary_begin(void);

/* A new one, empty. Fails the test where none can be made. */
void temporary_dir(char path[TEMPORARY_MAX], enum temporary_place place);

/* Removes a tree before its time. */
void temporary_remove(const char *path);
