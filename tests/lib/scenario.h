/* SPDX-License-Identifier: MIT */
/*
 * Scenarios: short scripts of what kernel and origin do to the daemon, and what must come of it.
 * One behaviour per file; the same file runs on the emulated kernel (scenario-emu.c), and where it
 * says nothing that only the emulator knows, on a real one.
 *
 *	# A second reader of the same bytes costs no second fetch.
 *	daemon readahead-max=0
 *	serve blob size=1M
 *	fault blob delay=200ms
 *	mount blob as m
 *	start m 0+128K as a
 *	start m 64K+128K as b
 *	done a
 *	done b
 *	expect fetched(blob)<=384K
 *	expect emulated twice=0 requests<=2
 *
 * One step a line. A line that begins with # is a comment, the first one is the sentence of what is
 * shown. Sizes are bytes with K, M, G, T; times are numbers with ns, ms, s; a RANGE is
 * OFFSET+LENGTH; errors are named as in errno(3). Names are of [A-Za-z0-9._~-]; in an object's, %XX
 * is any byte. Faults in the file are reported as "FILE:LINE: sentence".
 *
 * Settings, before all other steps:
 *
 *	on emulated		or `on real`; without it, both
 *	daemon [open-deadline=TIME] [read-deadline=TIME] [buffers=SIZE] [readahead-max=SIZE]
 *	       [requests=N] [revalidate] [refuse-compressed] [domain=D]
 *	       [positive-ttl=TIME] [negative-ttl=TIME] [names-max=SIZE] [size-limit=SIZE]
 *	       [retries=N] [backoff=TIME]
 *				requests: at the origin at a time; domain: nothing else is served;
 *				negative-ttl, retries: none, unless they are given
 *	source NAME domain=D [requests=N] [open-deadline=TIME] [read-deadline=TIME]
 *				one more source, for objects that are mounted in this domain
 *	kernel [first-id=N] [ready-delay=TIME] [holder] [disk=SIZE]
 *				disk: of so many bytes; space in the cache is managed where this or
 *				size-limit is given
 *
 * The origin:
 *
 *	serve OBJECT size=SIZE [no-validator] [compressed]
 *				an object of computed bytes; its version 1
 *	replace OBJECT size=SIZE [same-validator]
 *				its next version: other bytes, no faults
 *	fault OBJECT [look=ERRNO] [look-stall] [look-delay=TIME] [fail=ERRNO] [stall] [at=SIZE]
 *	       [delay=TIME] [step=SIZE step-time=TIME] [down]
 *				Looks (which learn the size) and reads go wrong from now on: a look
 *fails, never answers or is late; reads fail or stop for ever where they come to offset `at`
 *(without it, at once), begin after `delay`, bring `step` bytes each `step-time`. down: nobody
 *answers at all. Faults of one object add up.
 *	heal OBJECT		all of that is over, and what has stalled goes on
 *
 * Mounts and readers. `open` and `start` do not wait; `mount` and `read` are the same with `done`:
 *
 *	open OBJECT as MOUNT [in=DOMAIN] [version=N]
 *	mount OBJECT as MOUNT [in=DOMAIN] [version=N] [-> OUTCOME]
 *				its bytes must be of this version; without it, of the newest
 *	umount MOUNT		waits until the daemon has let go of it
 *	start MOUNT RANGE as READER [by=SIZE] [every=SIZE] [pages]
 *	read MOUNT RANGE [by=SIZE] [every=SIZE] [pages] [-> OUTCOME]
 *				by: in pieces of this size, read one after the other, started all at
 *				once; every: the distance of their beginnings; pages: page by page,
 *as metadata is read, without readahead of the kernel. Each byte is compared. done NAME [->
 *OUTCOME]	of a mount or of all pieces of a reader. OUTCOME is `ok` (also when none is given),
 *`fails`, an errno, or `waiting`: it has not ended. The errno of a mount is what the daemon told
 *the kernel; mount(2) says something else, so on a real kernel any failure will do. kill READER
 *a fatal signal
 *
 * What else happens:
 *
 *	daemon stop | kill	in an orderly way; from one moment to the next
 *	daemon start [buffers=SIZE] [readahead-max=SIZE] [revalidate] [refuse-compressed]
 *	       [size-limit=SIZE]
 *				the next one; the settings are as before where they are not given
 *	daemon forget		its state directory is lost; between stop and start
 *	daemon purge OBJECT [in=DOMAIN] [volume]
 *				what it remembers of this name, or of all names of its volume
 *	pass TIME		time goes by; in a file for both kernels at most 3 s in all
 *	kernel emfile | die | restore		see emu.h: emu_fail_delivery(), emu_kill_device()
 *	kernel cull OBJECT [in=DOMAIN]
 *	kernel populate OBJECT RANGE [in=DOMAIN]
 *	kernel fill others=SIZE	others have so many bytes of the disk
 *	kernel writes [count=N] [short=SIZE] [fail=ERRNO]
 *				the next N writes to cache files are short or fail; neither: all are
 *well kernel message op=N id=N [of=MOUNT] [len=N] [bytes=N] [payload=WORD,...] a raw message of
 *`bytes` bytes (32): header, then 32-bit words (hex or decimal; `fd`: a new descriptor), then 'x';
 *len: what the header says
 *
 * What was seen:
 *
 *	recount			what is counted begins at nothing; what is the most of something
 *				stays the most of the whole file
 *	expect [emulated | real] TERM...	NAME=N, NAME<=N, NAME>=N, of one thing:
 *NAME(THING)<=N
 *
 * Numbers of a TERM, of which only the marked ones (*) are known on a real kernel:
 *
 *	contacts(OBJECT)*	requests at the origin of any kind; without OBJECT, of all, as below
 *	requests(OBJECT), looks(OBJECT)		reads, looks
 *	fetched(OBJECT)*	bytes that were asked for by reads
 *	twice(OBJECT)		of them, bytes that had been asked for before
 *	attached(OBJECT)	uses that the engine holds
 *	running, concurrent, held	reads under way; most of them; most bytes in their buffers
 *	present(OBJECT)*	bytes in the cache (of the domain where it was mounted last)
 *	size(MOUNT)		bytes, as the daemon has told
 *	waited(READER)		time, the longest of its pieces
 *	cost(READER)		READ messages that all its pieces have cost
 *	culled, cached		objects, by the daemon; bytes, as it counts them
 *	opens, reads, closes, completions, empty, late, written, rewritten, refused
 *				messages; answers; of them over a hole, to nobody; bytes; ENOBUFS
 *and injected errors fds, unread, unanswered	now answered		time, the longest from the
 *delivery of a request to its answer answers(ID)		to this message id lost
 *1 when the daemon has given the cache up
 *
 * There are no variables and no loops: what needs them is a test in C
 *(tests/unit/test-frontend*.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scenario_place {
	SCENARIO_BOTH,
	SCENARIO_EMULATED,
	SCENARIO_REAL,
};

enum scenario_verb {
	SCENARIO_ON,
	SCENARIO_DAEMON,
	SCENARIO_SOURCE,
	SCENARIO_KERNEL,
	SCENARIO_SERVE,
	SCENARIO_REPLACE,
	SCENARIO_FAULT,
	SCENARIO_HEAL,
	SCENARIO_OPEN,
	SCENARIO_MOUNT,
	SCENARIO_UMOUNT,
	SCENARIO_START,
	SCENARIO_READ,
	SCENARIO_DONE,
	SCENARIO_KILL,
	SCENARIO_DAEMON_START,
	SCENARIO_DAEMON_STOP,
	SCENARIO_DAEMON_KILL,
	SCENARIO_DAEMON_FORGET,
	SCENARIO_DAEMON_PURGE,
	SCENARIO_PASS,
	SCENARIO_KERNEL_EMFILE,
	SCENARIO_KERNEL_DIE,
	SCENARIO_KERNEL_RESTORE,
	SCENARIO_KERNEL_CULL,
	SCENARIO_KERNEL_POPULATE,
	SCENARIO_KERNEL_WRITES,
	SCENARIO_KERNEL_FILL,
	SCENARIO_KERNEL_MESSAGE,
	SCENARIO_RECOUNT,
	SCENARIO_EXPECT,
};

/* How a mount or a reader ends. */
enum scenario_outcome {
	SCENARIO_OK,
	SCENARIO_FAILS, /* errno: which one; 0: any */
	SCENARIO_WAITING,
};

