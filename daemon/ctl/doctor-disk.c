/* SPDX-License-Identifier: MIT */
/* The cache directory, the room in it, and the databases. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/doctor.h"
#include "daemon/database.h"
#include "daemon/kernel/cachedir.h"
#include "daemon/space/limits.h"
#include "daemon/space/survey.h"
#include "daemon/util/cleanup.h"

/* ---- the directory ----------------------------------------------------------------------------
 */

void doctor_cache(struct doctor *d)
{
	const struct config *c = d->context.config;
	char error[STARTUP_ERROR_MAX];
	struct cachedir dir;
	enum startup_status status = cachedir_check(&dir, c->cache_dir, &c->limits, false, error);

	close_fdp(&dir.fd);
	if (status == STARTUP_NO_SPACE)
		return; /* the next check has more of it */
	if (status != STARTUP_OK) {
		doctor_say(geteuid() == 0 ? DOCTOR_FAIL : DOCTOR_WARN, NULL, "%s", error);
		return;
	}
	doctor_ok("%s: %s, blocks of %u bytes, with all that a cache needs", c->cache_dir, dir.fs,
		  dir.block);
	if (!dir.fs_tried)
		doctor_warn("Use ext4, xfs or btrfs.",
			    "%s is not among the file systems that are known to work", dir.fs);
	if (dir.noatime)
		doctor_warn("Mount it relatime.",
			    "it is mounted noatime, so that nobody can tell what was used last");
}

/* ---- room -------------------------------------------------------------------------------------
 */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static void check_disk(const struct config *c, const struct space_disk *disk)
{
	struct space_limits limits = { .kernel = c->limits };
	struct space_need low = space_need(&limits, disk, 0, false),
			  some = space_need(&limits, disk, 0, true);
	double blocks = percent(disk->bytes_free, disk->bytes),
	       files = percent(disk->files_free, disk->files);
	char size[32];

	ctl_bytes(disk->bytes_free, size, sizeof(size));
	if (space_is_full(&limits, disk) || files <= (double)c->limits.fstop)
		doctor_fail("Free some space, or lower bstop or fstop; `cachefillctl gc` may help.",
			    "%s is full: %s (%.1f %%) and %.1f %% of the inodes are free, and "
			    "below bstop = %u %% or fstop = %u %% the kernel stores nothing",
			    c->cache_dir, size, blocks, files, c->limits.bstop, c->limits.fstop);
	else if (space_needs(&low))
		doctor_warn("Free some space, or lower bcull or fcull.",
			    "%s (%.1f %%) and %.1f %% of the inodes are free: below bcull = %u %% "
			    "or fcull = %u %%, so that what is cached has to go",
			    size, blocks, files, c->limits.bcull, c->limits.fcull);
	else
		doctor_ok("%s (%.1f %%) and %.1f %% of the inodes are free%s", size, blocks, files,
			  space_needs(&some) ? ", less than brun or frun" : "");
}

static void check_size_limit(const struct config *c, const struct space_disk *disk, int fd)
{
	uint64_t kept = disk->bytes / 100 * c->limits.bcull;
	struct survey *survey = NULL;
	char used[32], limit[32];
	int err = survey_take(&survey, fd);

	ctl_bytes(c->size_limit, limit, sizeof(limit));
	if (err < 0) {
		doctor_warn(NULL, "%s cannot be looked through: %s", c->cache_dir, strerror(-err));
		return;
	}
	ctl_bytes(survey->bytes, used, sizeof(used));
	if (survey->bytes > c->size_limit)
		doctor_warn("What is mounted or pinned stays: raise size-limit, unmount, or unpin.",
			    "%s are cached, more than size-limit = %s", used, limit);
	else if (c->size_limit > disk->bytes - kept)
		doctor_warn("Lower size-limit, or give the cache a larger disk.",
			    "size-limit = %s is more than the disk has above bcull, and means "
			    "nothing",
			    limit);
	else
		doctor_ok("%s of size-limit = %s are cached", used, limit);
	survey_free(survey);
}

void doctor_space(struct doctor *d)
{
	const struct config *c = d->context.config;
	_cleanup_close_ int fd = open(c->cache_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct space_disk disk;
	int err = fd < 0 ? -errno : space_disk_read(&disk, fd);

	if (err < 0) {
		doctor_warn(NULL, "not looked at: %s: %s", c->cache_dir, strerror(-err));
		return;
	}
	check_disk(c, &disk);
	if (c->size_limit > 0)
		check_size_limit(c, &disk, fd);
}

/* ---- databases --------------------------------------------------------------------------------
 */

static void check_database(const char *dir, const char *name, const char *lost)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return;
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		doctor_ok("%s is not there yet", path);
		return;
	}
	r = database_quick_check(path);
	if (r == SQLITE_OK)
		doctor_ok("%s is sound", path);
	else if (database_is_spoiled(r))
		doctor_fail(lost, "%s is damaged: %s", path, database_reason(r));
	else
		doctor_say(geteuid() == 0 ? DOCTOR_FAIL : DOCTOR_WARN,
			   "Look at its owner and mode, and at its disk.",
			   "%s cannot be looked at: %s", path, database_reason(r));
}

void doctor_databases(struct doctor *d)
{
	check_database(d->context.state_dir, "state.db",
		       "Restart the daemon, which sets it aside; what is cached is fetched again.");
	check_database(d->context.state_dir, "images.db",
		       "Put back a copy, or move it away and add the images again.");
}
