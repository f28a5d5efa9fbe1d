/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/space/owners.h"
#include "daemon/state.h"
#include "daemon/util/cleanup.h"

#define KEY_MAX 256

/* Once, however many layers have it. */
static int add_key(struct cache_objects *objects, struct bytes volume, struct bytes cookie,
		   uint64_t size)
{
	struct cache_key *keys;
	uint8_t *own;

	for (size_t i = 0; i < objects->n; i++)
		if (bytes_equal(objects->keys[i].cookie, cookie))
			return 0;
	keys = reallocarray(objects->keys, objects->n + 1, sizeof(*keys));
	own = malloc(volume.len + cookie.len + 1);
	if (keys)
		objects->keys = keys;
	if (!keys || !own) {
		free(own);
		return -ENOMEM;
	}
	memcpy(own, volume.data, volume.len);
	memcpy(own + volume.len, cookie.data, cookie.len);
	keys[objects->n].volume = bytes_of(own, volume.len);
	keys[objects->n].cookie = bytes_of(own + volume.len, cookie.len);
	keys[objects->n++].size = size;
	return 0;
}

void cache_objects_end(struct cache_objects *objects)
{
	for (size_t i = 0; i < objects->n; i++)
		free((void *)objects->keys[i].volume.data);
	free(objects->keys);
	*objects = (struct cache_objects){ 0 };
}

int cache_image(struct context *c, const struct images_image *image, struct cache_objects *objects)
{
	char volume[128];
	int err = 0;

	snprintf(volume, sizeof(volume), "erofs,%s", c->config->image_domain);
	*objects = (struct cache_objects){ .image = true, .pinned = image->pinned };
	for (size_t i = 0; err == 0 && i < image->n_layers; i++) {
		const struct images_layer *layer = &image->layers[i];

		err = add_key(objects, bytes_str(volume), bytes_str(layer->primary.cookie),
			      layer->primary.size);
		for (size_t j = 0; err == 0 && j < layer->n_devices; j++)
			err = add_key(objects, bytes_str(volume),
				      bytes_str(layer->devices[j].cookie), layer->devices[j].size);
	}
	return err;
}

static int add_object(struct cache_objects *objects, const char *argument)
{
	const char *slash = strchr(argument, '/');
	_cleanup_free_ char *text = strdup(argument);
	uint8_t volume[KEY_MAX], cookie[KEY_MAX];
	size_t volume_len, cookie_len;

	if (!text)
		return -ENOMEM;
	if (!slash)
		return -ENOENT;
	text[slash - argument] = '\0';
	if (bytes_parse(text, volume, sizeof(volume), &volume_len) < 0 ||
	    bytes_parse(slash + 1, cookie, sizeof(cookie), &cookie_len) < 0 || cookie_len == 0)
		return -ENOENT;
	return add_key(objects, bytes_of(volume, volume_len), bytes_of(cookie, cookie_len), 0);
}

int cache_objects(struct context *c, const char *argument, struct cache_objects *ret)
{
	struct cache_objects objects = { 0 };
	struct images_image *image = NULL;
	int err = c->images ? images_get(c->images, argument, &image) : -ENOENT;

	if (err == 0)
		err = cache_image(c, image, &objects);
	else if (err == -ENOENT)
		err = add_object(&objects, argument);
	images_image_free(image);
	if (err == 0) {
		*ret = objects;
		return CTL_OK;
	}
	cache_objects_end(&objects);
	if (err == -ENOENT)
		return ctl_error("'%s' is no image that is known (`cachefillctl image ls`), and no "
				 "object: that would be VOLUME/COOKIE, as `cachefillctl du "
				 "--objects` lists them",
				 argument);
	return ctl_error("'%s': %s", argument, strerror(-err));
}

int cache_survey(struct context *c, struct survey **ret)
{
	const char *dir = c->config->cache_dir;
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct survey *survey = NULL;
	int err;

	if (fd < 0)
		return ctl_error("%s: %s", dir, strerror(errno));
	err = survey_take(&survey, fd);
	if (err == 0)
		err = survey_mark(survey, c->images, c->config->image_domain);
	if (err < 0) {
		survey_free(survey);
		return ctl_error("%s cannot be looked through: %s", dir, strerror(-err));
	}
	survey_sort(survey);
	*ret = survey;
	return CTL_OK;
}

struct state_records *cache_records(struct context *c)
{
	struct state_records *records = NULL;

	return state_records_open(&records, c->state_dir) == 0 ? records : NULL;
}

enum verified cache_verified(struct context *c, struct state_records *records, struct bytes volume,
			     struct bytes cookie)
{
	struct images_object object;
	struct state_object record;
	enum verified verified;

	if (records && state_records_get(records, volume, cookie, &record) == 0)
		return state_verified(&record);
	if (!c->images || images_find(c->images, cookie, &object) < 0)
		return VERIFIED_NO;
	verified = verified_promised(object.locator, object.validator);
	images_object_end(&object);
	return verified;
}

char *cache_name(struct bytes volume, struct bytes cookie, char *buf, size_t n)
{
	char v[1024], k[1024];

	snprintf(buf, n, "%s/%s", bytes_print(volume, v, sizeof(v)),
		 bytes_print(cookie, k, sizeof(k)));
	return buf;
}
