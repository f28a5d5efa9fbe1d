/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-undo.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/mount-utab.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

bool mount_elsewhere(const struct mount_record *record)
{
	_cleanup_(close_dirp) DIR *proc = NULL;
	struct dirent *entry;
	char path[64];
	struct stat st;

	if (record->mount_ns == mount_namespace())
		return false;
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		if (!is_number(entry->d_name) || strlen(entry->d_name) > 20)
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", entry->d_name);
		if (stat(path, &st) == 0 && st.st_ino == record->mount_ns)
			return true;
	}
	return false;
}

bool mount_is_there(const struct mount_record *record, const struct mount_table *table)
{
	for (size_t i = 0; i < table->n_entries; i++)
		if (strcmp(table->entries[i].dir, record->dir) == 0 &&
		    mount_stack_is(record, &table->entries[i]))
			return true;
	return false;
}

/* ---- undoing ------------------------------------------------------------------------------ */

/* What a person has put over it is not ours to take away. */
static int unmount_stack(const struct mount_record *record, const struct mount_table *table,
			 bool lazy, char *error)
{
	const struct mount_entry *top = mount_table_top(table, record->dir);

	if (!mount_is_there(record, table))
		return 0;
	if (!mount_stack_is(record, top))
		return mount_fail(error, -EBUSY,
				  "%s: something else is mounted over it; unmount that first",
				  record->dir);
	if (umount2(record->dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EBUSY)
		return mount_fail(error, -EBUSY,
				  "%s is in use: 'fuser -vm' names by whom, --lazy lets them end",
				  record->dir);
	return mount_fail_errno(error, -errno, "%s", record->dir);
}

static void put_layers(const struct mount_run *run, const struct mount_record *record,
		       const struct mount_records *records, const struct mount_table *table,
		       bool lazy)
{
	for (size_t i = record->n_layers; i-- > 0;) {
		int r;

		if (mount_records_use_layer(records, record->layers[i], record->dir))
			continue;
		r = mount_layer_put(run, table, record->layers[i], lazy);
		if (r < 0)
			ctl_error("layer %s of %s stays mounted, a later command tries again: %s",
				  record->layers[i], record->image, strerror(-r));
	}
}

static void remove_transient(const struct mount_record *record, const struct mount_records *records)
{
	char error[IMAGES_ERROR_MAX] = "";
	struct images *images = NULL;
	int r;

	if (!record->transient ||
	    mount_records_find_image(records, record->state_dir, record->image, record->dir))
		return;
	r = images_open(&images, record->state_dir, IMAGES_WRITE, error);
	if (r == 0)
		r = images_remove(images, record->image);
	if (r < 0 && r != -ENOENT)
		ctl_error("%s stays in the store; remove it with 'cachefillctl image rm': %s",
			  record->image, *error ? error : strerror(-r));
	images_close(images);
}

/* Layers, image and record: nobody else counts in between. */
static int forget(const struct mount_run *run, const struct mount_record *record,
		  const struct mount_table *table, bool lazy)
{
	struct mount_records records;
	int r = mount_run_lock(run, MOUNT_LOCK_RECORDS, "", false);

	if (r < 0)
		return r;
	r = mount_run_list(run, &records);
	if (r == 0) {
		put_layers(run, record, &records, table, lazy);
		remove_transient(record, &records);
		mount_records_end(&records);
		r = mount_run_remove(run, record->dir);
	}
	mount_run_unlock(run, MOUNT_LOCK_RECORDS, "");
	return r;
}

/* What is not there any more is left out. */
int mount_undo_record(const struct mount_run *run, const struct mount_record *record, bool lazy,
		      char *error)
{
	struct mount_table table;
	int r = mount_table_load(&table);

	if (r < 0)
		return mount_fail_errno(error, r, "/proc/self/mountinfo");
	r = unmount_stack(record, &table, lazy, error);
	if (r == 0) {
		if (strcmp(run->dir, MOUNT_RUN_DIR) == 0)
			mount_utab_remove(record->dir);
		r = mount_stack_clean(run, record, &table, lazy);
		if (r == 0)
			r = forget(run, record, &table, lazy);
		if (r < 0)
			mount_fail_errno(error, r, "%s: what was made for it in %s", record->dir,
					 run->dir);
	}
	mount_table_end(&table);
	return r;
}

static int undo_locked(const struct mount_run *run, const char *dir, bool lazy, char *error)
{
	_cleanup_(mount_record_freep) struct mount_record *record = NULL;
	int r = mount_run_get(run, dir, &record);

	if (r == -ENOENT)
		return r;
	if (r < 0)
		return mount_fail_errno(error, r, "%s: its record", dir);
	if (mount_elsewhere(record))
		return mount_fail(error, -EXDEV,
				  "%s was mounted in another mount namespace (mnt:[%llu]), and has "
				  "to be unmounted there",
				  dir, (unsigned long long)record->mount_ns);
	return mount_undo_record(run, record, lazy, error);
}

int mount_lock_dir(const struct mount_run *run, const char *dir, char *error)
{
	int r = mount_wait_lock(run, MOUNT_LOCK_DIR, dir, dir);

	if (r == -EINTR)
		return mount_fail(error, -ECANCELED, "interrupted");
	return r < 0 ? mount_fail_errno(error, r, "%s", dir) : 0;
}

int mount_undo(const struct mount_run *run, const char *dir, bool lazy, char *error)
{
	int r = mount_lock_dir(run, dir, error);

	if (r < 0)
		return r;
	r = undo_locked(run, dir, lazy, error);
	mount_run_unlock(run, MOUNT_LOCK_DIR, dir);
	return r;
}

/* ---- what others left --------------------------------------------------------------------- */

/* Half-made, or its mount is gone. */
static bool is_left(const struct mount_record *record, const struct mount_table *table)
{
	return !record->complete || !mount_is_there(record, table);
}

static void sweep_dir(const struct mount_run *run, const char *dir)
{
	_cleanup_(mount_record_freep) struct mount_record *record = NULL;
	struct mount_table table;
	char error[MOUNT_ERROR_MAX];

	if (mount_run_lock(run, MOUNT_LOCK_DIR, dir, true) < 0)
		return; /* somebody works on it */
	/* As it is now that it is locked. */
	if (mount_run_get(run, dir, &record) == 0 && !mount_elsewhere(record) &&
	    mount_table_load(&table) == 0) {
		bool left = is_left(record, &table);

		mount_table_end(&table);
		if (left && mount_undo_record(run, record, false, error) < 0)
			ctl_error("%s", error);
	}
	mount_run_unlock(run, MOUNT_LOCK_DIR, dir);
}

/* The last user may have gone while the layer was busy. */
static void sweep_layers(const struct mount_run *run)
{
	_cleanup_(close_dirp) DIR *dir = NULL;
	struct mount_records records = { 0 };
	struct mount_table table = { 0 };
	struct dirent *entry;
	char path[PATH_MAX];

	if (mount_run_layer(run, "", path) < 0 || !(dir = opendir(path)) ||
	    mount_run_lock(run, MOUNT_LOCK_RECORDS, "", false) < 0)
		return;
	if (mount_run_list(run, &records) == 0 && mount_table_load(&table) == 0)
		while ((entry = readdir(dir)))
			if (mount_cookie_good(entry->d_name) &&
			    !mount_records_use_layer(&records, entry->d_name, NULL))
				(void)mount_layer_put(run, &table, entry->d_name, false);
	mount_table_end(&table);
	mount_records_end(&records);
	mount_run_unlock(run, MOUNT_LOCK_RECORDS, "");
}

void mount_sweep(const struct mount_run *run)
{
	struct mount_records records;

	if (mount_run_list(run, &records) < 0)
		return;
	for (size_t i = 0; i < records.n; i++)
		sweep_dir(run, records.list[i]->dir);
	mount_records_end(&records);
	sweep_layers(run);
}
