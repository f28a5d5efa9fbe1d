/* SPDX-License-Identifier: MIT */
#include "daemon/record/recorder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "daemon/record/recorder-internal.h"
#include "daemon/record/spool.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* The last two records, "lost" and "end", find room whatever came before: a number each. */
#define LAST_MAX 64
#define KEPT	 (2 * LAST_MAX)

/* Files of one name; somebody who has that many will not miss the next. */
#define FILES_MAX 10000

/* ---- records ------------------------------------------------------------------------------ */

bool recorder_is_on(const struct recorder *r)
{
	return r->spool && !r->stopping;
}

static bool recorder_encode(struct recorder *r, struct trace_record *record, size_t max,
			    size_t keep)
{
	size_t n;
	char *buf = spool_reserve(r->spool, max + keep, &n);

	n = n > 0 ? trace_encode(&r->encoder, buf, n - keep, record) : 0;
	if (n == 0)
		return false;
	spool_commit(r->spool, n);
	r->records++;
	return true;
}

/* What was lost is told before anything else is. */
static bool recorder_tell_lost(struct recorder *r, size_t keep)
{
	struct trace_record record = {
		.kind = TRACE_LOST,
		.time = loop_now(r->loop),
		.count = r->untold,
	};

	if (r->untold > 0 && !recorder_encode(r, &record, LAST_MAX, keep))
		return false;
	r->untold = 0;
	return true;
}

bool recorder_put(struct recorder *r, struct trace_record *record)
{
	record->time = loop_now(r->loop);
	if (recorder_tell_lost(r, TRACE_RECORD_MAX + KEPT) &&
	    recorder_encode(r, record, TRACE_RECORD_MAX, KEPT))
		return true;
	r->lost++;
	r->untold++;
	return false;
}

bool recorder_put_first(struct recorder *r, struct trace_record *record)
{
	size_t n;

	spool_reserve(r->spool, TRACE_RECORD_MAX + LAST_MAX + KEPT, &n);
	if (n == 0)
		spool_grow(r->spool); /* else it is lost as any other */
	return recorder_put(r, record);
}

static void recorder_put_start(struct recorder *r)
{
	struct trace_record record = { .kind = TRACE_START };
	struct utsname system;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	record.realtime = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	record.program = bytes_str("cachefilld " CACHEFILLD_VERSION);
	if (uname(&system) == 0)
		record.kernel = bytes_str(system.release);
	recorder_put(r, &record);
}

static void recorder_put_end(struct recorder *r)
{
	struct trace_record record = { .kind = TRACE_END, .time = loop_now(r->loop) };

	recorder_tell_lost(r, LAST_MAX);
	record.count = r->records;
	recorder_encode(r, &record, LAST_MAX, 0);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void recorder_answer(struct recorder *r)
{
	void (*done)(void *) = r->done;

	r->done = NULL;
	r->stopping = false;
	if (done)
		done(r->arg);
}

static void recorder_close(struct recorder *r)
{
	r->bytes = spool_written(r->spool);
	r->spool = spool_free(r->spool);
}

static void recorder_failed(void *arg, int err)
{
	struct recorder *r = arg;

	recorder_close(r);
	log_error("%s: the recording has ended: %s; %llu bytes of it were written", r->path,
		  strerror(-err), (unsigned long long)r->bytes);
	recorder_answer(r);
}

static void recorder_finished(void *arg)
{
	struct recorder *r = arg;

	recorder_close(r);
	log_info("%s: recorded %llu records, %llu bytes", r->path, (unsigned long long)r->records,
		 (unsigned long long)r->bytes);
	if (r->lost > 0)
		log_warning("%s: %llu records are missing: the disk was too slow for them", r->path,
			    (unsigned long long)r->lost);
	recorder_answer(r);
}

static void recorder_was_idle(struct loop_deferred *deferred)
{
	recorder_answer(container_of(deferred, struct recorder, idle));
}

void recorder_stop(struct recorder *r, void (*done)(void *), void *arg)
{
	assert(!r->done);
	r->done = done;
	r->arg = arg;
	if (!r->spool) {
		loop_defer(r->loop, &r->idle);
	} else if (!r->stopping) {
		recorder_put_end(r);
		r->stopping = true;
		spool_finish(r->spool, recorder_finished);
	}
}

void recorder_set_port(struct recorder *r, bool there)
{
	assert(r->has_port != there);
	r->has_port = there;
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* Never over a file that exists, nor through a link. */
static int create_new(const char *path, char **ret_name)
{
	for (unsigned int i = 0; i < FILES_MAX; i++) {
		_cleanup_free_ char *name = NULL;
		int fd;

		if ((i == 0 ? asprintf(&name, "%s", path) : asprintf(&name, "%s.%u", path, i)) <
		    0) {
			name = NULL;
			return -ENOMEM;
		}
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return -errno;
		*ret_name = steal(&name);
		return fd;
	}
	return -EEXIST;
}

static int recorder_open(struct recorder *r, const char *path)
{
	char *name = NULL;
	int fd = create_new(path, &name), err;

	if (fd < 0)
		return fd;
	err = spool_new(&r->spool, r->loop, fd, recorder_failed, r);
	if (err < 0) {
		unlink(name);
		free(name);
		close(fd);
		return err;
	}
	free(r->path);
	r->path = name;
	return 0;
}

static void recorder_begin(struct recorder *r)
{
	size_t n;
	char *buf = spool_reserve(r->spool, TRACE_HEADER_MAX, &n);

	r->number++;
	r->records = r->lost = r->untold = 0;
	r->encoder = (struct trace_encoder){ 0 };
	spool_commit(r->spool, trace_encode_header(&r->encoder, buf, n));
	recorder_put_start(r);
}

int recorder_start(struct recorder *r, const char *path, char *error)
{
	int err;

	if (r->spool) {
		snprintf(error, RECORDER_ERROR_MAX, "%s: this recording has not ended yet",
			 r->path);
		return -EALREADY;
	}
	err = recorder_open(r, path);
	if (err < 0) {
		snprintf(error, RECORDER_ERROR_MAX, "%s: %s", path, strerror(-err));
		return err;
	}
	recorder_begin(r);
	log_info("%s: recording", r->path);
	return 0;
}

/* ---- life --------------------------------------------------------------------------------- */

int recorder_new(struct recorder **ret, struct loop *loop)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->idle.run = recorder_was_idle;
	recorder_observe(r);
	*ret = r;
	return 0;
}

struct recorder *recorder_free(struct recorder *r)
{
	if (!r)
		return NULL;
	assert(!r->spool && !r->has_port);
	loop_defer_cancel(r->loop, &r->idle);
	free(r->path);
	free(r);
	return NULL;
}

struct recorder_stats recorder_stats(const struct recorder *r)
{
	return (struct recorder_stats){
		.recording = recorder_is_on(r),
		.path = r->path,
		.records = r->records,
		.lost = r->lost,
		.bytes = r->spool ? spool_written(r->spool) : r->bytes,
	};
}
