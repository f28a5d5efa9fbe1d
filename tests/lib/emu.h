/* SPDX-License-Identifier: MIT */
/*
 * The emulated kernel: /dev/cachefiles in on-demand mode, in this process and without root, below
 * daemon/kernel/port.h. It plays the mounts and the readers, and it is the oracle: what no daemon
 * may do, and what a kernel would refuse, is a violation that fails the test in emu_check().
 *
 *   emu_new()                 before anything else of the test, so that leaks show
 *   emu_set_clock()           virtual time of the loop: deadlines are measured by it
 *   emu_port()                to the daemon; its free() is the close of the device
 *   emu_open(), emu_read()    a mount, a reader: they wait as in the kernel, states tell
 *   emu_free()                after everything else of the test: emu_check(), then leaks
 *
 * Cache files are real files (O_DIRECT where the file system has it) in a directory of their own;
 * they last as long as the emulator does, over daemons and device. A program that is linked with
 * `emu_wrap` (tests/lib/meson.build) has its pwrite(2) and lseek(2) on anonymous descriptors
 * answered by the kernel's rules: ENOBUFS before an object is ready and after CLOSE, alignment,
 * short writes on request, and a disk that is as full as the test says. Without it such a write meets a sealed memfd (EPERM) instead.
 *
 * Mounts and readers belong to the emulator and stay valid until emu_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/kernel/port.h"
#include "daemon/util/bytes.h"

struct emu;
struct emu_mount;
struct emu_reader;
struct loop;

/* What an object must hold. Borrowed until emu_free(); NULL where contents do not matter. */
struct emu_origin {
	uint64_t size; /* bytes: the only size that a copen may give */
	uint8_t (*byte)(const struct emu_origin *origin, uint64_t off); /* off < size */
	/* Optional: the same for n bytes at once. */
	void (*fill)(const struct emu_origin *origin, void *buf, uint64_t off, size_t n);
	/* Optional, where any of several versions is right as long as it is one of them: the one
	 * of the size that a copen gives. NULL: there is none. */
	const struct emu_origin *(*version)(const struct emu_origin *origin, uint64_t size);
	bool patient; /* its READs have no deadline: they are held until all of it is there */
};

struct emu_config {
	uint64_t open_deadline; /* ns from delivery to answer; 0: any time */
	uint64_t read_deadline;
	uint64_t ready_delay; /* ns after a copen in which writes fail, ended by a first READ too */
	uint32_t first_msg_id;
	bool holder;	 /* somebody else keeps the device: it survives port->free() */
	bool in_memory;	 /* cache files in /dev/shm: fast, but without the rules of direct I/O */
	bool no_restore; /* a kernel without `restore` */
	uint64_t disk;	 /* bytes of the cache's file system, see emu_fill_disk(); 0: plenty */
};

/* Fails the test itself when the machine cannot give what it needs. config may be NULL. */
struct emu *emu_new(const struct emu_config *config);
/* now(loop): normally loop_now. NULL, before the loop is freed: time stands still. */
void emu_set_clock(struct emu *emu, uint64_t (*now)(const struct loop *loop),
		   const struct loop *loop);
/* Checks, frees, and compares the descriptors of the process with those at emu_new(). */
void emu_free(struct emu *emu);
/* The same without failing the test: what was wrong, owned by the caller; NULL: nothing. */
char *emu_end(struct emu *emu);
/* Fails the test with such a verdict, if it is one; frees it. */
void emu_judge(char *verdict);

/*
 * The device, opened and bound; one at a time. After free() of a port without holder the cache is
 * dead; the next emu_port() is then a new open and bind, after all mounts have been closed.
 */
struct port *emu_port(struct emu *emu);

/* The root of the cache directory, laid out and marked as the kernel does. Borrowed. */
int emu_cache_dir(const struct emu *emu);

/* ---- mounts ----------------------------------------------------------------------------- */

enum emu_mount_state {
	EMU_MOUNT_BLOCKED, /* an earlier object of this key still has its descriptor or CLOSE */
	EMU_MOUNT_OPENING,
	EMU_MOUNT_OPEN,
	EMU_MOUNT_FAILED,
	EMU_MOUNT_CLOSED,
};

/*
 * One more user of the object (volume, cookie): without one before it, an OPEN. volume without
 * its NUL.
 */
struct emu_mount *emu_open(struct emu *emu, const char *volume, const char *cookie,
			   const struct emu_origin *origin);
struct emu_mount *emu_open_bytes(struct emu *emu, struct bytes volume, struct bytes cookie,
				 const struct emu_origin *origin);
/* umount: returns at once; the object goes when its CLOSE is read and its descriptor released. */
void emu_close(struct emu_mount *mount);

enum emu_mount_state emu_mount_state(const struct emu_mount *mount);
/* The errno of a copen that failed it (the mounting user never sees it), -EIO where the kernel
 * failed it; 0 while there is none. */
int emu_mount_error(const struct emu_mount *mount);
uint64_t emu_mount_size(const struct emu_mount *mount);	     /* as given by copen */
uint32_t emu_mount_object_id(const struct emu_mount *mount); /* 0: no descriptor */
int emu_mount_fd(const struct emu_mount *mount);	     /* the daemon's; -1: none */

/* ---- readers ---------------------------------------------------------------------------- */

enum emu_reader_state {
	EMU_READER_WAITING,
	EMU_READER_DONE,
	EMU_READER_FAILED,
};

