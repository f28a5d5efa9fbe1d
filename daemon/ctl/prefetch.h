/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl prefetch and warm: what to fetch before it is needed is put together here, and the
 * daemon fetches it, see cachefilld-control(7).
 */
#pragma once

#include "daemon/ctl/cache.h"
#include "daemon/ctl/context.h"
#include "daemon/ctl/daemon.h"

/* Ranges of objects in their order. */
struct prefetch_list {
	struct prefetch_key {
		struct bytes volume, cookie; /* owned, in one piece: volume.data */
	} * keys;			     /* owned */
	struct prefetch_item {
		size_t key;
		uint64_t off, len; /* len 0: all behind the offset */
	} * items;		   /* owned */
	size_t n_keys, n;
};

/* 0 or -ENOMEM. */
int prefetch_list_add(struct prefetch_list *list, struct bytes volume, struct bytes cookie,
		      uint64_t off, uint64_t len);
/* Those of a plan, as `trace plan` writes it; `of`: of these objects alone, NULL: of all.
 * CTL_FAILED with the error printed. */
int prefetch_list_read(struct prefetch_list *list, const char *path,
		       const struct cache_objects *of);
void prefetch_list_end(struct prefetch_list *list);

/* How it is to be done. */
struct prefetch_order {
	struct context context;	 /* not open: its options */
	struct daemon daemon;	 /* json: also of the results */
	const char *name;	 /* for people */
	const char *image;	 /* to be mounted while it runs, if need be; NULL: none */
	uint64_t rate, requests; /* 0: the daemon's */
	bool plan, background;
};

#define PREFETCH_ORDER_INIT              \
	{                                \
		.context = CONTEXT_INIT, \
	}

enum { PREFETCH_OPT_RATE = 0x800, PREFETCH_OPT_REQUESTS, PREFETCH_OPT_BACKGROUND };

#define PREFETCH_OPTIONS                                                        \
	{ "rate", required_argument, NULL, PREFETCH_OPT_RATE },                 \
		{ "requests", required_argument, NULL, PREFETCH_OPT_REQUESTS }, \
	{                                                                       \
		"background", no_argument, NULL, PREFETCH_OPT_BACKGROUND        \
	}
#define PREFETCH_HELP                                                    \
	"      --rate SIZE        so much a second at most (no limit)\n" \
	"      --requests N       at the same time, 1 to 16 (4)\n"       \
	"      --background       say the number of the job, and do not wait for its end\n"

/* false: it is none of these. *ret_status: CTL_OK, or what is to be returned. */
bool prefetch_option(struct prefetch_order *order, const char *command, int opt, int *ret_status);

/* Has the daemon begin, waits unless it is in the background, and says how it ended. An exit
 * status. */
int prefetch_do(struct prefetch_order *order, const struct prefetch_list *list);

/* A daemon that is started anew is back by then. */
#define PREFETCH_ABSENT_SECONDS 120

/* ---- parts of that ------------------------------------------------------------------------- */

/* Tells the daemon all of it. unopened: objects that are not open. An exit status. */
int prefetch_send(const struct prefetch_order *order, const struct prefetch_list *list,
		  uint64_t *ret_job, uint64_t *ret_unopened);

/* Until the job has ended; *ret is its last state, for json_decref(). CTL_OK; or what is to be
 * returned, where that is not known. */
int prefetch_wait(const struct prefetch_order *order, uint64_t job, json_t **ret);

/* As it is now; *ret is for json_decref(). An exit status, with the error printed. */
int prefetch_look(const struct prefetch_order *order, uint64_t job, json_t **ret);

/* A process that keeps the image mounted until the job has ended. */
struct prefetch_holder {
	int pid;
	int wake; /* closing it makes it look at once; -1: there is none */
};

/* Mounts the image, and starts that. An exit status. */
int prefetch_hold(const struct prefetch_order *order, uint64_t job, struct prefetch_holder *ret);
/* The job has ended: waits until it is unmounted. Without a holder, nothing. */
void prefetch_release(struct prefetch_holder *holder);

/* Has the daemon begin with an image that is mounted, by its plan or all of it. The order has its
 * context. An exit status. */
int prefetch_image(struct prefetch_order *order, const char *image);

int ctl_prefetch(int argc, char *argv[]);
int ctl_warm(int argc, char *argv[]);
