/* SPDX-License-Identifier: MIT */
#include "daemon/replay/check.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/checked.h"

#define CHUNK	((size_t)256 << 10)
#define AT_ONCE 8

/* One range, chunk by chunk: look (once per object), attach, read, compare, detach. */
struct job {
	struct check *check;
	struct cachefile *file;
	struct check_result result;
	uint64_t pos, end;
	bool running;
	struct fetch_look look;
	struct fetch_read read;
	struct fetch_object *remote;
	uint8_t *want; /* owned, CHUNK bytes while it runs */
	TAILQ_ENTRY(job) link;
};

struct check {
	struct loop *loop;
	struct cachefiles *files;
	const struct replay_origin *origin;
	void (*done)(void *, const struct check_result *);
	void *arg;
	TAILQ_HEAD(, job) jobs;
	unsigned int running, pending;
	struct loop_deferred kick;
	bool stopped;
	uint8_t have[CHUNK], computed[CHUNK];
};

/* ---- comparing ---------------------------------------------------------------------------- */

static void compare(struct check_result *result, const uint8_t *have, const uint8_t *want, size_t n,
		    uint64_t off)
{
	if (memcmp(have, want, n) == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (have[i] == want[i])
			continue;
		if (result->wrong++ == 0)
			result->first = off + i;
	}
}

static int read_file(struct check *check, const struct cachefile *file, size_t n, uint64_t off)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(file->fd, check->have + got, n - got, (off_t)(off + got));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		got += (size_t)r;
	}
	return 0;
}

static void check_computed(struct check *check, const struct cachefile *file,
			   struct check_result *result)
{
	const struct catalog_object *object = file->object;
	struct catalog_version version = { .seed = file->seed, .compressed = file->compressed };
	uint64_t pos = result->off, end = result->off + result->len;

	while (pos < end && result->err == 0) {
		size_t n = (size_t)min_u64(CHUNK, end - pos);

		result->err = read_file(check, file, n, pos);
		if (result->err < 0)
			break;
		origin_computed(object, &version, check->computed, n, pos);
		compare(result, check->have, check->computed, n, pos);
		pos += n;
	}
}

/* ---- reading again ------------------------------------------------------------------------ */

static struct fetcher *fetcher_of(const struct job *job)
{
	return job->check->origin->again[job->file->object->rule];
}

static void job_free(struct job *job)
{
	struct check *check = job->check;

	TAILQ_REMOVE(&check->jobs, job, link);
	cachefile_put(check->files, job->file);
	free(job->want);
	free(job);
	check->pending--;
}

static void job_end(struct job *job, int err)
{
	struct check *check = job->check;
	struct check_result result = job->result;

	if (job->remote)
		fetcher_of(job)->ops->detach(job->remote);
	result.err = err;
	check->running--;
	job_free(job);
	loop_defer(check->loop, &check->kick);
	check->done(check->arg, &result);
}

static void job_read(struct job *job)
{
	job->read.off = job->pos;
	job->read.len = (size_t)min_u64(CHUNK, job->end - job->pos);
	job->read.buf = job->want;
	fetcher_of(job)->ops->read(job->remote, &job->read);
}

static void job_read_done(struct fetch_read *read, int err)
{
	struct job *job = container_of(read, struct job, read);

	if (err == 0)
		err = read_file(job->check, job->file, read->len, read->off);
	if (err < 0) {
		job_end(job, err);
		return;
	}
	compare(&job->result, job->check->have, job->want, read->len, read->off);
	job->pos += read->len;
	if (job->pos == job->end || job->check->stopped)
		job_end(job, 0);
	else
		job_read(job);
}

/* The object's identity is known: reads need no other look. */
static int job_attach(struct job *job)
{
	const struct catalog_object *object = job->file->object;
	struct fetch_identity identity = { .size = job->file->size };
	struct fetcher *fetcher = fetcher_of(job);

	memcpy(identity.validator, object->validator, sizeof(identity.validator));
	return fetcher->ops->attach(fetcher, &job->remote, object->locator, &identity);
}

static void job_looked(struct fetch_look *look, int err)
{
	struct job *job = container_of(look, struct job, look);
	struct catalog_object *object = job->file->object;

	if (err == 0 && look->identity.size != job->file->size)
		err = -ESTALE;
	if (err == 0) {
		memcpy(object->validator, look->identity.validator, sizeof(object->validator));
		object->looked = true;
		err = job_attach(job);
	}
	if (err < 0)
		job_end(job, err);
	else
		job_read(job);
}

static void job_start(struct job *job)
{
	struct fetcher *fetcher = fetcher_of(job);
	int err = 0;

	job->running = true;
	job->check->running++;
	job->want = malloc(CHUNK);
	if (!job->want) {
		job_end(job, -ENOMEM);
		return;
	}
	if (!job->file->object->looked) {
		job->look.locator = job->file->object->locator;
		fetcher->ops->look(fetcher, &job->look);
		return;
	}
	err = job_attach(job);
	if (err < 0)
		job_end(job, err);
	else
		job_read(job);
}

static void kick(struct loop_deferred *deferred)
{
	struct check *check = container_of(deferred, struct check, kick);
	struct job *job, *next;

	for (job = TAILQ_FIRST(&check->jobs); job && check->running < AT_ONCE; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!job->running)
			job_start(job);
	}
}

static int job_new(struct check *check, struct cachefile *file, const struct check_result *result)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->check = check;
	job->file = file;
	job->result = *result;
	job->pos = result->off;
	job->end = result->off + result->len;
	job->look.done = job_looked;
	job->read.done = job_read_done;
	file->users++; /* it is in use already */
	TAILQ_INSERT_TAIL(&check->jobs, job, link);
	check->pending++;
	loop_defer(check->loop, &check->kick);
	return 0;
}

/* ---- the interface ------------------------------------------------------------------------ */

int check_new(struct check **ret, struct loop *loop, struct cachefiles *files,
	      const struct replay_origin *origin, void (*done)(void *, const struct check_result *),
	      void *arg)
{
	struct check *check = calloc(1, sizeof(*check));

	if (!check)
		return -ENOMEM;
	check->loop = loop;
	check->files = files;
	check->origin = origin;
	check->done = done;
	check->arg = arg;
	check->kick.run = kick;
	TAILQ_INIT(&check->jobs);
	*ret = check;
	return 0;
}

struct check *check_free(struct check *check)
{
	if (!check)
		return NULL;
	assert(check->pending == 0);
	loop_defer_cancel(check->loop, &check->kick);
	free(check);
	return NULL;
}

int check_range(struct check *check, struct cachefile *file, uint64_t off, uint64_t len)
{
	uint64_t end;
	struct check_result result = { .object = file->object, .off = off };

	if (!file->object->locator || off >= file->size || !add_u64(off, len, &end))
		return 0;
	result.len = min_u64(end, file->size) - off;
	if (check->origin->again)
		return check->stopped ? 0 : job_new(check, file, &result);
	check_computed(check, file, &result);
	check->done(check->arg, &result);
	return 0;
}

unsigned int check_pending(const struct check *check)
{
	return check->pending;
}

void check_stop(struct check *check)
{
	struct job *job, *next;

	check->stopped = true;
	for (job = TAILQ_FIRST(&check->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!job->running)
			job_free(job);
		else if (job->remote)
			fetcher_of(job)->ops->cancel_read(job->remote, &job->read);
		else
			fetcher_of(job)->ops->cancel_look(fetcher_of(job), &job->look);
	}
}
