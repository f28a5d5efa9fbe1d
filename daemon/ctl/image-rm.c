/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "daemon/ctl/image-tar.h"
#include "daemon/ctl/image.h"
#include "daemon/util/cleanup.h"

static const char help[] =
	"Usage: cachefillctl image rm [OPTION]... NAME...\n"
	"\n"
	"Forgets images. What of them is cached stays until it is dropped for something\n"
	"else. An image that is mounted is not forgotten.\n"
	"\n" CONTEXT_HELP "\n"
	"See cachefillctl-image(1).\n";

static const struct option options[] = { CONTEXT_OPTIONS, { NULL } };
static const struct ctl_syntax syntax = { "cachefillctl image rm", "h", options, help };

struct removal {
	struct context *context;
	const char *name;
};

static int forget(void *arg)
{
	const struct removal *removal = arg;
	int r = images_remove(removal->context->images, removal->name);

	return r < 0 ? ctl_error("image '%s': %s", removal->name, strerror(-r)) : CTL_OK;
}

static int remove_one(struct context *c, const char *name)
{
	_cleanup_(image_freep) struct images_image *image = NULL;
	struct removal removal = { c, name };
	int status = image_find(c, name, &image);

	return status == CTL_OK ? image_unmounted(c, name, "forgotten", forget, &removal) : status;
}

/* All that can be. */
static int run(struct context *c, char *const *names)
{
	int status = CTL_OK;

	for (; *names; names++)
		if (remove_one(c, *names) != CTL_OK)
			status = CTL_FAILED;
	image_tar_collect(c);
	return status;
}

int ctl_image_rm(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else
			context_option(&context, opt);
	if (optind == argc)
		return ctl_usage(syntax.command, "NAME is missing");
	/* A store that is not there is not made for that. */
	status = context_open(&context, CONTEXT_READ);
	if (status == CTL_OK && context.images) {
		context_close(&context);
		status = context_open(&context, CONTEXT_WRITE);
	}
	if (status == CTL_OK)
		status = run(&context, argv + optind);
	context_close(&context);
	return status;
}
