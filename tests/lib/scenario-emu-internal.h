/* SPDX-License-Identifier: MIT */
/*
 * Inside the emulated stage. scenario-emu.c owns life, daemon and kernel, scenario-emu-origin.c the
 * objects, scenario-emu-mount.c mounts and readers, scenario-emu-count.c what was seen.
 */
#pragma once

#include <sys/queue.h>

#include "tests/lib/rig.h"
#include "tests/lib/scenario-emu.h"

#define STAGE_VERSIONS 9
#define STAGE_KEY_MAX  256

struct stage_object {
	const char *name;
	char key[STAGE_KEY_MAX]; /* the cookie: the name with its %XX decoded */
	size_t key_len;
	char volume[STAGE_KEY_MAX]; /* where it was mounted last */
	struct fake_origin *versions[STAGE_VERSIONS];
	unsigned int n_versions;
	TAILQ_ENTRY(stage_object) link;
};

struct stage_mount {
	const char *label;
	struct emu_mount *mount;
	TAILQ_ENTRY(stage_mount) link;
};

/* All readers of one `start`. */
struct stage_reader {
	const char *label;
	struct emu_reader **pieces; /* owned */
	size_t n_pieces;
	TAILQ_ENTRY(stage_reader) link;
};

/* What has been counted, of one object or of all. */
struct stage_counts {
	uint64_t requests, looks, fetched, twice;
};

struct stage_baseline {
	const struct fake_origin *origin;
	struct stage_counts counts;
	TAILQ_ENTRY(stage_baseline) link;
};

struct scenario_emu {
	TAILQ_HEAD(, stage_object) objects;
	TAILQ_HEAD(, stage_mount) mounts;
	TAILQ_HEAD(, stage_reader) readers;
	TAILQ_HEAD(, stage_baseline) baselines; /* since `recount` */
	struct emu_counters counters;		/* likewise */
	bool begun, dead, forgotten;
	bool nameless; /* the state was lost, or others filled the cache: files without record */
};

/* Turns the loop until cond(arg); false: that did not happen within an hour. */
bool stage_wait(bool (*cond)(const void *arg), const void *arg);

struct stage_object *stage_object(const struct scenario_emu *stage, const char *name);
struct stage_mount *stage_mount(const struct scenario_emu *stage, const char *label);
struct stage_reader *stage_reader(const struct scenario_emu *stage, const char *label);
/* `in`, a domain, or NULL; returns buf. */
const char *stage_volume(const char *domain, char buf[STAGE_KEY_MAX]);
struct bytes stage_key(const struct stage_object *object);

char *stage_origin(void *arg, const struct scenario_step *step);
char *stage_open(void *arg, const struct scenario_step *step);
char *stage_umount(void *arg, const struct scenario_step *step);
char *stage_start(void *arg, const struct scenario_step *step);
char *stage_read(void *arg, const struct scenario_step *step, struct scenario_result *ret);
char *stage_done(void *arg, const char *label, bool wait, const struct scenario_result *wanted,
		 struct scenario_result *ret);
char *stage_kill(void *arg, const struct scenario_step *step);
char *stage_recount(void *arg);
char *stage_measure(void *arg, const struct scenario_term *term, uint64_t *ret);
