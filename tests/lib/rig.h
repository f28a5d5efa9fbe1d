/* SPDX-License-Identifier: MIT */
/*
 * The whole daemon between an emulated kernel and a scripted origin, on virtual time: engine,
 * front end, state in memory, loop. A rig outlives daemons: rig_stop() and rig_kill() end one,
 * rig_start() begins the next over the same cache, state and origin.
 */
#pragma once

#include "daemon/audit/audit.h"
#include "daemon/engine/engine.h"
#include "daemon/frontend/cachefiles.h"
#include "daemon/loop/loop.h"
#include "daemon/space/space.h"
#include "daemon/state.h"
#include "tests/lib/emu.h"
#include "tests/lib/fake-fetcher.h"

#define KIB		  ((uint64_t)1024)
#define MIB		  (1024 * KIB)
#define MS		  NSEC_PER_MSEC
#define SEC		  NSEC_PER_SEC

#define RIG_VOLUME	  "erofs,v"
#define RIG_OPEN_DEADLINE (10 * SEC)
#define RIG_READ_DEADLINE (30 * SEC)

#define RIG_OTHERS	  3

struct rig {
	struct emu_config kernel;
	struct engine_source_config source;
	struct engine_source_config others[RIG_OTHERS]; /* matched before it */
	size_t n_others;
	struct engine_config config;
	enum loop_backend backend;
	struct space_limits limits;
	bool culls;  /* space in the cache is managed */
	bool audits; /* what is complete is compared with its digest */
	/* Puts a port around the kernel's, before the engine is made; NULL: none. */
	void (*decorate)(struct port **port);
	/* Puts a fetcher in front of the fake, for each daemon; NULL: none. */
	struct fetcher *(*front)(struct fetcher *next);
	/* An origin in place of the script: makes what `source` is, with its fetcher, for one daemon,
	 * and ends that. NULL: the script. */
	void (*source_begin)(struct engine_source_config *ret, struct loop *loop);
	void (*source_end)(void);

	struct engine_source_config sources[RIG_OTHERS + 1];
	struct emu *emu;
	struct loop *loop;
	struct fake *fake;
	struct state *state;
	struct engine *engine;
	struct frontend *frontend;
	struct space *space; /* or NULL */
	struct audit *audit; /* or NULL */
	struct loop_timer limit;
	bool limit_hit, stopped, lost;
};

extern struct rig rig;

/* Defaults: names are remembered for an hour, absence is not. A test changes rig.kernel, source,
 * config, backend before rig_begin(). */
void rig_setup(void);
/* Kernel, loop, origin and first daemon. */
void rig_begin(void);
/* All of it ends, with the oracle's verdict. The mounts are closed by the test or left to die. */
void rig_end(void);
/* The same without failing the test: what was wrong, owned by the caller; NULL: nothing. */
char *rig_end_verdict(void);

void rig_start(void);
/* Orderly end of the daemon; the device is closed. */
void rig_stop(void);
/* The daemon is gone from one moment to the next, as the kernel sees it. */
void rig_kill(void);

/* Lets this much virtual time go by. */
void rig_run(uint64_t ns);

/* Turns the loop until cond; fails the test when a virtual hour brings it no nearer. */
#define rig_wait(cond)                   \
	do {                             \
		rig_wait_begin();        \
		while (!(cond))          \
			rig_turn(#cond); \
		rig_wait_end();          \
	} while (0)
void rig_wait_begin(void);
void rig_turn(const char *cond);
void rig_wait_end(void);

/* An object at the origin under this cookie. */
struct fake_origin *rig_serve(const char *cookie, uint64_t size);
/* A mount of it, without waiting, and until it is there. */
struct emu_mount *rig_open(const struct fake_origin *origin);
struct emu_mount *rig_mount(const struct fake_origin *origin);
/* umount, and until the daemon has let go. */
void rig_umount(struct emu_mount *mount);

/* Waits for the end of a reader; its error. */
int rig_finish(struct emu_reader *reader);
/* One read from start to end. */
int rig_read(struct emu_mount *mount, uint64_t off, uint64_t len);

bool rig_waiting(const struct emu_reader *reader);

/* Bytes of it that are in the cache. */
uint64_t rig_present(const struct fake_origin *origin);
