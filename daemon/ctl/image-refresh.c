/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/image-diff.h"
#include "daemon/ctl/image-text.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/json.h"
#include "daemon/util/cleanup.h"

static const char help[] =
	"Usage: cachefillctl image refresh [OPTION]... NAME\n"
	"\n"
	"Asks what the REFs of an image lead to now, shows what has changed, and applies\n"
	"it when that is wanted. Nothing is applied to an image that is mounted.\n"
	"\n"
	"      --dry-run          only show it\n"
	"      --yes              apply it without asking\n"
	"      --json             print JSON, and do not ask\n" CONTEXT_HELP_REGISTRY CONTEXT_HELP
	"\n"
	"See cachefillctl-image(1).\n";

enum { OPT_DRY_RUN = 256, OPT_YES };
static const struct option options[] = {
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "yes", no_argument, NULL, OPT_YES },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS_REGISTRY,
	CONTEXT_OPTIONS,
	{ NULL },
};
static const struct ctl_syntax syntax = { "cachefillctl image refresh", "h", options, help };

struct refresh {
	struct context *context;
	bool dry_run, yes;
	const struct images_image *old;
	struct images_image *new;
};

static const char *const change_words[] = {
	[IMAGE_KEPT] = "kept",
	[IMAGE_REMOVED] = "removed",
	[IMAGE_ADDED] = "added",
};

/* ---- what has changed --------------------------------------------------------------------- */

static uint64_t layer_size(const struct images_layer *layer)
{
	uint64_t sum = layer->primary.size;

	for (size_t i = 0; i < layer->n_devices; i++)
		sum += layer->devices[i].size;
	return sum;
}

static void print_diff(const struct refresh *r, const struct image_diff *diff)
{
	char old_size[32], new_size[32];

	printf("%s: %s -> %s\n", r->old->name,
	       ctl_bytes(image_size(r->old), old_size, sizeof(old_size)),
	       ctl_bytes(image_size(r->new), new_size, sizeof(new_size)));
	if (strcmp(r->old->manifest_digest, r->new->manifest_digest) != 0)
		printf("  manifest  %s\n         -> %s\n",
		       *r->old->manifest_digest ? r->old->manifest_digest : "none",
		       *r->new->manifest_digest ? r->new->manifest_digest : "none");
	for (size_t i = 0; i < diff->n; i++)
		printf("  %-8s  %s  %s\n", change_words[diff->steps[i].change],
		       diff->steps[i].layer->primary.cookie,
		       ctl_bytes(layer_size(diff->steps[i].layer), new_size, sizeof(new_size)));
}

static json_t *step_json(const struct image_step *step)
{
	json_t *object = image_layer_json(step->layer);

	if (object &&
	    json_object_set_new(object, "change", json_string(change_words[step->change])) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *steps_json(const struct image_diff *diff)
{
	json_t *array = json_array();

	for (size_t i = 0; i < diff->n; i++)
		if (json_array_append_new(array, step_json(&diff->steps[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static int print_json(const struct refresh *r, const struct image_diff *diff, bool applied)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "name", json_string(r->old->name)) < 0 ||
	    json_object_set_new(object, "changed", json_boolean(!image_same(r->old, r->new))) < 0 ||
	    json_object_set_new(object, "applied", json_boolean(applied)) < 0 ||
	    ctl_json_u64(object, "old_size", image_size(r->old)) < 0 ||
	    ctl_json_u64(object, "new_size", image_size(r->new)) < 0 ||
	    json_object_set_new(object, "old_manifest_digest",
				json_string(r->old->manifest_digest)) < 0 ||
	    json_object_set_new(object, "new_manifest_digest",
				json_string(r->new->manifest_digest)) < 0 ||
	    json_object_set_new(object, "layers", steps_json(diff)) < 0) {
		json_decref(object);
		return ctl_error("out of memory");
	}
	return ctl_json_line(object) < 0 ? ctl_error("out of memory") : CTL_OK;
}

/* ---- applying ----------------------------------------------------------------------------- */

static int put(void *arg)
{
	const struct refresh *r = arg;
	char error[IMAGES_ERROR_MAX] = "";
	int err = images_put(r->context->images, r->new, error);

	return err < 0 ? ctl_error("image '%s': %s", r->old->name, *error ? error : strerror(-err))
		       : CTL_OK;
}

static bool ask(void)
{
	char line[16] = "";

	fputs("Apply this? [y/N] ", stdout);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* Whether it is wanted: CTL_OK, and *ret. */
static int decide(const struct refresh *r, bool *ret)
{
	*ret = r->yes;
	if (r->yes || r->dry_run || r->context->json)
		return CTL_OK;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return ctl_error("nothing was applied: say --yes to apply it, or --dry-run");
	*ret = ask();
	if (!*ret)
		puts("Nothing was applied.");
	return CTL_OK;
}

static int apply(struct refresh *r, const struct image_diff *diff)
{
	bool json = r->context->json, wanted;
	int status;

	if (image_same(r->old, r->new)) {
		if (json)
			return print_json(r, diff, false);
		printf("%s: nothing has changed\n", r->old->name);
		return CTL_OK;
	}
	if (!json)
		print_diff(r, diff);
	status = decide(r, &wanted);
	if (status == CTL_OK && wanted)
		status = image_unmounted(r->context, r->old->name, "changed", put, r);
	if (json && status == CTL_OK)
		status = print_json(r, diff, wanted);
	return status;
}

static int run(struct refresh *r, const char *name)
{
	_cleanup_(image_freep) struct images_image *old = NULL, *new = NULL;
	struct image_diff diff = { 0 };
	char error[CONTEXT_ERROR_MAX] = "";
	int status = image_find(r->context, name, &old), err;

	if (status != CTL_OK)
		return status;
	err = image_resolve(r->context, &new, name, (const char *const *)old->refs, old->n_refs,
			    NULL, error);
	if (err == 0)
		err = image_diff(&diff, old, new);
	if (err < 0)
		return ctl_error("image '%s' stays as it was: %s", name,
				 *error ? error : strerror(-err));
	r->old = old;
	r->new = new;
	new->transient = old->transient;
	status = apply(r, &diff);
	image_diff_end(&diff);
	return status;
}

int ctl_image_refresh(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	struct refresh r = { .context = &context };
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (opt == OPT_DRY_RUN)
			r.dry_run = true;
		else if (opt == OPT_YES)
			r.yes = true;
		else
			context_option(&context, opt);
	if (argc - optind != 1)
		return ctl_usage(syntax.command, "one NAME is needed");
	if (r.dry_run && r.yes)
		return ctl_usage(syntax.command, "--dry-run and --yes contradict each other");
	status = context_open(&context, CONTEXT_READ | CONTEXT_ORIGINS);
	if (status == CTL_OK && context.images && !r.dry_run) {
		context_close(&context);
		status = context_open(&context, CONTEXT_WRITE | CONTEXT_ORIGINS);
	}
	if (status == CTL_OK)
		status = run(&r, argv[optind]);
	context_close(&context);
	return status;
}
