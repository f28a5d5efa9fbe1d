/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/mount-undo.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"

static void imagesp(struct images **images)
{
	images_close(*images);
}

static void imagep(struct images_image **image)
{
	images_image_free(*image);
}

static void configp(struct config **config)
{
	config_free(*config);
}

/* Says what is wrong, and passes it on. */
static int told(int r, const char *what)
{
	ctl_error("%s: %s", what, strerror(-r));
	return r;
}

/* ---- where things are --------------------------------------------------------------------- */

static int load_config(const struct mount_options *options, struct config **ret)
{
	_cleanup_(configp) struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";
	const char *file = options->config ? options->config : CACHEFILLD_CONF;
	int r = config_new(&config);

	if (r == 0)
		r = config_load(config, file, error);
	/* Without a file there are the defaults, unless it was asked for. */
	if (r == -ENOENT && !options->config)
		r = 0;
	if (r == 0 && options->state_dir)
		r = config_set(config, "state-dir", options->state_dir, error);
	if (r < 0) {
		ctl_error("%s", *error ? error : strerror(-r));
		return r;
	}
	*ret = steal(&config);
	return 0;
}

int mount_command_open(const char *run_dir, struct mount_run *ret)
{
	const char *dir = run_dir ? run_dir : MOUNT_RUN_DIR;
	int r = mount_run_open(ret, dir);

	return r < 0 ? told(r, dir) : 0;
}

/* ---- images ------------------------------------------------------------------------------- */

static int open_store(const char *state_dir, struct images **ret, const char *name)
{
	char error[IMAGES_ERROR_MAX] = "";
	int r = images_open(ret, state_dir, IMAGES_READ, error);

	if (r == -ENOENT)
		ctl_error("there is no image '%s': the store in %s is empty; see 'cachefillctl "
			  "image add'",
			  name, state_dir);
	else if (r < 0)
		ctl_error("%s", *error ? error : strerror(-r));
	return r;
}

static int find_image(const char *state_dir, const char *name, struct images_image **ret)
{
	_cleanup_(imagesp) struct images *images = NULL;
	int r = open_store(state_dir, &images, name);

	if (r < 0)
		return r;
	r = images_get(images, name, ret);
	if (r == -ENOENT)
		ctl_error("there is no image '%s'; 'cachefillctl image ls' lists them", name);
	else if (r < 0)
		ctl_error("%s: %s", name, strerror(-r));
	return r;
}

/* ---- mount -------------------------------------------------------------------------------- */

static int mount_found(const struct mount_options *options, const struct config *config,
		       const struct mount_run *run, const struct images_image *image,
		       const char *dir)
{
	struct mount_request request = {
		.image = image,
		.dir = dir,
		.state_dir = config->state_dir,
		.domain = "cachefilld",
		.writable = options->writable,
		.upper = options->upper,
		.flags = options->flags,
		.read_ahead_kib = options->read_ahead_kib,
	};
	char error[MOUNT_ERROR_MAX] = "";
	int r = mount_make(run, &request, error);

	if (r < 0 && r != -EALREADY)
		ctl_error("%s", error);
	return r;
}

int mount_command(const struct mount_options *options, const char *name, const char *dir)
{
	_cleanup_(configp) struct config *config = NULL;
	_cleanup_(imagep) struct images_image *image = NULL;
	char error[MOUNT_ERROR_MAX];
	struct mount_run run;
	int r = mount_options_check(options, error);

	if (r < 0) {
		ctl_error("%s", error);
		return r;
	}
	r = load_config(options, &config);
	if (r == 0)
		r = find_image(config->state_dir, name, &image);
	if (r == 0)
		r = mount_command_open(options->run_dir, &run);
	if (r < 0)
		return r;
	mount_wait_signals();
	mount_sweep(&run);
	r = mount_found(options, config, &run, image, dir);
	mount_run_close(&run);
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