/*
 * read(2) of [off, off + len), rounded to pages, with readahead: one READ up to the next present
 * data; a prefix that was stored is used and the rest asked again; an attempt that fails is tried
 * again page by page, and the first page that fails ends it. On a mount that is still opening it
 * begins when the mount is done. Each byte is compared with the origin's.
 */
struct emu_reader *emu_read(struct emu_mount *mount, uint64_t off, uint64_t len);
/* The same without readahead, as for metadata and after an earlier failure: READs of 4 KiB. */
struct emu_reader *emu_read_pages(struct emu_mount *mount, uint64_t off, uint64_t len);

/* A fatal signal: the request is withdrawn, and a later answer to it gets -EINVAL. */
void emu_kill_reader(struct emu_reader *reader);

enum emu_reader_state emu_reader_state(const struct emu_reader *reader);
int emu_reader_error(const struct emu_reader *reader); /* negative errno; 0 unless failed */
unsigned int emu_reader_requests(const struct emu_reader *reader); /* READs that it has cost */
uint64_t emu_reader_waited(const struct emu_reader *reader); /* ns, from start to end or now */
uint32_t emu_reader_msg_id(const struct emu_reader *reader); /* of its latest READ */

/* ---- events, faults --------------------------------------------------------------------- */

/*
 * A message of n bytes as they are, before all others. fd_at >= 0: at delivery the number of a
 * real descriptor, which the daemon must release, is stored there (u32). A copen for an OPEN, or a
 * completion on a known object's descriptor for a READ, is taken; nothing else happens.
 */
void emu_inject_raw(struct emu *emu, const void *msg, size_t n, int fd_at);
/* How often the daemon has answered this message. */
unsigned int emu_answers(const struct emu *emu, uint32_t msg_id);

/* The next OPEN is consumed by a receive() that fails with this negative errno (-EMFILE). */
void emu_fail_delivery(struct emu *emu, int error);

/* What the command `restore` does: all that is unanswered is sent again. */
void emu_restore(struct emu *emu);

/*
 * The daemon is killed: its descriptors are gone (the numbers go on to a memfd of no meaning, so
 * that the corpse can be taken apart), what it does from now on is not seen. With a holder,
 * requests wait for the `restore` of the next daemon on emu_port(); without one the device dies.
 */
void emu_kill_daemon(struct emu *emu);

/* The same, but its descriptors stay open, as they do where the kernel still writes to them, until
 * emu_let_go(). For a kernel with a holder. */
void emu_kill_daemon_slowly(struct emu *emu);
void emu_let_go(struct emu *emu);

/* An internal error of the kernel: requests fail with EIO, every command gets -EIO. */
void emu_kill_device(struct emu *emu);
/* No device: it was never opened, or has died since. */
bool emu_is_dead(const struct emu *emu);

/* The next `count` writes store at most `max` bytes (a multiple of 4096) or, with max 0, fail
 * with `error`. Needs emu_wrap. */
void emu_fail_writes(struct emu *emu, unsigned int count, size_t max, int error);

/*
 * Others have so many bytes on the disk of the cache. Where it has a size, a write that would leave
 * less than 1% of it free gets ENOBUFS, as below `bstop`; statvfs(2) of the cache directory tells
 * of it. Needs emu_wrap.
 */
void emu_fill_disk(struct emu *emu, uint64_t others);

/* Does an object of this key live still? (The command `inuse`, less what it asks of the disk.) */
bool emu_in_use(struct emu *emu, struct bytes volume, struct bytes cookie);

/* The cache file of an object that is not in use is culled; false: there is none. */
bool emu_cull(struct emu *emu, struct bytes volume, struct bytes cookie);

/* [off, off + len) of an object that is not in use is in the cache already, by an earlier daemon;
 * multiples of 4096 or up to the origin's end. */
void emu_populate(struct emu *emu, struct bytes volume, struct bytes cookie,
		  const struct emu_origin *origin, uint64_t off, uint64_t len);

/* ---- what was seen ---------------------------------------------------------------------- */

struct emu_counters {
	uint64_t opens, reads, closes;	/* delivered */
	uint64_t copens, copen_errors;	/* answers taken */
	uint64_t completions;		/* taken */
	uint64_t completions_empty;	/* of them, over a hole */
	uint64_t late_answers;		/* -EINVAL: the reader was gone */
	uint64_t writes, bytes_written; /* emu_wrap only, as the next two */
	uint64_t bytes_rewritten;	/* over present data: fetched twice */
	uint64_t writes_refused;	/* ENOBUFS, injected errors */
	uint64_t culls;			/* objects, by the daemon's command */
	uint64_t fds, fds_peak;		/* anonymous descriptors out */
	uint64_t unread;		/* messages not delivered now */
	uint64_t unanswered;		/* delivered, waiting for an answer now */
	uint64_t queue_ns_max;		/* longest time from POLLIN to delivery */
	uint64_t answer_ns_max;		/* longest time from delivery to the answer */
};

struct emu_counters emu_counters(const struct emu *emu);

/* Bytes present in the object's cache file; 0: there is none. */
uint64_t emu_present(struct emu *emu, struct bytes volume, struct bytes cookie);

/* ---- oracle ----------------------------------------------------------------------------- */

/*
 * Fails the test if there has been a violation, a request is unread or unanswered, a mount is
 * blocked, a descriptor is not released, or a cache file holds anything but holes and whole
 * blocks of its origin. Part of emu_free().
 */
void emu_check(struct emu *emu);

/* One more violation, that somebody else has found. */
void emu_complain(struct emu *emu, const char *what, const char *of);

/* Takes back the first violation whose text has `text` in it; false: there is none. */
bool emu_expect_violation(struct emu *emu, const char *text);
