/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/image-tar.h"
#include "daemon/ctl/image.h"
#include "daemon/util/cleanup.h"

static const char help[] =
	"Usage: cachefillctl image add [OPTION]... NAME REF...\n"
	"\n"
	"Asks what each REF leads to and remembers it under NAME, so that it can be mounted\n"
	"without asking again. No byte of a layer is fetched but for its first block.\n"
	"\n"
	"A REF is https://HOST/PATH, s3://BUCKET/KEY, file:/PATH or a path that begins with\n"
	"'/' or './', or oci://REGISTRY/NAME:TAG, where oci:// may be left out. Several are\n"
	"layers from bottom to top; device=REF is a further device of the layer before it.\n"
	"What 'fs-verity:sha256:DIGEST;' stands in front of is verified block by block.\n"
	"\n"
	"      --replace          if NAME is another image already, put this in its "
	"place\n" CONTEXT_HELP_REGISTRY CONTEXT_HELP "\n"
	"Examples:\n"
	"  cachefillctl image add debian https://images.example.com/debian.erofs\n"
	"  cachefillctl image add app registry.example.com/team/app:v3\n"
	"  cachefillctl image add stack ./base.erofs s3://layers/app.erofs\n"
	"\n"
	"See cachefillctl-image(1).\n";

enum { OPT_REPLACE = 256 };
static const struct option options[] = {
	{ "replace", no_argument, NULL, OPT_REPLACE },
	CONTEXT_OPTIONS_REGISTRY,
	CONTEXT_OPTIONS,
	{ NULL },
};
static const struct ctl_syntax syntax = { "cachefillctl image add", "h", options, help };

struct add {
	struct context *context;
	struct images_image *image; /* borrowed */
};

static int put(void *arg)
{
	const struct add *add = arg;
	char error[IMAGES_ERROR_MAX] = "";
	int r = images_put(add->context->images, add->image, error);

	return r < 0 ? ctl_error("image '%s': %s", add->image->name, *error ? error : strerror(-r))
		     : CTL_OK;
}

static void warn_of_unknown_version(const struct images_object *object)
{
	char printed[200];

	if (!*object->validator)
		ctl_error("warning: %s: its server tells no version of it, so that a change can "
			  "only be noticed where the size changes",
			  image_ref_print(object->locator, printed, sizeof(printed)));
}

static void tell(const struct images_image *image)
{
	char size[32];
	bool whole = false;

	for (size_t i = 0; i < image->n_layers; i++) {
		const struct images_layer *l = &image->layers[i];

		whole |= l->primary.whole;
		warn_of_unknown_version(&l->primary);
		for (size_t k = 0; k < l->n_devices; k++)
			warn_of_unknown_version(&l->devices[k]);
	}
	printf("%s: %zu layer%s, %s%s\n", image->name, image->n_layers,
	       image->n_layers == 1 ? "" : "s", ctl_bytes(image_size(image), size, sizeof(size)),
	       whole ? ", compressed: fetched as a whole when it is mounted" : "");
}

static bool same_refs(const struct images_image *a, const struct images_image *b)
{
	bool same = a->n_refs == b->n_refs;

	for (size_t i = 0; same && i < a->n_refs; i++)
		same = strcmp(a->refs[i], b->refs[i]) == 0;
	return same;
}

/* There is one of that name. */
static int add_again(struct add *add, const struct images_image *old, bool replace)
{
	int status = CTL_OK;

	if (image_same(old, add->image)) {
		add->image->added = old->added;
		if (old->transient || !same_refs(old, add->image))
			status = put(add);
		if (status == CTL_OK)
			printf("%s: is this image already\n", old->name);
		return status;
	}
	if (!replace)
		return ctl_error("'%s' is another image already: 'cachefillctl image refresh' "
				 "shows what has changed, --replace replaces it",
				 old->name);
	status = image_unmounted(add->context, old->name, "replaced", put, add);
	if (status == CTL_OK)
		tell(add->image);
	return status;
}

static int run(struct context *c, const char *name, const char *const *refs, size_t n, bool replace)
{
	_cleanup_(image_freep) struct images_image *image = NULL, *old = NULL;
	struct add add = { .context = c };
	char error[CONTEXT_ERROR_MAX] = "";
	int r = image_resolve(c, &image, name, refs, n, NULL, error);

	if (r < 0)
		return ctl_error("%s", *error ? error : strerror(-r));
	add.image = image;
	/* It may have been added while the origins were asked. */
	r = images_put_new(c->images, image, error);
	if (r == 0) {
		tell(image);
		return CTL_OK;
	}
	if (r == -EALREADY)
		r = images_get(c->images, name, &old);
	if (r == 0)
		return add_again(&add, old, replace);
	return ctl_error("image '%s': %s", name, *error ? error : strerror(-r));
}

int ctl_image_add(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	char error[CONTEXT_ERROR_MAX];
	bool replace = false;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else if (opt == OPT_REPLACE)
			replace = true;
		else
			context_option(&context, opt);
	if (argc - optind < 2)
		return ctl_usage(syntax.command, "NAME and at least one REF are needed");
	if (image_name_check(argv[optind], error) < 0)
		return ctl_usage(syntax.command, "%s", error);
	status = context_open(&context, CONTEXT_WRITE | CONTEXT_ORIGINS);
	if (status == CTL_OK)
		status = run(&context, argv[optind], (const char *const *)argv + optind + 1,
			     (size_t)(argc - optind - 1), replace);
	/* What was replaced, and what images left that went with their last mount. */
	if (status == CTL_OK)
		image_tar_collect(&context);
	context_close(&context);
	return status;
}
