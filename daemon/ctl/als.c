/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/als.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/mount-undo.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"

static const struct ctl_command commands[] = {
	{ "add", "[OPTION]... IMAGE|REF", "let podman find the layers of an image", ctl_als_add },
	{ "ls", "[OPTION]...", "list the images that podman finds there", ctl_als_ls },
	{ "rm", "[OPTION]... IMAGE|REF...", "take that back", ctl_als_rm },
	{ NULL },
};

int ctl_als(int argc, char *argv[])
{
	return ctl_dispatch(commands, "cachefillctl als", argc, argv);
}

/* ---- options and places ------------------------------------------------------------------- */

void als_begin(struct als *als)
{
	*als = (struct als){ .context = CONTEXT_INIT, .run.lock = -1 };
}

bool als_option(struct als *als, int opt)
{
	switch (opt) {
	case ALS_OPT_DIR:
		als->dir_option = optarg;
		return true;
	case ALS_OPT_NAME:
		als->name = optarg;
		return true;
	default:
		return context_option(&als->context, opt);
	}
}

/* Records have canonical paths, so the tree needs one. It may not be there yet. */
static int find_dir(struct als *als)
{
	_cleanup_free_ char *canonical = NULL;
	char made[PATH_MAX], error[ALS_ERROR_MAX];
	const char *dir = als->dir_option;

	if (!dir) {
		if (snprintf(made, sizeof(made), "%s/als", als->run.dir) >= PATH_MAX)
			return ctl_error("%s: %s", als->run.dir, strerror(ENAMETOOLONG));
		dir = made;
	}
	if (als_tree_make(dir, error) < 0)
		return ctl_error("%s", error);
	canonical = realpath(dir, NULL);
	if (!canonical || snprintf(als->dir, sizeof(als->dir), "%s", canonical) >= PATH_MAX)
		return ctl_error("%s: %s", dir, strerror(canonical ? ENAMETOOLONG : errno));
	return CTL_OK;
}

int als_open(struct als *als, unsigned int needs)
{
	int status = context_open(&als->context, needs);
	int r;

	if (status != CTL_OK)
		return status;
	r = mount_run_open(&als->run, als->context.run_dir);
	if (r < 0)
		return ctl_error("%s: %s", als->context.run_dir, strerror(-r));
	return find_dir(als);
}

void als_end(struct als *als)
{
	if (als->run.dir)
		mount_run_close(&als->run);
	context_close(&als->context);
}

/* ---- names -------------------------------------------------------------------------------- */

/* By the one REF of an image, or by what was given instead of one. */
static int name_of(const char *argument, const struct images_image *image,
		   char ret[ALS_REFERENCE_MAX])
{
	_cleanup_free_ char *locator = NULL;
	char error[CONTEXT_ERROR_MAX] = "";
	const char *why = error;
	bool device;
	int r = image_ref_locator(image ? image->refs[0] : argument, &locator, &device, error);

	if (r == 0)
		r = als_name_of(locator, ret, &why);
	if (r < 0)
		return ctl_error("podman has no name for '%s': %s%s", argument, why,
				 image ? "; 'als add --name' gives it one" : "");
	return CTL_OK;
}

int als_name(struct als *als, const char *argument, const struct images_image *image,
	     char ret[ALS_REFERENCE_MAX])
{
	const char *why;

	if (!als->name && image && image->n_refs != 1)
		return ctl_error("%s was added by several references; --name tells what podman "
				 "calls it",
				 argument);
	if (!als->name)
		return name_of(argument, image, ret);
	if (als_name_check(als->name, &why) < 0)
		return ctl_error("podman has no image named '%s': %s", als->name, why);
	snprintf(ret, ALS_REFERENCE_MAX, "%s", als->name);
	return CTL_OK;
}

/* ---- removing ----------------------------------------------------------------------------- */

int als_remove_layer(struct als *als, const char *name, const char *digest, bool lazy, char *error)
{
	char diff[PATH_MAX], why[MOUNT_ERROR_MAX] = "";
	int r = als_tree_withdraw(als->dir, name, digest, error);

	if (r == 0)
		r = als_tree_diff(als->dir, name, digest, diff);
	if (r < 0)
		return r;
	r = mount_undo(&als->run, diff, lazy, why);
	if (r < 0 && (r != -ENOENT || *why)) {
		snprintf(error, ALS_ERROR_MAX, "%s", *why ? why : strerror(-r));
		return r;
	}
	return als_tree_remove(als->dir, name, digest, error);
}
