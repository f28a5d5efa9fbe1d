/* SPDX-License-Identifier: MIT */
/*
 * Writes an image into a store, without a look at its origin:
 *
 *	image-put [--transient] STATE_DIR NAME LAYER...
 *
 * LAYER is PREFIX/FILE[,DEVICE...]: a file and, in the same directory, its devices. Cookies are the
 * names of the files, sizes those that they have, locators "file:" and the path.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/images/images.h"

static void *need(void *p)
{
	if (!p) {
		perror("image-put");
		exit(1);
	}
	return p;
}

static struct images_object object(const char *dir, const char *name)
{
	struct images_object o = {
		.cookie = need(strdup(name)),
		.validator = need(strdup("")),
		.media_type = need(strdup("")),
	};
	struct stat st = { 0 };

	if (asprintf(&o.locator, "file:%s/%s", dir, name) < 0)
		need(NULL);
	if (stat(o.locator + 5, &st) != 0) {
		perror(o.locator);
		exit(1);
	}
	o.size = (uint64_t)st.st_size;
	return o;
}

static struct images_layer layer(char *text)
{
	struct images_layer l = { .origin_digest = need(strdup("")), .diff_id = need(strdup("")) };
	char *slash = need(strrchr(text, '/')), *name;

	*slash++ = '\0';
	l.primary = object(text, strsep(&slash, ","));
	while ((name = strsep(&slash, ","))) {
		l.devices = need(reallocarray(l.devices, l.n_devices + 1, sizeof(*l.devices)));
		l.devices[l.n_devices++] = object(text, name);
	}
	return l;
}

int main(int argc, char *argv[])
{
	bool transient = argc > 1 && strcmp(argv[1], "--transient") == 0;
	struct images_image image = {
		.manifest = need(strdup("")),
		.config = need(strdup("")),
		.manifest_digest = need(strdup("")),
		.transient = transient,
	};
	char error[IMAGES_ERROR_MAX] = "";
	struct images *images;
	int r;

	argv += transient;
	argc -= transient;
	if (argc < 4) {
		fputs("usage: image-put [--transient] STATE_DIR NAME LAYER...\n", stderr);
		return 2;
	}
	image.name = argv[2];
	image.layers = need(calloc((size_t)argc, sizeof(*image.layers)));
	for (int i = 3; i < argc; i++)
		image.layers[image.n_layers++] = layer(need(strdup(argv[i])));
	r = images_open(&images, argv[1], IMAGES_WRITE, error);
	if (r == 0)
		r = images_put(images, &image, error);
	if (r < 0)
		fprintf(stderr, "image-put: %s: %s\n", error, strerror(-r));
	return r < 0;
}
