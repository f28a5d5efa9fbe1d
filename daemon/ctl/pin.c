/* SPDX-License-Identifier: MIT */
/* cachefillctl pin, unpin: what is never culled. */
#include <errno.h>
#include <string.h>

#include "daemon/ctl/cache.h"

static const struct option options[] = { CONTEXT_OPTIONS, { NULL } };

static const struct ctl_syntax pin_syntax = {
	"cachefillctl pin",
	"h",
	options,
	"Usage: cachefillctl pin [OPTION]... IMAGE|OBJECT...\n"
	"\n"
	"What is cached of these is never culled, however full the disk is. An image is\n"
	"pinned by its name: also what it consists of after a refresh.\n"
	"\n" CONTEXT_HELP "\n"
	"See cachefillctl-cache(1).\n",
};

static const struct ctl_syntax unpin_syntax = {
	"cachefillctl unpin",
	"h",
	options,
	"Usage: cachefillctl unpin [OPTION]... IMAGE|OBJECT...\n"
	"\n"
	"Takes that back.\n"
	"\n" CONTEXT_HELP "\n"
	"See cachefillctl-cache(1).\n",
};

static int pin(struct context *c, const char *name, const struct cache_objects *objects)
{
	return objects->image ? images_pin(c->images, name)
			      : images_pin_object(c->images, objects->keys[0].volume,
						  objects->keys[0].cookie);
}

static int unpin(struct context *c, const char *name, const struct cache_objects *objects)
{
	return objects->image ? images_unpin(c->images, name)
			      : images_unpin_object(c->images, objects->keys[0].volume,
						    objects->keys[0].cookie);
}

static int change_one(struct context *c, const char *name,
		      int (*change)(struct context *c, const char *name,
				    const struct cache_objects *objects))
{
	struct cache_objects objects;
	int status = cache_objects(c, name, &objects);
	int err;

	if (status != CTL_OK)
		return status;
	err = change(c, name, &objects);
	cache_objects_end(&objects);
	if (err == -ENOENT)
		return ctl_error("'%s' is not pinned", name);
	return err < 0 ? ctl_error("'%s': %s", name, strerror(-err)) : CTL_OK;
}

/* All that can be. */
static int run(const struct ctl_syntax *syntax, int argc, char *argv[],
	       int (*change)(struct context *c, const char *name,
			     const struct cache_objects *objects))
{
	struct context context = CONTEXT_INIT;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else
			context_option(&context, opt);
	if (optind == argc)
		return ctl_usage(syntax->command, "IMAGE or OBJECT is missing");
	status = context_open(&context, CONTEXT_WRITE);
	for (int i = optind, ok = status == CTL_OK; ok && i < argc; i++)
		if (change_one(&context, argv[i], change) != CTL_OK)
			status = CTL_FAILED;
	context_close(&context);
	return status;
}

int ctl_pin(int argc, char *argv[])
{
	return run(&pin_syntax, argc, argv, pin);
}

int ctl_unpin(int argc, char *argv[])
{
	return run(&unpin_syntax, argc, argv, unpin);
}
