/* SPDX-License-Identifier: MIT */
/* One object out of the cache, since somebody says so. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/space/cull.h"
#include "daemon/space/space-internal.h"
#include "daemon/util/log.h"

static void evict_work(struct worker_job *job)
{
	struct evict_job *j = container_of(job, struct evict_job, job);

	j->err = cull_object(j->space->port, j->space->dir_fd, j->path, &j->bytes);
}

static void evict_done(struct worker_job *job)
{
	struct evict_job *j = container_of(job, struct evict_job, job);
	struct space *s = j->space;
	const struct log_subject subject = engine_subject(s->engine, j->volume, j->cookie, NULL);

	if (j->err == 0) {
		engine_forget(s->engine, j->volume, j->cookie);
		s->used -= j->bytes < s->used ? j->bytes : s->used;
		s->stats.culled++;
		s->stats.culled_bytes += j->bytes;
		log_about(LOG_INFO, &subject, "%s: evicted, %llu bytes", j->path,
			  (unsigned long long)j->bytes);
	} else {
		log_about(LOG_WARNING, &subject, "%s: not evicted: %s", j->path, strerror(-j->err));
	}
	s->stats.evictions++;
	LIST_REMOVE(j, link);
	j->eviction->done(j->eviction, cull_is_busy(j->err) ? -EBUSY : j->err, j->bytes);
	free(j);
}

static int evict_check(const struct space *s, struct bytes volume, struct bytes cookie,
		       char path[CACHENAME_PATH_MAX])
{
	struct stat st;
	int err = cachename_path(volume, cookie, path);

	if (err < 0)
		return err;
	if (engine_is_open(s->engine, volume, cookie))
		return -EBUSY;
	return fstatat(s->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int space_evict(struct space *s, struct bytes volume, struct bytes cookie,
		struct space_eviction *eviction)
{
	struct evict_job *j;
	int err;

	if (!s->worker)
		return -EOPNOTSUPP;
	j = calloc(1, sizeof(*j) + volume.len + cookie.len);
	err = j ? evict_check(s, volume, cookie, j->path) : -ENOMEM;
	if (err < 0) {
		free(j);
		return err;
	}
	memcpy(j->keys, volume.data, volume.len);
	memcpy(j->keys + volume.len, cookie.data, cookie.len);
	j->volume = bytes_of(j->keys, volume.len);
	j->cookie = bytes_of(j->keys + volume.len, cookie.len);
	j->space = s;
	j->eviction = eviction;
	j->job.work = evict_work;
	j->job.done = evict_done;
	LIST_INSERT_HEAD(&s->evictions, j, link);
	worker_run(s->worker, &j->job);
	return 0;
}

void space_evict_end(struct space *s)
{
	struct evict_job *j;

	while ((j = LIST_FIRST(&s->evictions))) {
		LIST_REMOVE(j, link);
		j->eviction->done(j->eviction, -ECANCELED, 0);
		free(j);
	}
}
