/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image-layer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image-tar.h"
#include "daemon/ctl/image.h"
#include "daemon/engine/erofs.h"

/* "REF: SENTENCE", with the layer where there may be several. */
__attribute__((format(printf, 4, 5))) static int fail(const struct image_item *item, int err,
						      char *error, const char *fmt, ...)
{
	char sentence[400], place[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	snprintf(error, CONTEXT_ERROR_MAX, "%s: %s%.19s%s%s",
		 image_ref_print(item->ref, place, sizeof(place)), *item->digest ? "layer " : "",
		 item->digest, *item->digest ? "...: " : "", sentence);
	return err;
}

/* ---- objects ------------------------------------------------------------------------------ */

int image_object_make(struct images_object *ret, const struct image_item *item)
{
	char cookie[IMAGES_COOKIE_MAX];
	struct images_object object = { .size = item->identity.size };

	image_cookie(cookie, item->locator, &item->identity);
	object.cookie = strdup(cookie);
	object.locator = strdup(item->locator);
	object.validator = strdup(item->identity.validator);
	object.media_type = strdup(item->media_type);
	if (!object.cookie || !object.locator || !object.validator || !object.media_type) {
		images_object_end(&object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

void image_layer_end(struct images_layer *layer)
{
	images_object_end(&layer->primary);
	for (size_t i = 0; i < layer->n_devices; i++)
		images_object_end(&layer->devices[i]);
	free(layer->devices);
	free(layer->origin_digest);
	free(layer->diff_id);
	*layer = (struct images_layer){ 0 };
}

/* ---- EROFS -------------------------------------------------------------------------------- */

static int check_super(const struct image_item *item, const struct erofs_super *super, char *error)
{
	if (super->block_size != 4096)
		return fail(item, -EINVAL, error,
			    "an EROFS image with blocks of %u bytes: over fscache the kernel takes "
			    "4096 alone, make it with mkfs.erofs -b4096",
			    super->block_size);
	if (super->size > item->identity.size)
		return fail(item, -EINVAL, error,
			    "its superblock says that it has %llu bytes, but there are only %llu: "
			    "it was cut off",
			    (unsigned long long)super->size,
			    (unsigned long long)item->identity.size);
	return 0;
}

static int make_erofs(struct context *context, const struct image_item *item,
		      struct images_layer *ret, char *error)
{
	struct images_layer layer = { 0 };
	struct erofs_super super;
	int r;

	if (!erofs_read_super(&super, item->head, item->head_len))
		return fail(item, -EINVAL, error, "it is said to be an EROFS image, and is none");
	r = check_super(item, &super, error);
	if (r < 0)
		return r;
	layer.origin_digest = strdup(item->digest);
	layer.diff_id = strdup(item->diff_id);
	if (!layer.origin_digest || !layer.diff_id || image_object_make(&layer.primary, item) < 0) {
		image_layer_end(&layer);
		return fail(item, -ENOMEM, error, "out of memory");
	}
	layer.primary.whole = super.kind == EROFS_COMPRESSED;
	*ret = layer;
	return 0;
}

int image_layer_check_devices(const struct images_layer *layer, const struct image_item *item,
			      char *error)
{
	struct erofs_super super;

	/* What is made of a layer is whole by itself. */
	if (!erofs_read_super(&super, item->head, item->head_len) ||
	    super.devices == layer->n_devices)
		return 0;
	return fail(item, -EINVAL, error,
		    "the EROFS image has %u further device%s, and %zu %s given: each is a REF of "
		    "the form device=REF behind it, in their order",
		    super.devices, super.devices == 1 ? "" : "s", layer->n_devices,
		    layer->n_devices == 1 ? "is" : "are");
}

int image_layer_add_device(struct images_layer *layer, const struct image_item *item, char *error)
{
	struct images_object *larger =
		reallocarray(layer->devices, layer->n_devices + 1, sizeof(*layer->devices));

	if (!larger)
		return fail(item, -ENOMEM, error, "out of memory");
	layer->devices = larger;
	if (image_object_make(&larger[layer->n_devices], item) < 0)
		return fail(item, -ENOMEM, error, "out of memory");
	layer->n_devices++;
	return 0;
}

/* ---- what cannot be mounted --------------------------------------------------------------- */

static int refuse_zstd(struct context *context, const struct image_item *item,
		       struct images_layer *ret, char *error)
{
	return fail(item, -EOPNOTSUPP, error,
		    "it is compressed with zstd, of which no range can be read: convert the "
		    "image with 'cachefillctl image build'");
}

static int refuse_foreign(struct context *context, const struct image_item *item,
			  struct images_layer *ret, char *error)
{
	return fail(item, -EOPNOTSUPP, error,
		    "it is a foreign one, which its registry does not have");
}

static int refuse_encrypted(struct context *context, const struct image_item *item,
			    struct images_layer *ret, char *error)
{
	return fail(item, -EOPNOTSUPP, error, "it is encrypted");
}

#ifndef HAVE_TARMAP
static int refuse_tar(struct context *context, const struct image_item *item,
		      struct images_layer *ret, char *error)
{
	return fail(
		item, -EOPNOTSUPP, error,
		"it is a tar archive, for which no fetcher was built in: convert the image "
		"with 'cachefillctl image build'");
}
#define image_tar_make	 refuse_tar
#define image_targz_make refuse_tar
#endif

/* ---- the table ---------------------------------------------------------------------------- */

#define OCI_TAR	   "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_TAR "application/vnd.docker.image.rootfs.diff.tar"

/* The first that matches. What can only be EROFS by its superblock does not come here. */
static const struct image_handler handlers[] = {
	{ "*+encrypted", refuse_encrypted },
	{ OCI_TAR "+zstd", refuse_zstd },
	{ DOCKER_TAR ".zstd", refuse_zstd },
	{ OCI_TAR "+gzip", image_targz_make },
	{ DOCKER_TAR ".gzip", image_targz_make },
	{ OCI_TAR, image_tar_make },
	{ DOCKER_TAR, image_tar_make },
	{ "application/vnd.docker.image.rootfs.foreign.*", refuse_foreign },
	{ "application/vnd.oci.image.layer.nondistributable.*", refuse_foreign },
	{ "application/vnd.erofs.*", make_erofs },
	{ "*.erofs", make_erofs },
};

/* '*' stands for any text, at the beginning or at the end; parameters of a type do not matter. */
static bool matches(const char *pattern, const char *type)
{
	size_t n = strlen(pattern), len = strcspn(type, "; ");

	if (pattern[0] == '*')
		return len >= n - 1 && strncmp(type + len - (n - 1), pattern + 1, n - 1) == 0;
	if (pattern[n - 1] == '*')
		return strncmp(type, pattern, n - 1) == 0;
	return len == n && strncmp(type, pattern, n) == 0;
}

/* For an object that nobody describes. */
static const char *type_by_head(const uint8_t *head, size_t n)
{
	if (n >= 263 && memcmp(head + 257, "ustar", 5) == 0)
		return OCI_TAR;
	if (n >= 3 && memcmp(head, "\x1f\x8b\x08", 3) == 0)
		return OCI_TAR "+gzip";
	if (n >= 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
		return OCI_TAR "+zstd";
	return "";
}

static bool says_nothing(const char *type)
{
	return *type == '\0' || strcmp(type, "application/octet-stream") == 0;
}

/* No archive begins so, but one of nothing. */
static bool begins_with_zeros(const struct image_item *item)
{
	static const uint8_t zeros[512];

	return item->head_len >= sizeof(zeros) && memcmp(item->head, zeros, sizeof(zeros)) == 0;
}

/*
 * Whatever its media type is. But one text must not be an image for us and an archive for whoever
 * looks for what should not be in it: what can be both is what its type says.
 */
static bool is_erofs(const struct image_item *item)
{
	if (erofs_look(item->head, item->head_len) == EROFS_NONE)
		return false;
	return begins_with_zeros(item) ||
	       (says_nothing(item->media_type) && !*type_by_head(item->head, item->head_len));
}

int image_layer_make(struct context *context, const struct image_item *item,
		     struct images_layer *ret, char *error)
{
	struct image_item typed = *item;
	char printed[100];

	if (is_erofs(item))
		return make_erofs(context, item, ret, error);
	if (says_nothing(item->media_type))
		typed.media_type = type_by_head(item->head, item->head_len);
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (matches(handlers[i].media_type, typed.media_type))
			return handlers[i].make(context, &typed, ret, error);
	if (says_nothing(typed.media_type))
		return fail(item, -EINVAL, error, "it is no EROFS image");
	return fail(item, -EOPNOTSUPP, error,
		    "it has the media type %s, of which we know nothing, and is no EROFS image",
		    bytes_print(bytes_str(typed.media_type), printed, sizeof(printed)));
}