struct scenario_result {
	enum scenario_outcome outcome;
	int error; /* negative errno */
};

/* KEY=VALUE, or KEY alone. */
struct scenario_option {
	const char *key;
	uint64_t number;  /* size: bytes; time: ns; flag: 1; error: its positive number */
	const char *text; /* as written; "" for a flag */
};

enum scenario_relation {
	SCENARIO_EQUAL,
	SCENARIO_AT_MOST,
	SCENARIO_AT_LEAST,
};

struct scenario_term {
	const char *name;
	const char *thing; /* object, mount, reader or message id; NULL: none was named */
	enum scenario_relation relation;
	uint64_t number;
	const char *text; /* as written */
};

#define SCENARIO_OPTIONS_MAX 12
#define SCENARIO_TERMS_MAX   8

/* One line. Only what its verb has is set. Texts belong to the scenario. */
struct scenario_step {
	enum scenario_verb verb;
	unsigned int line;
	enum scenario_place place; /* `on`, `expect` */
	const char *object;	   /* as written, with %XX; of `source`: its name */
	const char *mount;
	const char *label; /* what the step makes, waits for or kills: a mount or a reader */
	uint64_t off, len; /* RANGE */
	uint64_t time;	   /* ns */
	struct scenario_result result; /* expected */
	struct scenario_option options[SCENARIO_OPTIONS_MAX];
	size_t n_options;
	struct scenario_term terms[SCENARIO_TERMS_MAX];
	size_t n_terms;
};

