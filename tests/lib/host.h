/* SPDX-License-Identifier: MIT */
/*
 * The smallest host that a fetcher can live in: a loop, one instance, and requests that watch what
 * fetcher.h promises of every request: one done(), none of the calls from inside a call of ours,
 * progress that only grows and is never more than was asked for.
 */
#pragma once

#include "fetchers/fetcher.h"

struct host {
	struct loop *loop;
	struct fetcher *fetcher;
	unsigned int inside; /* calls into the fetcher that have not returned */
	unsigned int unfinished;
	bool elsewhere; /* of the looks and reads that are started */
};

/* params NULL: none. Fails the test when the instance cannot be made. */
void host_start(struct host *host, enum loop_backend backend, const char *template,
		const struct fetcher_param *params);

/* As that, with a class that need not be in the registry. */
void host_start_class(struct host *host, enum loop_backend backend,
		      const struct fetcher_class *class, const char *template,
		      const struct fetcher_param *params);

/* Looks whether something still happens, then frees the instance and the loop. */
void host_stop(struct host *host);

struct host_look {
	struct fetch_look look;
	struct host *host;
	char locator[4096];
	unsigned int n_done;
	int err;
};

struct host_list {
	struct fetch_list list;
	struct host *host;
	char locator[4096];
	unsigned int n_done;
	int err;
};

struct host_put {
	struct fetch_put put;
	struct host *host;
	char locator[4096];
	const uint8_t *bytes;
	uint64_t fails_at; /* of read(); size or more: never */
	int fails_with;	   /* -errno; 0: there is nothing more */
	uint64_t off;	   /* where the last read() ended */
	unsigned int n_done, n_begun;
	int err;
};

struct host_read {
	struct fetch_read read;
	struct host *host;
	unsigned int n_done, n_progress;
	size_t progress; /* the last */
	int err;
	/* Called by done() and progress() after the checks; may be NULL. */
	void (*then)(struct host_read *read);
	void (*on_progress)(struct host_read *read);
};

/* Starts a look with head_len bytes of room. */
void host_look_start(struct host *host, struct host_look *look, const char *locator,
		     size_t head_len);
void host_look_cancel(struct host_look *look);
void host_look_free(struct host_look *look); /* its head */

/* The same for lists. */
void host_list_start(struct host *host, struct host_list *list, const char *locator);
void host_list_cancel(struct host_list *list);
int host_list_wait(struct host_list *list);
int host_list(struct host *host, struct host_list *list, const char *locator);

/* Puts these bytes. host_put() starts and waits. fails_at and fails_with stay as they are. */
void host_put_start(struct host *host, struct host_put *put, const char *locator, const char *type,
		    const void *bytes, size_t len);
void host_put_cancel(struct host_put *put);
int host_put_wait(struct host_put *put);
int host_put(struct host *host, struct host_put *put, const char *locator, const char *type,
	     const void *bytes, size_t len);

struct fetch_object *host_attach(struct host *host, const char *locator,
				 const struct fetch_identity *identity);

/* Starts a read into memory of exactly that length. */
void host_read_start(struct host *host, struct host_read *read, struct fetch_object *object,
		     uint64_t off, size_t len);
void host_read_cancel(struct host_read *read, struct fetch_object *object);
void host_read_free(struct host_read *read); /* its buffer */

/* One turn of the loop; the test fails when nothing happens for 30 s. */
void host_turn(struct host *host);

/* Turns until the request is done; its error. */
int host_look_wait(struct host_look *look);
int host_read_wait(struct host_read *read);

/* Turns until all requests are done. */
void host_wait_all(struct host *host);

/* Turns for some ms, for what must not happen. */
void host_idle(struct host *host, unsigned int ms);

/* Start and wait. */
int host_look(struct host *host, struct host_look *look, const char *locator, size_t head_len);
int host_read(struct host *host, struct host_read *read, struct fetch_object *object, uint64_t off,
	      size_t len);
