/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int ending[] = { SIGHUP, SIGINT, SIGTERM };

static volatile sig_atomic_t caught;

static void note(int signal_number)
{
	caught = signal_number;
}

void interrupt_catch(void)
{
	struct sigaction ours = { .sa_handler = note }, before;

	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(ending[i], &ours, NULL);
}

bool interrupt_pending(void)
{
	return caught;
}

void interrupt_finish(void)
{
	if (!caught)
		return;
	signal(caught, SIG_DFL);
	raise(caught);
}
