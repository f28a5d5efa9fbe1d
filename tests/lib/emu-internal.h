/* SPDX-License-Identifier: MIT */
/*
 * Inside the emulated kernel. emu.c owns life and faults, emu-object.c mounts and objects,
 * emu-request.c the queue, emu-device.c the five calls of the port, emu-reader.c readers,
 * emu-file.c cache files, emu-wrap.c the calls on anonymous descriptors, emu-oracle.c the verdict.
 */
#pragma once

#include <sys/queue.h>
#include <sys/stat.h>

#include "daemon/util/table.h"
#include "proto/cachefiles-abi.h"
#include "tests/lib/emu.h"
#include "tests/lib/temporary.h"

#define EMU_PAGE	   ((uint64_t)4096)
#define EMU_VIOLATIONS_MAX 32
#define EMU_FD_MAX	   65536
#define EMU_LINGER_FD	   512 /* and up: descriptors that outlive their daemon */

/* fs/cachefiles/internal.h: enum cachefiles_object_state */
enum emu_object_state {
	EMU_OBJECT_CLOSED, /* no anonymous descriptor; the next READ to be delivered reopens */
	EMU_OBJECT_OPEN,
	EMU_OBJECT_REOPENING,
	EMU_OBJECT_DROPPED, /* CLOSE was read, or the first OPEN failed */
};

/* A pair of keys in one run of bytes: u32 length of the volume key, volume key, cookie key. */
struct emu_key {
	uint8_t *data;
	size_t len;
};

/* One file of the cache directory; lasts until it is replaced or culled. */
struct emu_file {
	struct emu_key key;
	char *path; /* in the cache directory */
	uint64_t size;
	uint64_t limit; /* bytes that may exist: size rounded up to a page */
	const struct emu_origin *origin;
	UT_hash_handle hh;
};

struct emu_reader {
	struct emu_mount *mount;
	uint64_t off, end, pos;
	uint64_t started, ended;
	struct emu_request *request; /* its READ */
	unsigned int requests;
	uint32_t msg_id;
	enum emu_reader_state state;
	int error;
	bool pagewise;
	bool asked;		      /* a READ at pos was answered: a hole there now is an error */
	TAILQ_ENTRY(emu_reader) link; /* in emu->readers */
	TAILQ_ENTRY(emu_reader) waiting; /* in object->waiting */
};

struct emu_object {
	struct emu *emu;
	struct emu_key key;
	struct emu_file *file; /* from the first good copen on */
	const struct emu_origin *origin;
	enum emu_object_state state;
	uint32_t id;	/* 0: none */
	int fd;		/* the daemon's, -1: none */
	bool opened;	/* a copen succeeded */
	bool ready;	/* the file is behind fd */
	bool lingering; /* fd outlives its daemon: emu_kill_daemon_slowly() */
	uint64_t ready_at;
	uint64_t size;
	unsigned int users;
	TAILQ_HEAD(, emu_mount) mounts;	  /* those that wait for its first copen */
	TAILQ_HEAD(, emu_reader) waiting; /* readers asleep, or waiting for that copen */
	struct emu_request *open;	  /* OPEN or CLOSE that is not over */
	UT_hash_handle hh;		  /* in emu->live, by key */
	UT_hash_handle hh_fd;		  /* in emu->by_fd */
	TAILQ_ENTRY(emu_object) link;	  /* in emu->objects */
	TAILQ_ENTRY(emu_object) reopen;	  /* in emu->reopens */
};

struct emu_mount {
	struct emu *emu;
	struct emu_object *object; /* NULL while blocked */
	struct emu_key key;
	const struct emu_origin *origin;
	enum emu_mount_state state;
	int error;
	TAILQ_ENTRY(emu_mount) link;	/* in emu->mounts */
	TAILQ_ENTRY(emu_mount) opening; /* in object->mounts or emu->blocked */
};

struct emu_request {
	uint32_t msg_id;
	uint32_t opcode;
	struct emu_object *object;
	struct emu_reader *reader;
	uint64_t off, len;
	bool fresh; /* not delivered (since the last restore) */
	uint64_t queued_at, delivered_at;
	TAILQ_ENTRY(emu_request) link; /* in emu->unread while fresh, by msg_id */
	UT_hash_handle hh;
};

/* What the daemon was sent under an id and what it said: survives the request. */
struct emu_ledger {
	uint32_t msg_id;
	uint32_t opcode;
	bool raw;
	unsigned int deliveries, answers;
	UT_hash_handle hh;
};

struct emu_raw {
	TAILQ_ENTRY(emu_raw) link;
	int fd_at;
	size_t n;
	uint8_t msg[];
};

struct emu_port {
	struct port port;
	struct emu *emu; /* NULL: its daemon was killed */
};

struct emu {
	struct emu_config config;
	uint64_t (*now)(const struct loop *loop);
	const struct loop *loop;

