/* SPDX-License-Identifier: MIT */
#include "tests/unit/engine-images-fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/temporary.h"

/* ---- fetchers: all are the rig's ----------------------------------------------------------- */

static int fake_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	if (loop)
		*ret = fake_fetcher(rig.fake);
	return 0;
}

static const struct fetcher_class fake_class = {
	.name = "fake",
	.schemes = (const char *const[]){ "fake", NULL },
	.keys = (const struct fetcher_key[]){ { NULL, NULL } },
	.create = fake_create,
};

const struct fetcher_class *const fetcher_classes[] = { &fake_class, NULL };

/* ---- fixture ------------------------------------------------------------------------------- */

static char dir[TEMPORARY_MAX];
static struct config *config;
struct origins *origins;
struct image_catalog *catalog;

/* The first source of the engine is that of the configuration; its rule is the rig's. */
void configure(const char *more)
{
	char text[512], error[CONFIG_ERROR_MAX];

	config_free(config);
	ck_assert_int_eq(config_new(&config), 0);
	snprintf(text, sizeof(text), "source fake { url fake://configured/{cookie} }\n%s", more);
	ck_assert_int_eq(config_parse(config, "F", text, strlen(text), error), 0);
	ck_assert_int_eq(config_finish(config, error), 0);
}

/* Right before the engine is made. */
static void make_catalog(struct port **port)
{
	ck_assert_int_eq(origins_new(&origins, rig.loop, config), 0);
	ck_assert_int_eq(image_catalog_new(&catalog, dir, "img", origins), 0);
	rig.config.catalog = image_catalog_of(catalog);
	rig.config.n_spare = IMAGE_CATALOG_SPARE;
}

static void set_up(void)
{
	temporary_dir(dir, TEMPORARY_ANY);
	configure("");
	rig_setup();
	rig.decorate = make_catalog;
}

static void free_catalog(void)
{
	catalog = image_catalog_free(catalog);
	origins = origins_free(origins);
}

static void stop(void)
{
	rig_stop();
	free_catalog();
}

void restart(void)
{
	stop();
	rig_start();
}

void kill_and_restart(void)
{
	rig_kill();
	free_catalog();
	rig_start();
}

static void tear_down(void)
{
	if (rig.frontend)
		stop();
	rig_end();
	config = config_free(config);
	temporary_remove(dir);
}

/* ---- the store ----------------------------------------------------------------------------- */

struct images *open_store(void)
{
	char error[IMAGES_ERROR_MAX];
	struct images *images;
	int err = images_open(&images, dir, IMAGES_WRITE, error);

	ck_assert_msg(err == 0, "%s", error);
	return images;
}

void add_image_as(const char *cookie, const struct fake_origin *origin, const char *validator,
		  bool whole)
{
	struct images *images = open_store();
	char error[IMAGES_ERROR_MAX];
	struct images_layer layer = {
		.primary = { .cookie = (char *)cookie,
			     .locator = origin->locator,
			     .validator = (char *)validator,
			     .media_type = (char *)"",
			     .size = origin->bytes.size,
			     .whole = whole },
		.origin_digest = (char *)"",
		.diff_id = (char *)"",
	};
	struct images_image image = {
		.name = (char *)cookie,
		.manifest = (char *)"",
		.config = (char *)"",
		.manifest_digest = (char *)"",
		.layers = &layer,
		.n_layers = 1,
	};
	int err = images_put(images, &image, error);

	ck_assert_msg(err == 0, "%s", error);
	images_close(images);
}

void add_image(const char *cookie, const struct fake_origin *origin)
{
	add_image_as(cookie, origin, origin->validator, origin->compressed);
}

void drop_image(const char *cookie)
{
	struct images *images = open_store();

	ck_assert_int_eq(images_remove(images, cookie), 0);
	images_close(images);
}

static const char *store_path(void)
{
	static char path[TEMPORARY_MAX + 16];

	snprintf(path, sizeof(path), "%s/images.db", dir);
	return path;
}

void unlink_store(void)
{
	ck_assert_int_eq(unlink(store_path()), 0);
}

void spoil_store(void)
{
	char junk[8192];
	int fd;

	memset(junk, 0xa5, sizeof(junk));
	fd = open(store_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
}

/* ---- mounts -------------------------------------------------------------------------------- */

struct fake_origin *serve(const char *locator, uint64_t size, uint64_t seed)
{
	struct fake_origin *origin = fake_serve(rig.fake, locator, size);

	origin->seed = seed;
	return origin;
}

struct emu_mount *mount_in(const char *volume, const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *mount = emu_open(rig.emu, volume, cookie, &origin->bytes);

	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING &&
		 emu_mount_state(mount) != EMU_MOUNT_BLOCKED);
	return mount;
}

struct emu_mount *mount_image(const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *m = mount_in(IMAGES, cookie, origin);

	ck_assert_int_eq(emu_mount_state(m), EMU_MOUNT_OPEN);
	return m;
}

int mount_error(const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *m = mount_in(IMAGES, cookie, origin);

	ck_assert_int_eq(emu_mount_state(m), EMU_MOUNT_FAILED);
	return emu_mount_error(m);
}

void read_all(const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *m = mount_image(cookie, origin);

	ck_assert_int_eq(rig_read(m, 0, origin->bytes.size), 0);
	rig_umount(m);
}

uint64_t present(const char *cookie)
{
	return emu_present(rig.emu, bytes_str(IMAGES), bytes_str(cookie));
}

TCase *images_case(Suite *s)
{
	TCase *t = tcase_create("images");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	suite_add_tcase(s, t);
	return t;
}
