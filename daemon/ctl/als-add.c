/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl als add: from an image to directories that podman takes for its layers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "daemon/ctl/als-match.h"
#include "daemon/ctl/als.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/mount-image.h"
#include "daemon/ctl/mount-make.h"
#include "daemon/ctl/mount-undo.h"
#include "daemon/ctl/mount-wait.h"
#include "daemon/util/cleanup.h"

static const struct option longs[] = {
	ALS_OPTION_DIR,
	{ "name", required_argument, NULL, ALS_OPT_NAME },
	CONTEXT_OPTIONS_REGISTRY,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl als add",
	"h",
	longs,
	"Usage: cachefillctl als add [OPTION]... IMAGE|REF\n"
	"\n"
	"Mounts the layers of an image of the store, or of what a reference leads to,\n"
	"where podman finds them: it pulls no layer of that image then.\n"
	"\n" ALS_HELP_DIR "      --name NAME        what podman calls the image (as REF "
	"does)\n" CONTEXT_HELP_REGISTRY CONTEXT_HELP,
};

struct add {
	struct als als;
	const char *argument;
	struct images_image *image;    /* owned: of that name in the store; or NULL */
	struct fetch_list list;	       /* owned: what the registry says, where there is no image */
	struct images_image *archives; /* owned: what it leads to, if the store lacks layers */
	struct als_layer *layers;      /* owned */
	size_t n_layers;
	char name[ALS_REFERENCE_MAX];
	size_t done; /* layers that are mounted */
};

/* ---- which image, and who has its layers --------------------------------------------------- */

static int ask_registry(struct add *a)
{
	_cleanup_free_ char *locator = NULL;
	char error[CONTEXT_ERROR_MAX] = "";
	bool device;
	int r = image_ref_locator(a->argument, &locator, &device, error);

	if (r < 0)
		return ctl_error("there is no image '%s', and as a reference: %s", a->argument,
				 error);
	r = context_list(&a->als.context, &a->list, locator, error);
	return r < 0 ? ctl_error("%s", *error ? error : strerror(-r)) : CTL_OK;
}

static int find_image(struct add *a)
{
	int r = images_get(a->als.context.images, a->argument, &a->image);

	if (r == -ENOENT)
		return ask_registry(a);
	return r < 0 ? ctl_error("%s: %s", a->argument, strerror(-r)) : CTL_OK;
}

static int read_layers(struct add *a)
{
	const char *why = NULL;
	int r = als_layers_read(&a->layers, &a->n_layers,
				a->image ? a->image->manifest : a->list.manifest,
				a->image ? a->image->config : a->list.config, &why);

	return r < 0 ? ctl_error("%s: %s", a->argument, why ? why : strerror(-r)) : CTL_OK;
}

static int match(void *arg, const struct images_image *image)
{
	struct add *a = arg;

	return als_match(a->layers, a->n_layers, image);
}

static const struct als_layer *find_missing(const struct add *a)
{
	for (size_t i = 0; i < a->n_layers; i++)
		if (!a->layers[i].image)
			return &a->layers[i];
	return NULL;
}

/* The archives themselves, read once to learn where the files are in them. */
static int take_archives(struct add *a)
{
	if (a->image ||
	    mount_image_resolve(&a->als.context, a->argument, &a->list, &a->archives) < 0)
		return CTL_FAILED;
	return match(a, a->archives) < 0 ? ctl_error("out of memory") : CTL_OK;
}

static int find_layers(struct add *a)
{
	const struct als_layer *missing;
	int r = images_each(a->als.context.images, match, a);

	if (r < 0)
		return ctl_error("%s: %s", a->als.context.state_dir, strerror(-r));
	if (!a->image && find_missing(a) && take_archives(a) != CTL_OK)
		return CTL_FAILED;
	missing = find_missing(a);
	if (missing)
		return ctl_error("no image of the store has the files of layer %s of %s: add the "
				 "image of archives, or one that was made of it",
				 missing->digest, a->argument);
	return CTL_OK;
}

/* ---- layers ------------------------------------------------------------------------------- */

/* What podman shows as the size; only the archive itself is known to the byte. */
static uint64_t size_of_files(const struct images_layer *layer)
{
	uint64_t size = layer->primary.size;

	for (size_t i = 0; i < layer->n_devices; i++)
		size += layer->devices[i].size;
	return size;
}

