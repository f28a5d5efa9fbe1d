/* SPDX-License-Identifier: MIT */
/*
 * Scenarios on the real kernel (tests/lib/scenario.h): a daemon, a web server in this process, and
 * mounts of EROFS images. An object of a scenario is the blob of an image whose only file, "data",
 * is all of it; the image's own object, one block, is made for each mount and named after it.
 *
 * What may block for ever is done by child processes, which are this program with other arguments,
 * and waited for by their descriptors. All functions that return a text return NULL, or a sentence
 * of what went wrong that the caller frees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "tests/lib/origin.h"
#include "tests/lib/scenario.h"

#define REAL_WAIT_MS  25000 /* whoever takes longer hangs */
#define REAL_VERSIONS 16    /* of one object */
#define REAL_BLOCK    4096u

/* ---- children (scenario-real-child.c)
 * ------------------------------------------------------------- */

struct real_child {
	pid_t pid; /* 0: there is none, or it has ended */
	int pidfd;
	int out;    /* its standard output, or -1 */
	int status; /* of one that has ended: exit status, or 128 + signal */
};

/* A zero child is no child. path NULL: this program. want_out: its output comes back by a pipe. */
int real_child_start(struct real_child *child, const char *path, const char *const argv[],
		     bool want_out);
/* Whether it has ended, now or within ms; status is known then. */
bool real_child_ended(struct real_child *child, int ms);
void real_child_kill(struct real_child *child);
/* Kills and forgets it. */
void real_child_free(struct real_child *child);

/* ---- the stage --------------------------------------------------------------------------- */

struct real_object {
	TAILQ_ENTRY(real_object) link;
	const char *name;      /* as written in the scenario */
	char key[256];	       /* its bytes */
	unsigned int versions; /* so far; the first is 1 */
	uint64_t sizes[REAL_VERSIONS];
	unsigned int flags; /* of origin_put_as() */
	bool faulty;
	struct origin_treatment looks, reads; /* while it is */
	struct origin_seen before;	      /* what does not count */
	const char *domain;		      /* where it was mounted last, or NULL */
};

enum real_mount_state { REAL_MOUNTING, REAL_MOUNTED, REAL_NOT_MOUNTED };

struct real_mount {
	TAILQ_ENTRY(real_mount) link;
	const char *label, *domain;
	struct real_object *object;
	unsigned int version;
	char *dir; /* owned */
	enum real_mount_state state;
	struct real_child child;
	unsigned int daemon; /* which daemon serves it */
	int fd;		     /* of the object in that daemon, -1: not known */
};

/* What a reader says of each piece; error: 0, a negative errno, or REAL_WRONG. */
struct real_piece {
	uint32_t number;
	int32_t error;
};

#define REAL_WRONG   1 /* bytes that are not the object's */
#define REAL_WAITING 2

struct real_reader {
	TAILQ_ENTRY(real_reader) link;
	const char *label;
	struct real_mount *mount;
	struct real_child child;
	size_t n_pieces;
	int32_t *errors; /* owned; of the pieces */
};

#define REAL_SETTINGS 13

struct real {
	const struct scenario *scenario;
	const char *run, *cache, *program; /* RUN, CACHE, DAEMON of lib.sh */
	char *files;			   /* owned; where the images are served from */
	struct origin *origin;
	struct real_child daemon;
	unsigned int daemons;		  /* started so far */
	char settings[REAL_SETTINGS][32]; /* as the configuration has them; empty: not set */
	const char *domain;		  /* the only one that is served, or NULL */
	bool nameless;			  /* records were lost: cache files have none */
	TAILQ_HEAD(, real_object) objects;
	TAILQ_HEAD(, real_mount) mounts;
	TAILQ_HEAD(, real_reader) readers;
};

/* ---- the origin (scenario-real-origin.c) ------------------------------------------------- */

/* serve, replace, fault, heal */
char *real_origin_step(struct real *real, const struct scenario_step *step);
struct real_object *real_object_find(struct real *real, const char *name);

/* ---- the daemon (scenario-real-daemon.c)
 * ---------------------------------------------------------- */

/* Settings of a step; they stay. */
void real_daemon_set(struct real *real, const struct scenario_step *step);
char *real_daemon_start(struct real *real);
char *real_daemon_stop(struct real *real);
char *real_daemon_kill(struct real *real);
char *real_daemon_forget(struct real *real);

/* Its descriptors of objects, at most n; returns how many it has. */
size_t real_daemon_fds(const struct real *real, int *ret, size_t n);
/* A copy of one; -1: it has none of that number. */
int real_daemon_fd(const struct real *real, int number);

/* ---- mounts (scenario-real-mount.c)
 * --------------------------------------------------------------- */

char *real_mount_open(struct real *real, const struct scenario_step *step);
char *real_mount_done(struct real *real, struct real_mount *mount, bool wait,
		      struct scenario_result *ret);
/* Whether files can be opened in it, though their object may not be open yet. */
bool real_mount_usable(struct real_mount *mount);
char *real_mount_close(struct real *real, struct real_mount *mount);
/* Whatever it takes. */
void real_mount_abandon(struct real_mount *mount);
struct real_mount *real_mount_find(struct real *real, const char *label);
/* Bytes of the object that its cache file has. */
char *real_mount_present(struct real *real, const struct real_object *object, uint64_t *ret);

/* ---- readers (scenario-real-reader.c)
 * ------------------------------------------------------------- */

char *real_reader_start(struct real *real, const struct scenario_step *step);
char *real_reader_read(struct real *real, const struct scenario_step *step,
		       struct scenario_result *ret);
char *real_reader_done(struct real_reader *reader, bool wait, const struct scenario_result *wanted,
		       struct scenario_result *ret);
struct real_reader *real_reader_find(struct real *real, const char *label);
void real_reader_free(struct real_reader *reader);

/* ---- children's work (scenario-real-work.c)
 * ------------------------------------------------------- */

/* mount(2) with the options KEY=VALUE; the exit status is its errno. */
int real_work_mount(int argc, char **argv);
/* Reads and compares; see scenario-real-reader.c for the arguments. Prints struct real_piece. */
int real_work_read(int argc, char **argv);

/* ---- images (scenario-real-image.c)
 * --------------------------------------------------------------- */

/* The one block of an image whose file "data" is the blob of that many bytes. */
void real_image(uint8_t block[static REAL_BLOCK], uint64_t size);
