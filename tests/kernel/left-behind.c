/* SPDX-License-Identifier: MIT */
/*
 * Says what a scenario of the shell has left behind (leftovers.h), and fails if that is anything:
 *
 *	left-behind CACHE STATE DAEMON [nameless]
 *
 * DAEMON: its process, or 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "tests/kernel/leftovers.h"

int main(int argc, char *argv[])
{
	_cleanup_free_ char *found = NULL;
	struct leftovers where;

	if (argc < 4 || argc > 5)
		return 2;
	where = (struct leftovers){ argv[1], argv[2], atoi(argv[3]), argc > 4 };
	found = leftovers_find(&where);
	if (found)
		printf("left behind: %s\n", found);
	return found != NULL;
}
