/* SPDX-License-Identifier: MIT */
/*
 * Records of what is not cached: a first mount that a power cut undid, a file that somebody
 * removed. They do no harm, and nothing else would ever take them away.
 *
 * That there is no cache file means little by itself: that of a first use has no name until the use
 * ends, and may have been begun by a mount that survived an earlier daemon, which could not be read
 * any more without its record. So the kernel is asked whether anybody uses the volume. It lets go
 * of it when the files of all objects in it have their names.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/space/cull.h"
#include "daemon/space/space-internal.h"
#include "daemon/util/log.h"
#include "proto/cachename.h"

/* Records that are looked at in one go. */
#define RECORD_BATCH 32

/* "cache/I<volume>/..." */
static int ask_for_volume(const struct space *s, const char *path)
{
	char volume[CACHENAME_PATH_MAX];
	const char *name = path + strlen("cache/");

	strcpy(volume, name);
	volume[strcspn(volume, "/")] = '\0';
	return cull_would_volume(s->port, s->dir_fd, volume);
}

/* 0: there is no cache file, nor will one get its name. In this order: what is let go of between
 * the two has it already. */
static int look_for_file(const struct space *s, struct bytes volume, struct bytes cookie)
{
	char path[CACHENAME_PATH_MAX];
	struct stat st;
	int err;

	if (cachename_path(volume, cookie, path) < 0)
		return 0; /* the kernel cannot make one either */
	err = ask_for_volume(s, path);
	if (err < 0 && err != -ENOENT)
		return err;
	if (fstatat(s->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return errno == ENOENT ? 0 : -errno;
}

static void record_work(struct worker_job *job)
{
	struct record_job *j = container_of(job, struct record_job, job);

	j->err = look_for_file(j->space, j->volume, j->cookie);
}

static void say_found(struct space *s, const struct record_job *j)
{
	struct space_garbage garbage = {
		.kind = SPACE_RECORD,
		.volume = j->volume,
		.cookie = j->cookie,
	};

	if (s->collecting)
		s->collecting->found(s->collecting, &garbage);
}

/* Forgetting it waits for the disk: one a turn, so that requests come in between. */
static void record_done(struct worker_job *job)
{
	struct space *s = container_of(job, struct space, record_job.job);
	struct record_job *j = &s->record_job;

	if (j->closed)
		j->err = -EBUSY;
	if (j->err == 0 && !s->cull_job.dry)
		j->err = engine_forget_record(s->engine, j->volume, j->cookie);
	if (j->err == 0)
		say_found(s, j);
	s->pass_records += j->err == 0 && !s->cull_job.dry;
	if (j->err == -EIO)
		space_sweep(s);
	else
		loop_defer(s->config.loop, &s->record);
}

static void records_some(struct loop_deferred *record)
{
	struct space *s = container_of(record, struct space, record);
	struct record_job *j = &s->record_job;

	for (int i = 0; i < RECORD_BATCH; i++) {
		if (engine_next_record(s->engine, &j->volume, &j->cookie, j->keys) < 0) {
			space_sweep(s);
			return;
		}
		if (!survey_find(s->survey, j->volume, j->cookie)) {
			j->closed = false;
			worker_run(s->worker, &j->job);
			return;
		}
	}
	loop_defer(s->config.loop, &s->record);
}

void space_records(struct space *s)
{
	struct record_job *j = &s->record_job;

	s->phase = SPACE_RECORDS;
	j->space = s;
	j->job.work = record_work;
	j->job.done = record_done;
	j->volume = j->cookie = bytes_of(j->keys, 0);
	s->record.run = records_some;
	loop_defer(s->config.loop, &s->record);
}
