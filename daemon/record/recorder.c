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
#include "daemon/util/locator.h"
#include "daemon/util/log.h"

/* The last two records, "lost" and "end", find room whatever came before: a number each. */
#define LAST_MAX 64
#define KEPT	 (2 * LAST_MAX)

/* Files of one name; somebody who has that many will not miss the next. */
#define FILES_MAX 10000

struct recorder {
	struct loop *loop;
	struct engine_observer observer;
	struct spool *spool; /* owned; NULL: idle */
	struct trace_encoder encoder;
	char *path;	 /* owned */
	uint64_t number; /* of this recording, from 1: the mark of objects that are in it */
	uint64_t records, lost;
	uint64_t untold; /* of the lost ones, those that no "lost" record has counted yet */
	uint64_t bytes;	 /* of the last recording */
	bool stopping, has_port;
	struct loop_deferred idle; /* done() of a stop where there was nothing to stop */
	void (*done)(void *);
	void *arg;
};

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

/* A locator is written down without its secrets. */
void recorder_source(struct recorder *r, uint32_t number, const char *name, const char *locator)
{
	char shown[LOCATOR_MAX];
	struct trace_record record = {
		.kind = TRACE_SOURCE,
		.source = number,
		.text = bytes_str(name),
		.locator = bytes_str(locator_print(locator, shown, sizeof(shown))),
	};

	if (recorder_is_on(r))
		recorder_put(r, &record);
}

/* Once per recording, before the first record with its number; again where that was lost. */
static void recorder_object(struct recorder *r, struct object *o)
{
	char shown[LOCATOR_MAX];
	struct trace_record record;

	if (object_mark(o) == r->number)
		return;
	record = (struct trace_record){
		.kind = TRACE_OBJECT,
		.object = object_number(o),
		.source = object_source(o),
		.size = object_size(o),
		.flags = object_is_compressed(o) ? TRACE_OBJECT_COMPRESSED : 0,
		.volume = object_volume(o),
		.cookie = object_cookie(o),
		.locator = bytes_str(locator_print(object_locator(o), shown, sizeof(shown))),
		.validator = bytes_str(object_validator(o)),
	};
	if (recorder_put(r, &record))
		object_set_mark(o, r->number);
}

void recorder_handle(struct recorder *r, uint32_t object_id, struct object *o)
{
	struct trace_record record = {
		.kind = TRACE_HANDLE,
		.id = object_id,
		.object = object_number(o),
	};

	if (!recorder_is_on(r))
		return;
	recorder_object(r, o);
	recorder_put(r, &record);
}

void recorder_waiting_open(struct recorder *r, uint32_t msg_id, uint32_t object_id,
			   struct bytes volume, struct bytes cookie)
{
	struct trace_record record = {
		.kind = TRACE_OPEN,
		.msg = msg_id,
		.id = object_id,
		.volume = volume,
		.cookie = cookie,
	};

	if (recorder_is_on(r))
		recorder_put(r, &record);
}

void recorder_waiting_read(struct recorder *r, uint32_t msg_id, uint32_t object_id, uint64_t off,
			   uint64_t len)
{
	struct trace_record record = {
		.kind = TRACE_READ,
		.msg = msg_id,
		.id = object_id,
		.off = off,
		.len = len,
	};

	if (recorder_is_on(r))
		recorder_put(r, &record);
}

/* ---- the engine's work -------------------------------------------------------------------- */

static struct recorder *recorder_of(struct engine_observer *observer)
{
	return container_of(observer, struct recorder, observer);
}

static void recorder_opened(struct engine_observer *observer, struct object *o)
{
	struct recorder *r = recorder_of(observer);

	if (recorder_is_on(r))
		recorder_object(r, o);
}

static void recorder_looked(struct engine_observer *observer, const struct engine_open *open,
			    uint32_t source, uint64_t size, uint64_t begun, int err)
{
	struct recorder *r = recorder_of(observer);
	struct trace_record record = {
		.kind = TRACE_LOOK,
		.source = source,
		.volume = open->volume,
		.cookie = open->cookie,
		.size = size,
		.took = loop_now(r->loop) - begun,
		.error = err,
	};

	if (recorder_is_on(r))
		recorder_put(r, &record);
}

static void recorder_worked(struct recorder *r, struct object *o, struct trace_record *record,
			    const struct engine_work *work)
{
	if (!recorder_is_on(r))
		return;
	recorder_object(r, o);
	record->object = object_number(o);
	record->off = work->off;
	record->len = work->len;
	record->queued = work->begun - work->wished;
	record->took = loop_now(r->loop) - work->begun;
	record->error = work->err;
	recorder_put(r, record);
}

static void recorder_fetched(struct engine_observer *observer, struct object *o,
			     const struct engine_work *work, uint64_t got, enum engine_class class)
{
	struct trace_record record = { .kind = TRACE_FETCH, .got = got, .class = class };

	recorder_worked(recorder_of(observer), o, &record, work);
}

static void recorder_stored(struct engine_observer *observer, struct object *o,
			    const struct engine_work *work)
{
	struct trace_record record = { .kind = TRACE_STORE };

	recorder_worked(recorder_of(observer), o, &record, work);
}

struct engine_observer *recorder_observer(struct recorder *r)
{
	return &r->observer;
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

int recorder_start(struct recorder *r, const char *path, char *error)
{
	size_t n;
	char *buf;
	int err = r->spool ? -EALREADY : recorder_open(r, path);

	if (err < 0) {
		snprintf(error, RECORDER_ERROR_MAX, "%s: %s", r->spool ? r->path : path,
			 r->spool ? "this recording has not ended yet" : strerror(-err));
		return err;
	}
	r->number++;
	r->records = r->lost = r->untold = 0;
	r->encoder = (struct trace_encoder){ 0 };
	buf = spool_reserve(r->spool, TRACE_HEADER_MAX, &n);
	spool_commit(r->spool, trace_encode_header(&r->encoder, buf, n));
	recorder_put_start(r);
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
	r->observer = (struct engine_observer){
		.opened = recorder_opened,
		.looked = recorder_looked,
		.fetched = recorder_fetched,
		.stored = recorder_stored,
	};
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
