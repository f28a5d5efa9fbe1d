/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/tree.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <sys/stat.h>

static void add_entry(const FTSENT *entry, struct tree_sum *sum)
{
	const struct stat *st = entry->fts_statp;

	sum->entries++;
	if (st->st_mtime > sum->newest)
		sum->newest = st->st_mtime;
	if (S_ISREG(st->st_mode))
		sum->bytes += (uint64_t)st->st_size / st->st_nlink;
}

int tree_sum(const char *path, struct tree_sum *ret)
{
	char *const paths[] = { (char *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	struct tree_sum sum = { 0 };
	FTSENT *entry;
	int r = 0;

	if (!fts)
		return -errno;
	while (r == 0 && (errno = 0, entry = fts_read(fts)))
		switch (entry->fts_info) {
		case FTS_DP:
			break;
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS:
			r = -entry->fts_errno;
			break;
		default:
			add_entry(entry, &sum);
		}
	if (r == 0)
		r = -errno;
	fts_close(fts);
	if (r == 0)
		*ret = sum;
	return r;
}

int tree_remove(const char *path)
{
	char *const paths[] = { (char *)path, NULL };
	/* With its own changes of the directory: paths may be longer than any call takes. */
	FTS *fts = fts_open(paths, FTS_PHYSICAL, NULL);
	FTSENT *entry;
	int r = 0;

	if (!fts)
		return -errno;
	while ((entry = fts_read(fts))) {
		if (entry->fts_info == FTS_D)
			continue; /* once more when it is empty */
		if (remove(entry->fts_accpath) < 0 && errno != ENOENT && r == 0)
			r = -errno;
	}
	fts_close(fts);
	return r;
}
