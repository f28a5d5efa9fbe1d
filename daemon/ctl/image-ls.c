/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/image-text.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/json.h"

static const char help[] = "Usage: cachefillctl image ls [OPTION]...\n"
			   "\n"
			   "Lists the images that are known.\n"
			   "\n"
			   "      --json             print JSON, one image a line\n"
			   "      --names            print the names alone\n" CONTEXT_HELP "\n"
			   "See cachefillctl-image(1).\n";

enum { OPT_NAMES = 256 };
static const struct option options[] = {
	{ "names", no_argument, NULL, OPT_NAMES },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};
static const struct ctl_syntax syntax = { "cachefillctl image ls", "h", options, help };

struct listing {
	bool json, names;
	int width; /* of the names; 0: not known yet */
	size_t n;
};

static int measure(void *arg, const struct images_image *image)
{
	struct listing *l = arg;
	char name[256];
	int len = (int)strlen(image_name_print(image, name, sizeof(name)));

	l->width = len > l->width ? len : l->width;
	return 0;
}

static int print_line(const struct listing *l, const struct images_image *image)
{
	char name[256], size[32], added[32], from[256];

	printf("%-*s  %6zu  %10s  %s  %-6s  %s\n", l->width,
	       image_name_print(image, name, sizeof(name)), image->n_layers,
	       ctl_bytes(image_size(image), size, sizeof(size)),
	       image_time(image->added, added, sizeof(added)), image->pinned ? "pinned" : "-",
	       image->n_refs > 0 ? image_ref_print(image->refs[0], from, sizeof(from)) : "");
	return 0;
}

static int print_json(const struct images_image *image)
{
	json_t *object = image_json(image);

	if (!object || json_object_set_new(object, "pinned", json_boolean(image->pinned)) < 0) {
		json_decref(object);
		return -ENOMEM;
	}
	return ctl_json_line(object);
}

static int print(void *arg, const struct images_image *image)
{
	struct listing *l = arg;

	/* Those that can be named. */
	if (l->names)
		return image->transient || puts(image->name) >= 0 ? 0 : -EIO;
	return l->json ? print_json(image) : print_line(l, image);
}

static int run(const struct context *c, bool names)
{
	struct listing l = { .json = c->json, .names = names, .width = 4 };
	int r = 0;

	if (!c->images)
		return CTL_OK;
	if (!l.json && !names) {
		r = images_each(c->images, measure, &l);
		if (r == 0)
			printf("%-*s  LAYERS        SIZE  %-16s  PINNED  FROM\n", l.width, "NAME",
			       "ADDED");
	}
	if (r == 0)
		r = images_each(c->images, print, &l);
	return r < 0 ? ctl_error("%s: %s", c->state_dir, strerror(-r)) : CTL_OK;
}

int ctl_image_ls(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	bool names = false;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (opt == OPT_NAMES)
			names = true;
		else
			context_option(&context, opt);
	if (optind < argc)
		return ctl_usage(syntax.command, "takes no arguments");
	status = context_open(&context, CONTEXT_READ);
	if (status == CTL_OK)
		status = run(&context, names);
	context_close(&context);
	return status;
}
