/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/mount-image.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/mount-error.h"
#include "daemon/util/cleanup.h"

static_assert((int)MOUNT_ERROR_MAX >= (int)CONTEXT_ERROR_MAX, "one buffer for both");

bool mount_image_is_ref(const char *text)
{
	return strstr(text, "://") || strncmp(text, "file:", 5) == 0 || *text == '/' ||
	       strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

int mount_image_find(const struct context *c, const char *name, struct images_image **ret)
{
	int r = c->images ? images_get(c->images, name, ret) : -ENOENT;

	if (r == -ENOENT)
		ctl_error("there is no image '%s' in the store in %s; 'cachefillctl image ls' "
			  "lists them",
			  name, c->state_dir);
	else if (r < 0)
		ctl_error("%s: %s", name, strerror(-r));
	return r;
}

int mount_image_resolve(struct context *c, const char *ref, struct fetch_list *list,
			struct images_image **ret)
{
	_cleanup_free_ char *locator = NULL;
	char error[MOUNT_ERROR_MAX] = ""; /* the larger of both */
	bool device = false;
	int r = image_ref_locator(ref, &locator, &device, error);

	if (r == 0 && device)
		r = mount_fail(error, -EINVAL, "a device alone is no image");
	if (r == 0)
		r = images_get(c->images, locator, ret);
	if (r == -ENOENT) {
		r = image_resolve(c, ret, locator, &ref, 1, list, error);
		if (r == 0)
			(*ret)->transient = true;
	}
	if (r < 0)
		ctl_error("%s", *error ? error : strerror(-r));
	return r;
}

/* Only the layers count. */
static bool same_layers(const struct images_image *a, const struct images_image *b)
{
	bool same = a->n_layers == b->n_layers;

	for (size_t i = 0; same && i < a->n_layers; i++)
		same = image_same_layer(&a->layers[i], &b->layers[i]);
	return same;
}

/* With the records locked. Somebody may have removed or replaced it since we looked. */
int mount_image_claim(struct images *images, const struct images_image *image, char *error)
{
	_cleanup_(image_freep) struct images_image *now = NULL;
	int r = images_get(images, image->name, &now);

	if (r == -ENOENT && image->transient) {
		*error = '\0';
		r = images_put(images, image, error);
		return r < 0 && !*error ? mount_fail_errno(error, r, "%s", image->name) : r;
	}
	if (r == 0 && same_layers(now, image))
		return 0;
	if (r < 0 && r != -ENOENT)
		return mount_fail_errno(error, r, "%s", image->name);
	return mount_fail(error, -ESTALE, "image '%s' was %s just now; try again", image->name,
			  r == 0 ? "replaced" : "removed");
}