static int publish(struct add *a, const struct als_layer *layer, const struct images_layer *files,
		   char *error)
{
	struct als_info info = {
		.digest = layer->digest,
		.diff_id = layer->diff_id,
		.size = layer->size,
	};

	char mounted[PATH_MAX];
	int r = mount_run_layer(&a->als.run, files->primary.cookie, mounted);

	if (r < 0) {
		snprintf(error, ALS_ERROR_MAX, "%s: %s", a->als.run.dir, strerror(-r));
		return r;
	}
	(void)als_compression(layer->media_type, &info.compression); /* als_layers_read() has */
	info.diff_size = info.compression ? size_of_files(files) : layer->size;
	return als_tree_publish(a->als.dir, a->name, &info, mounted, error);
}

struct claim {
	struct images *images;
	const struct images_image *image;
};

static int claim(void *arg, char *error)
{
	const struct claim *c = arg;

	return mount_image_claim(c->images, c->image, error);
}

/* Each layer is mounted like an image that has no other: on record, and undone like one. */
static int mount_layer(struct add *a, const struct als_layer *layer,
		       const struct images_image *image, char *error)
{
	struct claim claimed = { a->als.context.images, image };
	struct images_image one = *image;
	char diff[PATH_MAX], why[MOUNT_ERROR_MAX] = "";
	struct mount_request request = {
		.image = &one,
		.dir = diff,
		.state_dir = a->als.context.state_dir,
		.domain = a->als.context.config->image_domain,
		.flags = MS_NODEV,
		.claimed = claim,
		.arg = &claimed,
	};
	int r = als_tree_prepare(a->als.dir, a->name, layer->digest, diff, error);

	if (r < 0)
		return r;
	one.layers = &image->layers[layer->index];
	one.n_layers = 1;
	r = mount_make(&a->als.run, &request, why);
	if (r < 0 && r != -EALREADY) {
		snprintf(error, ALS_ERROR_MAX, "%s", why);
		return r;
	}
	return publish(a, layer, one.layers, error);
}

static int add_layer(struct add *a, const struct als_layer *layer, char *error)
{
	_cleanup_(image_freep) struct images_image *stored = NULL;
	const struct images_image *image = a->archives;
	int r = 0;

	if (!image || strcmp(layer->image, image->name) != 0) {
		r = images_get(a->als.context.images, layer->image, &stored);
		image = stored;
	}
	if (r == 0 && layer->index >= image->n_layers)
		r = -ESTALE;
	if (r < 0) {
		snprintf(error, ALS_ERROR_MAX, "%s: %s", layer->image, strerror(-r));
		return r;
	}
	return mount_layer(a, layer, image, error);
}

/* Podman would fetch what is missing: half of an image is not worth much. */
static void take_back(struct add *a)
{
	char ignored[ALS_ERROR_MAX];

	for (size_t i = a->done + 1; i-- > 0;)
		(void)als_remove_layer(&a->als, a->name, a->layers[i].digest, false, ignored);
}

static int add_layers(struct add *a)
{
	char error[ALS_ERROR_MAX] = "";

	for (; a->done < a->n_layers; a->done++) {
		int r = add_layer(a, &a->layers[a->done], error);

		if (r < 0) {
			if (r != -EINTR) /* the kernel still works on it: mount_make() */
				take_back(a);
			return ctl_error("%s", error);
		}
	}
	return CTL_OK;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int add(struct add *a)
{
	int status = als_open(&a->als, CONTEXT_WRITE | CONTEXT_ORIGINS);

	if (status == CTL_OK)
		status = find_image(a);
	if (status == CTL_OK)
		status = als_name(&a->als, a->argument, a->image, a->name);
	if (status == CTL_OK)
		status = read_layers(a);
	if (status == CTL_OK)
		status = find_layers(a);
	if (status != CTL_OK)
		return status;
	mount_wait_signals();
	mount_sweep(&a->als.run);
	status = add_layers(a);
	if (status == CTL_OK)
		printf("%s\n", a->name);
	return status;
}

int ctl_als_add(int argc, char *argv[])
{
	struct add a = { 0 };
	int opt, status;

	als_begin(&a.als);
	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		(void)als_option(&a.als, opt);
	}
	if (argc - optind != 1)
		return ctl_usage(syntax.command, "an image is expected");
	a.argument = argv[optind];
	status = add(&a);
	als_layers_free(a.layers, a.n_layers);
	images_image_free(a.image);
	images_image_free(a.archives);
	fetch_list_end(&a.list);
	als_end(&a.als);
	return status;
}
