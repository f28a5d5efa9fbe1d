/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-utab.h"

#include <libmount/libmount.h>
#include <stddef.h>

/* Not worth an error: see the header. */
static void update(const char *dir, struct libmnt_fs *fs)
{
	struct libmnt_update *update = mnt_new_update();

	/* It has a name for `dir` when something is to be removed, else for `fs`. */
	if (update && mnt_update_set_fs(update, 0, fs ? NULL : dir, fs) == 0)
		(void)mnt_update_table(update, NULL);
	mnt_free_update(update);
}

void mount_utab_add(const char *source, const char *dir)
{
	struct libmnt_fs *fs = mnt_new_fs();

	if (fs && mnt_fs_set_source(fs, source) == 0 && mnt_fs_set_target(fs, dir) == 0 &&
	    mnt_fs_set_options(fs, "helper=cachefill") == 0)
		update(dir, fs);
	mnt_unref_fs(fs);
}

void mount_utab_remove(const char *dir)
{
	update(dir, NULL);
}
