/* SPDX-License-Identifier: MIT */
/* cachefillctl image plan. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image-plan.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

enum { OPT_REMOVE = 256 };

static const struct option options[] = {
	{ "remove", no_argument, NULL, OPT_REMOVE },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl image plan",
	"h",
	options,
	"Usage: cachefillctl image plan [OPTION]... NAME [FILE]\n"
	"       cachefillctl image plan --remove NAME\n"
	"\n"
	"Prints what is to be fetched of an image first: `cachefillctl prefetch NAME` does\n"
	"that. With FILE, which `cachefillctl trace plan` has written ('-' is standard\n"
	"input), that is its plan from now on.\n"
	"\n"
	"      --remove           it has no plan any more\n"
	"      --json             print JSON\n" CONTEXT_HELP "\n"
	"See cachefillctl-image(1).\n",
};

static int fail(const char *name, int err)
{
	return err == -ENOENT ? ctl_error("image '%s' has no plan", name)
			      : ctl_error("image '%s': %s", name, strerror(-err));
}

/* ---- set and remove ----------------------------------------------------------------------- */

static int say_set(const struct context *c, const char *name, const struct image_plan *plan)
{
	char bytes[32], foreign[64] = "";
	json_t *line;

	if (c->json) {
		line = json_pack("{ss sI sI sI}", "name", name, "ranges", (json_int_t)plan->n,
				 "bytes", (json_int_t)plan->bytes, "foreign",
				 (json_int_t)plan->foreign);
		return ctl_json_line(line) < 0 ? ctl_error("out of memory") : CTL_OK;
	}
	if (plan->foreign > 0)
		snprintf(foreign, sizeof(foreign), "; %zu of others were left out", plan->foreign);
	printf("%s: %zu range%s, %s%s\n", name, plan->n, plan->n == 1 ? "" : "s",
	       ctl_bytes(plan->bytes, bytes, sizeof(bytes)), foreign);
	return CTL_OK;
}

static int check(const struct images_image *image, const char *file, struct image_plan *ret,
		 char *error)
{
	size_t n, len = 0;
	struct image_plan_object *objects = image_plan_objects(image, &n);
	_cleanup_free_ char *text = NULL;
	int err = objects ? image_plan_read(file, &text, &len, error) : -ENOMEM;

	if (err == 0)
		err = image_plan_check(ret, text, len, objects, n, error);
	free(objects);
	return err;
}

static int set(struct context *c, const struct images_image *image, const char *file)
{
	char error[CONTEXT_ERROR_MAX] = "out of memory";
	struct image_plan plan = { 0 };
	int status = CTL_OK, err = check(image, file, &plan, error);

	if (err < 0)
		return ctl_error("the plan %s: %s", file, error);
	err = images_set_plan(c->images, image->name, plan.text);
	status = err < 0 ? fail(image->name, err) : say_set(c, image->name, &plan);
	image_plan_end(&plan);
	return status;
}

static int drop(struct context *c, const struct images_image *image)
{
	int err = images_set_plan(c->images, image->name, "");

	return err < 0 ? fail(image->name, err) : CTL_OK;
}

/* ---- show --------------------------------------------------------------------------------- */

/* As `prefetch --plan` takes it here. */
static void print_text(const struct context *c, const char *text)
{
	struct plan_range range;
	char volume[128];

	snprintf(volume, sizeof(volume), "erofs,%s", c->config->image_domain);
	puts(PLAN_FIRST_LINE);
	while (image_plan_next(&text, &range))
		plan_write_range(stdout, range.off, range.len, bytes_str(volume), range.cookie);
}

static int print_json(const char *name, const char *text, bool given)
{
	json_t *object = json_object(), *ranges = json_array();
	struct plan_range range;

	while (image_plan_next(&text, &range)) {
		json_t *line = json_pack("{ss% sI}", "cookie", (const char *)range.cookie.data,
					 range.cookie.len, "offset", (json_int_t)range.off);

		if (line && range.len != PLAN_TO_THE_END)
			ctl_json_u64(line, "length", range.len);
		json_array_append_new(ranges, line);
	}
	json_object_set_new(object, "name", json_string(name));
	json_object_set_new(object, "given", json_boolean(given));
	json_object_set_new(object, "ranges", ranges);
	return ctl_json_line(object) < 0 ? ctl_error("out of memory") : CTL_OK;
}

static int show(struct context *c, const struct images_image *image)
{
	_cleanup_free_ char *text = NULL;
	bool given;
	int err = images_plan(c->images, image->name, &text, &given);

	if (err < 0)
		return fail(image->name, err);
	if (c->json)
		return print_json(image->name, text, given);
	print_text(c, text);
	return CTL_OK;
}

/* ---- the command -------------------------------------------------------------------------- */

static int run(struct context *c, const char *name, const char *file, bool remove)
{
	_cleanup_(image_freep) struct images_image *image = NULL;
	int status = image_find(c, name, &image);

	if (status != CTL_OK)
		return status;
	if (remove)
		return drop(c, image);
	return file ? set(c, image, file) : show(c, image);
}

int ctl_image_plan(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	bool remove = false;
	int opt, n, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (opt == OPT_REMOVE)
			remove = true;
		else
			context_option(&context, opt);
	n = argc - optind;
	if (n < 1 || n > 2 || (remove && n > 1))
		return ctl_usage(syntax.command, remove ? "--remove needs one NAME"
							: "NAME, or NAME and FILE are needed");
	status = context_open(&context, n == 2 || remove ? CONTEXT_WRITE : CONTEXT_READ);
	if (status == CTL_OK)
		status = run(&context, argv[optind], n == 2 ? argv[optind + 1] : NULL, remove);
	context_close(&context);
	return status;
}
