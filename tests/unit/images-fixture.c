/* SPDX-License-Identifier: MIT */
#include "tests/unit/images-fixture.h"

#include <check.h>
#include <string.h>

char reason[IMAGES_ERROR_MAX];

void images_setup(void)
{
	database_setup("images.db");
	*reason = '\0';
}

struct images *open_images(enum images_access access)
{
	struct images *images = NULL;
	int err = images_open(&images, dir, access, reason);

	ck_assert_msg(err == 0, "%s: %s", strerror(-err), reason);
	return images;
}

struct images_object object_of(const char *cookie, uint64_t size)
{
	return (struct images_object){
		.cookie = (char *)cookie,
		.locator = (char *)"oci://registry/app@sha256:00",
		.validator = (char *)"sha256:00",
		.media_type = (char *)"application/vnd.erofs",
		.size = size,
	};
}

struct images_layer layer_of(const char *cookie, uint64_t size)
{
	return (struct images_layer){
		.primary = object_of(cookie, size),
		.origin_digest = (char *)"",
		.diff_id = (char *)"",
	};
}

struct images_image image_of(const char *name, struct images_layer *layers, size_t n)
{
	return (struct images_image){
		.name = (char *)name,
		.manifest = (char *)"",
		.config = (char *)"",
		.manifest_digest = (char *)"",
		.layers = layers,
		.n_layers = n,
	};
}

int put(struct images *images, const char *name, const char *cookie, uint64_t size)
{
	struct images_layer layer = layer_of(cookie, size);
	struct images_image image = image_of(name, &layer, 1);

	return images_put(images, &image, reason);
}

int64_t find(struct images *images, const char *cookie)
{
	struct images_object object;
	int r = images_find(images, bytes_str(cookie), &object);
	uint64_t size;

	if (r < 0)
		return r;
	ck_assert_str_eq(object.cookie, cookie);
	size = object.size;
	images_object_end(&object);
	return (int64_t)size;
}

struct images_image *get(struct images *images, const char *name)
{
	struct images_image *image;

	ck_assert_int_eq(images_get(images, name, &image), 0);
	ck_assert_str_eq(image->name, name);
	return image;
}
