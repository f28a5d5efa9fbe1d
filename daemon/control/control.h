/* SPDX-License-Identifier: MIT */
/*
 * The control socket: HTTP/1.1 and JSON over AF_UNIX, for cachefillctl(1), curl(1) and whatever
 * collects metrics. cachefilld-control(7) is its manual.
 *
 * It runs on the daemon's loop, which answers readers as well. So nothing here waits for a client:
 * connections are few and have deadlines, an answer is made in one piece of bounded work, and no
 * more than a part of the loop's time is spent here (see server.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/engine/engine.h"
#include "daemon/images/images.h"
#include "daemon/loop/loop.h"
#include "fetchers/health.h"

struct audit;
struct control;
struct prefetch;
struct space;

#define CONTROL_ERROR_MAX 512
#define CONTROL_PATH_MAX  108

struct control_trace {
	bool recording;
	const char *path; /* of this recording or the last; NULL: there was none. Borrowed. */
	uint64_t records, lost, bytes;
};

struct control_reload {
	size_t sources;		       /* that it has */
	char socket[CONTROL_PATH_MAX]; /* where it wants to be asked, or "none" */
};

/* What only the daemon as a whole can do. A member that is NULL: this daemon cannot. */
struct control_ops {
	/* path NULL: the configured one. error: CONTROL_ERROR_MAX bytes, a sentence on failure;
	 * -EALREADY, -ENOENT: no path is configured; else the errno of making the file. */
	int (*trace_start)(void *arg, const char *path, char *error);
	void (*trace_stop)(void *arg);
	void (*trace)(void *arg, struct control_trace *ret);
	/* How origins do, by the number of their source: itself first, then others in its place.
	 * What is visited is borrowed for the call. */
	void (*each_health)(void *arg,
			    void (*visit)(void *to, uint32_t source,
					  const struct fetch_health *health),
			    void *to);
	/*
	 * Whether the configuration, read anew, is good: 0 and visit(), once for each key that
	 * changes at a start only; else a negative errno and a sentence. -EINVAL: it is bad;
	 * -EBUSY: it would lose what is mounted; -EALREADY: not now; -EOPNOTSUPP: never.
	 */
	int (*reload_check)(void *arg, struct control_reload *ret,
			    void (*visit)(void *to, const char *key), void *to, char *error);
	/* It comes into force: after the answer. */
	void (*reload)(void *arg);
	/* Some of the images that were added, as images_list(). */
	int (*list_images)(void *arg, int64_t after, size_t limit, images_visit_summary *visit,
			   void *to);
};

/* All borrowed, for the life of the control. */
struct control_config {
	struct loop *loop;
	struct engine *engine;
	struct space *space;	   /* NULL: nothing can be culled */
	struct prefetch *prefetch; /* NULL: nothing can be prefetched */
	struct audit *audit;	   /* NULL: nothing is checked once it is complete */
	const char *cache_dir, *state_dir;
	const struct control_ops *ops;
	void *arg;
};

/* Begins to count. -ENOMEM. */
int control_new(struct control **ret, const struct control_config *config);

/* Before the engine and the loop; takes its socket away. Takes NULL, returns NULL. */
struct control *control_free(struct control *control);

/*
 * Listens at `path`, mode 0660, for root and the members of `group`; a group that does not exist
 * leaves it to root, with a line in the log. A directory that is missing is made. What a dead
 * daemon has left there is replaced; -EADDRINUSE: somebody answers there, or it is no socket. error
 * (CONTROL_ERROR_MAX bytes): a sentence.
 */
int control_listen(struct control *control, const char *path, const char *group, char *error);

/* A connected socket, which is consumed, as if it had come there. */
int control_adopt(struct control *control, int fd);
