/* SPDX-License-Identifier: MIT */
/*
 * Makes a host that knows many images, each of one object, that has used all of them:
 *
 *	fill-store STATE_DIR CACHE_DIR DOMAIN IMAGES LOCATOR SIZE VALIDATOR
 *
 * images.db has image-0, image-1, ..., all of them from LOCATOR; their cookies are printed, one a
 * line. state.db has a record of each object, and the cache a file of SIZE bytes that are holes.
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/images/images-internal.h"
#include "daemon/state-internal.h"
#include "proto/cachename.h"

static struct images *images;
static struct state *state;
static int cache;
static char volume[128];

static void put_image(unsigned long i, const struct images_object *object)
{
	char name[32], error[IMAGES_ERROR_MAX];
	struct images_layer layer = {
		.primary = *object,
		.origin_digest = (char *)"",
		.diff_id = (char *)"",
	};
	struct images_image image = {
		.name = name,
		.refs = (char **)&object->locator,
		.n_refs = 1,
		.manifest = (char *)"",
		.config = (char *)"",
		.manifest_digest = (char *)"",
		.layers = &layer,
		.n_layers = 1,
	};

	snprintf(name, sizeof(name), "image-%lu", i);
	if (images_put(images, &image, error) < 0)
		errx(1, "%s: %s", name, error);
}

/* As daemon/engine/known.c records it. */
static void put_record(const struct images_object *object)
{
	static struct state_object record = { .locator = STATE_CONTENT };

	record.size = object->size;
	strcpy(record.validator, object->validator);
	if (state_put(state, bytes_str(volume), bytes_str(object->cookie), &record) < 0)
		errx(1, "%s: cannot be recorded", object->cookie);
}

static void mark(int fd, const uint8_t *attribute, size_t n, const char *path)
{
	if (fsetxattr(fd, CACHENAME_XATTR, attribute, n, 0) < 0)
		err(1, "%s: " CACHENAME_XATTR, path);
}

/* The directory "cache/I<volume>" and those above; the kernel throws away what is not marked. */
static void make_volume(void)
{
	static const uint8_t attribute[CACHENAME_VOLUME_XATTR_LEN];
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "cache/I%s", volume);
	if (mkdirat(cache, "cache", 0700) < 0 || mkdirat(cache, path, 0700) < 0)
		err(1, "%s", path);
	fd = openat(cache, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mark(fd, attribute, sizeof(attribute), path);
	for (int i = 0; i < 256; i++) {
		snprintf(path, sizeof(path), "@%02x", i);
		if (mkdirat(fd, path, 0700) < 0)
			err(1, "%s", path);
	}
	close(fd);
}

static void make_file(const struct images_object *object)
{
	uint8_t attribute[CACHENAME_OBJECT_XATTR_LEN] = { [16] = 1 };
	uint64_t size = htobe64(object->size);
	char path[CACHENAME_PATH_MAX];
	int fd;

	if (cachename_path(bytes_str(volume), bytes_str(object->cookie), path) < 0)
		errx(1, "%s: no name of a cache file", object->cookie);
	fd = openat(cache, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)object->size) < 0)
		err(1, "%s", path);
	memcpy(attribute, &size, sizeof(size));
	mark(fd, attribute, sizeof(attribute), path);
	close(fd);
}

static void open_all(const char *state_dir, const char *cache_dir)
{
	char error[IMAGES_ERROR_MAX];

	cache = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cache < 0)
		err(1, "%s", cache_dir);
	if (images_open(&images, state_dir, IMAGES_WRITE, error) < 0)
		errx(1, "%s", error);
	if (state_open(&state, state_dir) < 0 || state_claim(state, cache) < 0)
		errx(1, "%s/state.db cannot be used", state_dir);
	/* What is half made when the power fails is made anew. */
	sqlite3_exec(images->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	sqlite3_exec(state->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	make_volume();
}

int main(int argc, char **argv)
{
	char cookie[IMAGES_COOKIE_MAX];
	struct images_object object = { .cookie = cookie, .media_type = (char *)"" };
	unsigned long n;

	if (argc != 8) {
		fprintf(stderr, "usage: fill-store STATE_DIR CACHE_DIR DOMAIN IMAGES LOCATOR SIZE "
				"VALIDATOR\n");
		return 2;
	}
	n = strtoul(argv[4], NULL, 10);
	object.locator = argv[5];
	object.size = strtoull(argv[6], NULL, 10);
	object.validator = argv[7];
	snprintf(volume, sizeof(volume), "erofs,%s", argv[3]);
	open_all(argv[1], argv[2]);
	for (unsigned long i = 0; i < n; i++) {
		/* As long, and as scattered, as digests are. */
		snprintf(cookie, sizeof(cookie), "sha256:%016lx%048lx", i * 0x9e3779b97f4a7c15, i);
		put_image(i, &object);
		put_record(&object);
		make_file(&object);
		puts(cookie);
	}
	state_close(state);
	images_close(images);
	return 0;
}
