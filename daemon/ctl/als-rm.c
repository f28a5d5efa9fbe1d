/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl als rm: podman does not find the layers of an image any more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/als.h"
#include "daemon/ctl/mount-undo.h"
#include "daemon/ctl/mount-wait.h"

static const struct option longs[] = {
	ALS_OPTION_DIR,
	{ "all", no_argument, NULL, ALS_OPT_ALL },
	{ "lazy", no_argument, NULL, 'l' },
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl als rm",
	"lh",
	longs,
	"Usage: cachefillctl als rm [OPTION]... IMAGE|REF|NAME...\n"
	"       cachefillctl als rm [OPTION]... --all\n"
	"\n"
	"Unmounts the layers of an image, named as for 'als add' or as podman names it.\n"
	"Remove it from podman's own store first (podman rmi).\n"
	"\n"
	"      --all              of all images\n"
	"  -l, --lazy             also in use: it ends with the last user\n" ALS_HELP_DIR
		CONTEXT_HELP,
};

struct rm {
	struct als als;
	bool all, lazy;
	unsigned int found, failed;
};

static int remove_entry(void *arg, const struct als_entry *entry)
{
	struct rm *rm = arg;
	char error[ALS_ERROR_MAX];

	rm->found++;
	if (als_remove_layer(&rm->als, entry->name, entry->digest, rm->lazy, error) < 0) {
		ctl_error("%s", error);
		rm->failed++;
	}
	return 0;
}

static int remove_name(struct rm *rm, const char *name)
{
	int r = als_tree_each(rm->als.dir, name, remove_entry, rm);

	return r < 0 ? ctl_error("%s: %s", rm->als.dir, strerror(-r)) : CTL_OK;
}

static int remove_image(struct rm *rm, const char *argument)
{
	struct images *images = rm->als.context.images;
	struct images_image *image = NULL;
	char name[ALS_REFERENCE_MAX];
	int r = images ? images_get(images, argument, &image) : -ENOENT;
	int status;

	if (r < 0 && r != -ENOENT)
		return ctl_error("%s: %s", argument, strerror(-r));
	status = als_name(&rm->als, argument, image, name);
	images_image_free(image);
	if (status != CTL_OK)
		return status;
	rm->found = 0;
	status = remove_name(rm, name);
	if (status == CTL_OK && rm->found == 0)
		status = ctl_error("%s is not there; 'cachefillctl als ls' lists what is", name);
	return status;
}

static int rm(struct rm *rm, int argc, char *argv[])
{
	int status = als_open(&rm->als, CONTEXT_READ);

	if (status != CTL_OK)
		return status;
	mount_wait_signals();
	if (rm->all)
		status = remove_name(rm, NULL);
	for (int i = 0; i < argc; i++)
		if (remove_image(rm, argv[i]) != CTL_OK)
			status = CTL_FAILED;
	mount_sweep(&rm->als.run);
	return rm->failed ? CTL_FAILED : status;
}

int ctl_als_rm(int argc, char *argv[])
{
	struct rm r = { 0 };
	int opt, status;

	als_begin(&r.als);
	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		r.all |= opt == ALS_OPT_ALL;
		r.lazy |= opt == 'l';
		(void)als_option(&r.als, opt);
	}
	if (r.all != (argc == optind))
		return ctl_usage(syntax.command, r.all ? "--all is for all, without an image"
						       : "an image is missing, or --all");
	status = rm(&r, argc - optind, argv + optind);
	als_end(&r.als);
	return status;
}