struct scenario {
	const char *file;     /* borrowed: for messages */
	const char *sentence; /* of the first comment */
	enum scenario_place place;
	struct scenario_step *steps; /* owned; settings first */
	size_t n_steps, n_settings;
	char *text, *written; /* owned: what the steps point into */
};

/*
 * Parses n bytes of text. Names that are not known yet, or twice, and steps that the place cannot
 * do, are faults as well. Returns NULL and leaves "FILE:LINE: sentence" in *ret_fault (the caller
 * frees it) when there is one.
 */
struct scenario *scenario_parse(const char *file, const char *text, size_t n, char **ret_fault);
/* The same of a file. file is borrowed. */
struct scenario *scenario_load(const char *file, char **ret_fault);
/* Takes NULL, returns NULL. */
struct scenario *scenario_free(struct scenario *scenario);

/* NULL: it was not given. */
const struct scenario_option *scenario_option(const struct scenario_step *step, const char *key);
bool scenario_has(const struct scenario_step *step, const char *key);
uint64_t scenario_number(const struct scenario_step *step, const char *key, uint64_t otherwise);
const char *scenario_word(const struct scenario_step *step, const char *key, const char *otherwise);
/* An object's name with its %XX decoded; returns the length. */
size_t scenario_key(const char *object, void *buf, size_t n);

/* ---- running ---------------------------------------------------------------------------- */

/*
 * A kernel to run on. Each function is given one step of its verbs and returns NULL, or a sentence
 * of what went wrong, which the caller frees. A stage keeps mounts and readers by their labels,
 * which are never used twice.
 */
struct scenario_stage {
	enum scenario_place place;
	/* The settings are read, and the first daemon runs when it returns. */
	char *(*begin)(void *arg, const struct scenario *scenario);
	/* Also after a fault, and without a begin() that succeeded. Everything ends; what is left
	 * or was wrong in all of it. */
	char *(*end)(void *arg);
	char *(*daemon)(void *arg, const struct scenario_step *step); /* start to purge */
	char *(*kernel)(void *arg, const struct scenario_step *step); /* NULL: it takes no orders */
	char *(*origin)(void *arg, const struct scenario_step *step); /* serve to heal */
	char *(*pass)(void *arg, uint64_t ns);
	char *(*open)(void *arg, const struct scenario_step *step); /* mount: without waiting */
	char *(*umount)(void *arg, const struct scenario_step *step);
	char *(*start)(void *arg, const struct scenario_step *step); /* all pieces at once */
	/* `read`: piece by piece until the first that does not end as expected. */
	char *(*read)(void *arg, const struct scenario_step *step, struct scenario_result *ret);
	/* How it has ended; wait: not before. Pieces of one reader end alike: where they do not,
	 * the first that does not end as `wanted`. */
	char *(*done)(void *arg, const char *label, bool wait, const struct scenario_result *wanted,
		      struct scenario_result *ret);
	char *(*kill)(void *arg, const struct scenario_step *step);
	char *(*recount)(void *arg);
	/* The number of a term now. */
	char *(*measure)(void *arg, const struct scenario_term *term, uint64_t *ret);
	/* A term is not as expected: true when it may still become so; `tries` counts from 0. NULL:
	 * never. */
	bool (*again)(void *arg, unsigned int tries);
};

/* Whether the file has something to say there. */
bool scenario_runs_on(const struct scenario *scenario, enum scenario_place place);

/* NULL: all is as expected. Otherwise "FILE:LINE: sentence", freed by the caller. */
char *scenario_run(const struct scenario *scenario, const struct scenario_stage *stage, void *arg);

/* Whether a result is what was expected; any errno satisfies an expected failure without one. */
bool scenario_result_fits(const struct scenario_result *expected,
			  const struct scenario_result *seen, bool any_error);

/* printf into a string of the heap. */
char *scenario_sentence(const char *format, ...) __attribute__((format(printf, 1, 2)));