	char dir[TEMPORARY_MAX];
	int dir_fd;
	int placeholder; /* sealed memfd: stands for an object that is not ready */
	int direct;	 /* O_DIRECT or 0 */
	uint64_t others; /* bytes on the disk that are not ours */
	unsigned int next_file;

	struct emu_port *port;
	bool dead;

	uint32_t next_msg_id;
	uint32_t deliver_from; /* delivery goes round by msg_id */
	uint32_t next_object_id;
	TAILQ_HEAD(, emu_raw) raw;
	TAILQ_HEAD(emu_unread, emu_request) unread;
	struct emu_request *requests;
	struct emu_ledger *ledger;

	struct emu_object *live;
	struct emu_object *by_fd;
	struct emu_file *files;
	TAILQ_HEAD(, emu_object) objects;
	TAILQ_HEAD(, emu_object) reopens;
	TAILQ_HEAD(, emu_mount) mounts, blocked;
	TAILQ_HEAD(, emu_reader) readers;

	int delivery_error;
	unsigned int write_faults;
	size_t write_fault_max;
	int write_fault_error;

	struct emu_counters counters;
	char *violations[EMU_VIOLATIONS_MAX];
	size_t n_violations;
	uint8_t *fds_before; /* bitmap of EMU_FD_MAX */
	struct emu *next;
};

extern struct emu *emu_all; /* for the wrapped calls, and to tidy up at exit */

/* emu.c */
void *emu_alloc(size_t n);
uint64_t emu_now(const struct emu *emu);
struct emu_key emu_key_new(struct bytes volume, struct bytes cookie);
struct bytes emu_key_volume(const struct emu_key *key);
struct bytes emu_key_cookie(const struct emu_key *key);
char *emu_key_print(const struct emu_key *key, char *buf, size_t n);
void emu_device_die(struct emu *emu);

/* emu-oracle.c */
void emu_violation(struct emu *emu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void emu_fds_snapshot(struct emu *emu);
void emu_fds_compare(struct emu *emu);
char *emu_verdict(struct emu *emu);
void emu_look_over(struct emu *emu);

/* emu-request.c */
struct emu_request *emu_request_new(struct emu_object *object, uint32_t opcode);
void emu_request_free(struct emu_request *request);
struct emu_request *emu_request_find(struct emu *emu, uint32_t msg_id);
void emu_request_deliver(struct emu_request *request);
void emu_request_requeue(struct emu_request *request);
struct emu_ledger *emu_ledger_get(struct emu *emu, uint32_t msg_id, uint32_t opcode);
struct emu_ledger *emu_ledger_answer(struct emu *emu, uint32_t msg_id);
void emu_ledger_clear(struct emu *emu);
void emu_poll_update(struct emu *emu);
struct emu_request *emu_request_select(struct emu *emu);

/* emu-device.c */
struct port *emu_port_new(struct emu *emu);

/* emu-object.c */
void emu_object_opened(struct emu_object *object, uint64_t size);
void emu_object_refused(struct emu_object *object, int error);
struct emu_object *emu_object_new(struct emu *emu, const struct emu_key *key,
				  const struct emu_origin *origin);
int emu_object_install(struct emu_object *object);
void emu_object_arm(struct emu_object *object);
void emu_object_disarm(struct emu_object *object);
void emu_object_dropped(struct emu_object *object);
void emu_object_released(struct emu_object *object);
bool emu_object_is_ready(struct emu_object *object);
void emu_object_fail_readers(struct emu_object *object, int error);
void emu_object_free(struct emu_object *object);
bool emu_fd_is_ours(const struct emu_object *object);
void emu_fd_check_cloexec(const struct emu_object *object);

/* emu-reader.c */
void emu_reader_advance(struct emu_reader *reader);
void emu_reader_fail(struct emu_reader *reader, int error);

/* emu-file.c */
struct emu_file *emu_file_get(struct emu *emu, const struct emu_key *key, uint64_t size,
			      const struct emu_origin *origin);
struct emu_file *emu_file_find(struct emu *emu, const struct emu_key *key);
int emu_file_open(struct emu *emu, const struct emu_file *file, int flags);
void emu_file_stat(struct emu *emu, const struct emu_file *file, struct stat *ret);
bool emu_file_hole(struct emu *emu, int fd, uint64_t pos, uint64_t end, uint64_t *ret_end);
void emu_file_verify(struct emu *emu, const struct emu_file *file);
void emu_file_compare(struct emu *emu, const struct emu_file *file, const uint8_t *buf,
		      uint64_t off, size_t n, const char *what);
void emu_path_parents(struct emu *emu, const char *path, bool make);
void emu_file_free(struct emu *emu, struct emu_file *file);
uint64_t emu_disk_free(struct emu *emu);
int emu_command_inuse(struct emu *emu, const char *name);
int emu_command_cull(struct emu *emu, const char *name);
uint64_t emu_file_present(struct emu *emu, const struct emu_file *file, uint64_t off, uint64_t n);
