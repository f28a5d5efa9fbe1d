/* SPDX-License-Identifier: MIT */
/*
 * The whole daemon between the emulated kernel and a real nginx, with the proxy of
 * tests/lib/proxy.h in front of that and a resolver that may be as bad. All of it is on virtual
 * time, libcurl too (clock.c): nginx costs none, so that each wait is one that a fault has caused,
 * and takes none.
 */
#pragma once

#include "tests/lib/proxy.h"
#include "tests/lib/rig.h"

#define WIRE_OBJECT "blob"
#define WIRE_SIZE   ((uint64_t)1536 * KIB + 100)
#define WIRE_SOURCE "origin" /* its name in the configuration */

/* The daemon's way to the origin. */
enum wire_scheme {
	WIRE_HTTP,
	WIRE_HTTPS,
	WIRE_NAMED, /* http, by a name that the resolver has to be asked for */
};

enum wire_resolver {
	WIRE_RESOLVES,
	WIRE_UNKNOWN, /* there is no such name */
	WIRE_MUTE,    /* no answer */
};

extern struct proxy *wire_proxy;

/* What there is not on this host; NULL: all is there. */
const char *wire_missing(void);

/* Fixtures: nginx, its file in its first version, certificates. */
void wire_start(void);
void wire_stop(void);

/* Kernel, daemon and proxy, and their end, with the oracle's verdict (owned by the caller; NULL:
 * nothing was wrong). alternative: there is nginx itself, too, which is trusted. settings: more
 * lines of the source, or NULL. */
void wire_begin(enum wire_scheme scheme, bool alternative, const char *settings,
		uint64_t readahead_max);
char *wire_end(void);

/* The object has these bytes from now on. The first version is 1. */
void wire_put(unsigned int version, uint64_t size);

/* What a mount must read of a version that has this size; static. */
const struct emu_origin *wire_origin(unsigned int version, uint64_t size);

struct emu_mount *wire_open(const struct emu_origin *origin);
/* Waits; whether it is open. */
bool wire_opened(struct emu_mount *mount);

void wire_resolver(enum wire_resolver resolver);

/* What was logged since the last call; owned by the caller. */
char *wire_log(void);
