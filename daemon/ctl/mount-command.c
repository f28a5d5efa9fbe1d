/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/mount-image.h"
#include "daemon/ctl/mount-undo.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"

/* Says what is wrong, and passes it on. */
static int told(int r, const char *what)
{
	ctl_error("%s: %s", what, strerror(-r));
	return r;
}

int mount_command_open(const char *run_dir, struct mount_run *ret)
{
	int r = mount_run_open(ret, run_dir);

	return r < 0 ? told(r, run_dir) : 0;
}

/* ---- images ------------------------------------------------------------------------------- */

struct found {
	struct context *context;
	struct images_image *image; /* owned */
};

static int claim(void *arg, char *error)
{
	const struct found *found = arg;

	return mount_image_claim(found->context->images, found->image, error);
}

/* ---- mount -------------------------------------------------------------------------------- */

static int mount_found(struct found *found, const struct mount_options *options,
		       const struct mount_run *run, const char *dir)
{
	struct mount_request request = {
		.image = found->image,
		.dir = dir,
		.state_dir = found->context->state_dir,
		.domain = found->context->config->image_domain,
		.writable = options->writable,
		.upper = options->upper,
		.flags = options->flags,
		.read_ahead_kib = options->read_ahead_kib,
		.claimed = claim,
		.arg = found,
	};
	char error[MOUNT_ERROR_MAX] = "";
	int r = mount_make(run, &request, error);

	if (r < 0 && r != -EALREADY)
		ctl_error("%s", error);
	return r;
}

static int mount_opened_context(struct context *context, const struct mount_options *options,
				const char *name, const char *dir)
{
	struct found found = { .context = context };
	struct mount_run run;
	int r = mount_image_is_ref(name) ? mount_image_resolve(context, name, NULL, &found.image)
					 : mount_image_find(context, name, &found.image);

	if (r < 0)
		return r;
	r = mount_command_open(context->run_dir, &run);
	if (r == 0) {
		mount_wait_signals();
		mount_sweep(&run);
		r = mount_found(&found, options, &run, dir);
		mount_run_close(&run);
	}
	images_image_free(found.image);
	return r;
}

int mount_command(struct context *context, const struct mount_options *options, const char *image,
		  const char *dir)
{
	char error[MOUNT_ERROR_MAX];
	int r = mount_options_check(options, error);

	if (r < 0) {
		ctl_error("%s", error);
		return r;
	}
	context->config_file = options->config ?: context->config_file;
	context->state_dir_option = options->state_dir ?: context->state_dir_option;
	context->run_dir = options->run_dir ?: context->run_dir;
	r = context_open(context, mount_image_is_ref(image) ? CONTEXT_WRITE | CONTEXT_ORIGINS
							    : CONTEXT_READ);
	r = r == CTL_OK ? 0 : -EINVAL;
	if (r == 0)
		r = mount_opened_context(context, options, image, dir);
	context_close(context);
	return r;
}

/* ---- umount ------------------------------------------------------------------------------- */

static int undo_told(const struct mount_run *run, const char *dir, bool lazy)
{
	char error[MOUNT_ERROR_MAX] = "";
	int r = mount_undo(run, dir, lazy, error);

	if (r == -ENOENT && !*error)
		ctl_error("%s: no image is mounted there; 'cachefillctl mounts' lists them", dir);
	else if (r < 0)
		ctl_error("%s", error);
	return r;
}

int umount_command(const char *run_dir, const char *dir, bool lazy)
{
	/* Where it is a relative or winding path; one that cannot be looked at is taken as it is.
	 */
	_cleanup_free_ char *canonical = realpath(dir, NULL);
	struct mount_run run;
	int r = mount_command_open(run_dir, &run);

	if (r < 0)
		return r;
	mount_wait_signals();
	r = undo_told(&run, canonical ? canonical : dir, lazy);
	mount_sweep(&run);
	mount_run_close(&run);
	return r;
}

/* The last one first: one image may be mounted in another. */
static int undo_all(const struct mount_run *run, bool lazy)
{
	struct mount_records records;
	int result = 0, r = mount_run_list(run, &records);

	if (r < 0)
		return told(r, run->dir);
	for (size_t i = records.n; i-- > 0;) {
		r = undo_told(run, records.list[i]->dir, lazy);
		if (r < 0)
			result = r;
	}
	mount_records_end(&records);
	return result;
}

int umount_all_command(const char *run_dir, bool lazy)
{
	struct mount_run run;
	int r = mount_command_open(run_dir, &run);

	if (r < 0)
		return r;
	mount_wait_signals();
	r = undo_all(&run, lazy);
	mount_sweep(&run);
	mount_run_close(&run);
	return r;
}
