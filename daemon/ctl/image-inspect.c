/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/cache.h"
#include "daemon/ctl/image-plan.h"
#include "daemon/ctl/image-text.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/json.h"
#include "daemon/state.h"
#include "daemon/util/bytes.h"
#include "daemon/util/cleanup.h"

static const char help[] =
	"Usage: cachefillctl image inspect [OPTION]... NAME\n"
	"\n"
	"Says what an image consists of: its layers from bottom to top, the names of their\n"
	"contents (the cookies by which the kernel asks for them), and where they lie.\n"
	"\n"
	"      --json             print JSON, with manifest and configuration\n" CONTEXT_HELP "\n"
	"See cachefillctl-image(1).\n";

static const struct option options[] = { CONTEXT_OPTION_JSON, CONTEXT_OPTIONS, { NULL } };
static const struct ctl_syntax syntax = { "cachefillctl image inspect", "h", options, help };

struct inspection {
	struct context *context;
	struct state_records *records; /* owned, or NULL */
};

static const char *verified(const struct inspection *in, const struct images_object *o)
{
	char volume[128];

	snprintf(volume, sizeof(volume), "erofs,%s", in->context->config->image_domain);
	return verified_name(
		cache_verified(in->context, in->records, bytes_str(volume), bytes_str(o->cookie)));
}

static void print_object(const struct inspection *in, const char *what,
			 const struct images_object *o)
{
	char size[32], place[512];

	printf("%s%s\n", what, o->cookie);
	printf("    size     %s (%llu)%s\n", ctl_bytes(o->size, size, sizeof(size)),
	       (unsigned long long)o->size, o->whole ? ", compressed: fetched as a whole" : "");
	if (*o->media_type)
		printf("    type     %s\n",
		       bytes_print(bytes_str(o->media_type), place, sizeof(place)));
	printf("    from     %s\n", image_ref_print(o->locator, place, sizeof(place)));
	printf("    verified %s\n", verified(in, o));
}

static void print_layer(const struct inspection *in, const struct images_layer *l, size_t number)
{
	char what[48];

	snprintf(what, sizeof(what), "layer %zu  ", number);
	print_object(in, what, &l->primary);
	if (*l->diff_id)
		printf("    diff_id  %s\n", l->diff_id);
	for (size_t i = 0; i < l->n_devices; i++) {
		snprintf(what, sizeof(what), "  device %zu  ", i + 1);
		print_object(in, what, &l->devices[i]);
	}
}

/* How many ranges; 0: it has none, or it cannot be read. */
static size_t count_plan(struct context *c, const char *name, bool *ret_given)
{
	_cleanup_free_ char *text = NULL;
	const char *at;
	struct plan_range range;
	size_t n = 0;

	if (images_plan(c->images, name, &text, ret_given) < 0)
		return 0;
	for (at = text; image_plan_next(&at, &range);)
		n++;
	return n;
}

static void print_plan(struct context *c, const char *name)
{
	bool given;
	size_t n = count_plan(c, name, &given);

	if (n > 0)
		printf("plan      %zu range%s%s\n", n, n == 1 ? "" : "s",
		       given ? "" : ", of its manifest");
}

static void print_text(struct context *c, const struct images_image *image)
{
	struct inspection in = { c, cache_records(c) };
	char text[512];

	printf("name      %s%s\n", image_name_print(image, text, sizeof(text)),
	       image->transient ? " (until it is unmounted)" : "");
	for (size_t i = 0; i < image->n_refs; i++)
		printf("%s%s\n", i == 0 ? "refs      " : "          ",
		       image_ref_print(image->refs[i], text, sizeof(text)));
	printf("added     %s\n", image_time(image->added, text, sizeof(text)));
	if (*image->manifest_digest)
		printf("manifest  %s\n", image->manifest_digest);
	printf("size      %s\n", ctl_bytes(image_size(image), text, sizeof(text)));
	print_plan(c, image->name);
	for (size_t i = 0; i < image->n_layers; i++)
		print_layer(&in, &image->layers[i], i + 1);
	state_records_close(in.records);
}

static int set_document(json_t *object, const char *name, const char *text)
{
	json_t *value = *text ? json_loads(text, 0, NULL) : NULL;

	return value ? json_object_set_new(object, name, value) : 0;
}

static int set_verified(const struct inspection *in, json_t *object, const struct images_object *o)
{
	return json_object_set_new(object, "verified", json_string(verified(in, o)));
}

/* Into what image_json() has made of its layers. */
static int set_all_verified(const struct inspection *in, json_t *object,
			    const struct images_image *image)
{
	const json_t *layers = json_object_get(object, "layers");
	int err = 0;

	for (size_t i = 0; err == 0 && i < image->n_layers; i++) {
		const struct images_layer *l = &image->layers[i];
		json_t *layer = json_array_get(layers, i);
		const json_t *devices = json_object_get(layer, "devices");

		err = set_verified(in, layer, &l->primary);
		for (size_t k = 0; err == 0 && k < l->n_devices; k++)
			err = set_verified(in, json_array_get(devices, k), &l->devices[k]);
	}
	return err;
}

static int print_json(struct context *c, const struct images_image *image)
{
	struct inspection in = { c, cache_records(c) };
	json_t *object = image_json(image);
	size_t n_ranges;
	bool given;
	int err = object ? set_all_verified(&in, object, image) : -ENOMEM;

	state_records_close(in.records);
	n_ranges = count_plan(c, image->name, &given);
	if (err == 0 && n_ranges > 0)
		err = json_object_set_new(
			object, "plan",
			json_pack("{sI sb}", "ranges", (json_int_t)n_ranges, "given", given));
	if (err < 0 || set_document(object, "manifest", image->manifest) < 0 ||
	    set_document(object, "config", image->config) < 0) {
		json_decref(object);
		return -ENOMEM;
	}
	return ctl_json_line(object);
}

static int run(struct context *c, const char *name)
{
	_cleanup_(image_freep) struct images_image *image = NULL;
	int status = image_find(c, name, &image);

	if (status != CTL_OK)
		return status;
	if (!c->json)
		print_text(c, image);
	else if (print_json(c, image) < 0)
		return ctl_error("out of memory");
	return CTL_OK;
}

int ctl_image_inspect(int argc, char *argv[])
{
	struct context context = CONTEXT_INIT;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else
			context_option(&context, opt);
	if (argc - optind != 1)
		return ctl_usage(syntax.command, "one NAME is needed");
	status = context_open(&context, CONTEXT_READ);
	if (status == CTL_OK)
		status = run(&context, argv[optind]);
	context_close(&context);
	return status;
}
