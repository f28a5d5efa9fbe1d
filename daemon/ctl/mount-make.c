/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/ctl/mount-undo.h"
#include "daemon/ctl/mount-utab.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"

static int canonical(const char *path, char **ret, char *error)
{
	struct stat st;

	*ret = realpath(path, NULL);
	if (!*ret || stat(*ret, &st) != 0)
		return mount_fail_errno(error, -errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return mount_fail(error, -ENOTDIR, "%s is not a directory", path);
	return 0;
}

/*
 * Layers that change nothing are often the same, and overlayfs takes none twice. What is in the
 * upper one hides all that is in the lower.
 */
static bool comes_again(const struct images_image *image, size_t layer)
{
	for (size_t i = layer + 1; i < image->n_layers; i++)
		if (strcmp(image->layers[i].primary.cookie, image->layers[layer].primary.cookie) ==
		    0)
			return true;
	return false;
}

static int copy_layers(struct mount_record *record, const struct images_image *image)
{
	record->layers = calloc(image->n_layers, sizeof(*record->layers));
	if (!record->layers)
		return -ENOMEM;
	for (size_t i = 0; i < image->n_layers; i++) {
		if (comes_again(image, i))
			continue;
		record->layers[record->n_layers] = strdup(image->layers[i].primary.cookie);
		if (!record->layers[record->n_layers])
			return -ENOMEM;
		record->n_layers++;
	}
	return 0;
}

static int describe(const struct mount_request *request, struct mount_record *record, char *error)
{
	const struct images_image *image = request->image;
	int r = canonical(request->dir, &record->dir, error);

	if (r == 0 && request->writable == MOUNT_IN_DIR) {
		if (mkdir(request->upper, 0700) != 0 && errno != EEXIST)
			return mount_fail_errno(error, -errno, "%s", request->upper);
		r = canonical(request->upper, &record->upper, error);
	}
	if (r < 0)
		return r;
	if (!record->upper)
		record->upper = strdup("");
	record->image = strdup(image->name);
	record->state_dir = strdup(request->state_dir);
	record->domain = strdup(request->domain);
	record->writable = request->writable;
	record->transient = image->transient;
	record->mount_ns = mount_namespace();
	if (image->n_layers < 1 || image->n_layers > MOUNT_LAYERS_MAX)
		return mount_fail(error, -EINVAL, "%s has %zu layers; overlayfs takes %d",
				  image->name, image->n_layers, MOUNT_LAYERS_MAX);
	if (!record->upper || !record->image || !record->state_dir || !record->domain ||
	    copy_layers(record, image) < 0)
		return mount_fail(error, -ENOMEM, "out of memory");
	return 0;
}

/* Nothing of ours may be there, and an upper directory has one user. */
static int check_free(const struct mount_record *record, const struct mount_records *records,
		      char *error)
{
	for (size_t i = 0; i < records->n; i++) {
		const struct mount_record *other = records->list[i];

		if (strcmp(other->dir, record->dir) == 0) {
			bool same = strcmp(other->image, record->image) == 0 &&
				    other->writable == record->writable &&
				    strcmp(other->upper, record->upper) == 0;

			return mount_fail(error, same ? -EALREADY : -EBUSY,
					  "%s: %s is mounted there already", record->dir,
					  other->image);
		}
		if (*record->upper && strcmp(other->upper, record->upper) == 0)
			return mount_fail(error, -EBUSY,
					  "%s is what %s writes to; one upper directory is for one "
					  "mount",
					  record->upper, other->dir);
	}
	return 0;
}

static int put_record(const struct mount_run *run, const struct mount_record *record, char *error)
{
	int r = mount_run_put(run, record);

	if (r == -EINVAL)
		return mount_fail(
			error, r,
			"%s cannot be kept on record: the name of the image, or that of a "
			"directory, is no UTF-8",
			record->dir);
	return r < 0 ? mount_fail_errno(error, r, "%s", run->dir) : 0;
}

/* From here on the layers have a user. */
static int claim(const struct mount_run *run, const struct mount_request *request,
		 const struct mount_record *record, char *error)
{
	struct mount_records records;
	int r = mount_run_lock(run, MOUNT_LOCK_RECORDS, "", false);

	if (r == 0) {
		r = mount_run_list(run, &records);
		if (r < 0)
			mount_run_unlock(run, MOUNT_LOCK_RECORDS, "");
	}
	if (r < 0)
		return mount_fail_errno(error, r, "%s", run->dir);
	r = check_free(record, &records, error);
	mount_records_end(&records);
	if (r == 0)
		r = put_record(run, record, error);
	if (r == 0 && request->claimed) {
		r = request->claimed(request->arg, error);
		if (r < 0)
			(void)mount_run_remove(run, record->dir);
	}
	mount_run_unlock(run, MOUNT_LOCK_RECORDS, "");
	return r;
}

struct make {
	const struct mount_run *run;
	const struct mount_request *request;
	struct mount_record *record;
};

/* In the child that mounts a layer: whoever wanted it has gone. */
static void abandoned(void *arg)
{
	struct make *make = arg;
	char error[MOUNT_ERROR_MAX];

	(void)mount_undo_record(make->run, make->record, false, error);
}

static int mount_layers(struct make *make, char *error)
{
	const struct images_image *image = make->request->image;

	for (size_t i = 0; i < image->n_layers; i++) {
		struct mount_layer layer = {
			.run = make->run,
			.layer = &image->layers[i],
			.domain = make->request->domain,
			.read_ahead_kib = make->request->read_ahead_kib,
			.abandoned = abandoned,
			.arg = make,
		};
		int r = mount_layer_get(&layer, error);

		if (r == 0 && mount_wait_interrupted())
			r = mount_fail(error, -ECANCELED, "interrupted");
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_claimed(struct make *make, char *error)
{
	struct mount_stack stack = {
		.run = make->run,
		.record = make->record,
		.flags = make->request->flags,
	};
	char ignored[MOUNT_ERROR_MAX];
	int r = mount_layers(make, error);

	if (r == -EINTR)
		return mount_fail(error, r,
				  "given up; the kernel still waits for cachefilld, and what has "
				  "been made is taken away when that ends");
	if (r == 0)
		r = mount_stack_make(&stack, error);
	if (r == 0) {
		/* umount.cachefill is told of no other place than the usual one. */
		if (strcmp(make->run->dir, MOUNT_RUN_DIR) == 0)
			mount_utab_add(mount_stack_source(make->record), make->record->dir);
		make->record->complete = true;
		r = put_record(make->run, make->record, error);
	}
	if (r < 0)
		(void)mount_undo_record(make->run, make->record, false, ignored);
	return r;
}

int mount_make(const struct mount_run *run, const struct mount_request *request, char *error)
{
	_cleanup_(mount_record_freep) struct mount_record *record = calloc(1, sizeof(*record));
	struct make make = { run, request, record };
	int r;

	if (!record)
		return mount_fail(error, -ENOMEM, "out of memory");
	r = describe(request, record, error);
	if (r == 0)
		r = mount_lock_dir(run, record->dir, error);
	if (r < 0)
		return r;
	r = claim(run, request, record, error);
	if (r == 0)
		r = make_claimed(&make, error);
	if (r != -EINTR)
		mount_run_unlock(run, MOUNT_LOCK_DIR, record->dir);
	return r;
}
