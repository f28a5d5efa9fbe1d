/* SPDX-License-Identifier: MIT */
/*
 * One device, several daemons, one after the other: the device stays open and bound, and readers
 * wait. Whoever keeps it meanwhile, the service manager, the keeper (daemon/keeper.h) or the
 * process that becomes its own successor, passes it as sd_listen_fds(3) wants it, by a name that
 * says to which cache directory it is bound.
 */
#pragma once

#include <stdbool.h>

#define HANDOVER_NAME_MAX 64

struct handover {
	int device; /* owned; -1: none */
	char name[HANDOVER_NAME_MAX];
};

/*
 * Takes what this process was started with out of $LISTEN_FDS and the like, which are unset. Before
 * anything opens a descriptor.
 */
void handover_take(struct handover *ret);

/* How a device is called that is bound to this directory. 0 or a negative errno. */
int handover_name(char name[HANDOVER_NAME_MAX], int dir_fd);

/* How to start another process of this program. */
struct handover_program {
	char *path;	   /* owned: as it was started, so that an upgraded file is found there */
	char *cwd;	   /* owned: what is relative in argv is so to this directory */
	char *const *argv; /* borrowed */
};

/* Before the process changes its directory. 0 or a negative errno. */
int handover_program(struct handover_program *ret, char *const argv[]);
void handover_program_clear(struct handover_program *program);

/* Goes where the program was started, and back to the root. */
int handover_enter(const struct handover_program *program);
void handover_leave(void);

/*
 * Becomes the program, with the device (-1: none) and nothing else that is close-on-exec. Returns
 * with a negative errno when that is not possible, and everything is as it was.
 */
int handover_exec(const struct handover_program *program, int device, const char *name);
