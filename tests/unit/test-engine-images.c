/* SPDX-License-Identifier: MIT */
/*
 * Images in the whole daemon: what the store says is served, without the network where that is
 * possible, whatever becomes of the store meanwhile.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/image-catalog.h"
#include "daemon/images/images.h"
#include "daemon/util/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define IMAGES "erofs,img"

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

/* ---- memory that ends ----------------------------------------------------------------------- */

#define NEVER UINT32_MAX
static unsigned int memory_lasts = NEVER; /* allocations until one fails */
static unsigned int failed;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

/* Once. */
static bool memory_ends(void)
{
	if (memory_lasts == NEVER || memory_lasts-- > 0)
		return false;
	memory_lasts = NEVER;
	failed++;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return memory_ends() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_ends() ? NULL : __real_calloc(n, size);
}

char *__wrap_strdup(const char *text)
{
	return memory_ends() ? NULL : __real_strdup(text);
}

/* The script itself has all the memory that it wants. */
static struct fetcher_ops scripted, frail;

static int frail_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			const struct fetch_identity *identity)
{
	unsigned int saved = memory_lasts;
	int err;

	if (memory_ends())
		return -ENOMEM;
	memory_lasts = NEVER;
	err = scripted.attach(fetcher, ret, locator, identity);
	memory_lasts = saved;
	return err;
}

static void make_frail(void)
{
	struct fetcher *fetcher = fake_fetcher(rig.fake);

	scripted = frail = *fetcher->ops;
	frail.attach = frail_attach;
	fetcher->ops = &frail;
}

/* ---- fixture ------------------------------------------------------------------------------- */

static char dir[TEMPORARY_MAX];
static struct config *config;
static struct origins *origins;
static struct image_catalog *catalog;

/* The first source of the engine is that of the configuration; its rule is the rig's. */
static void configure(const char *more)
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

static void stop(void)
{
	rig_stop();
	catalog = image_catalog_free(catalog);
	origins = origins_free(origins);
}

static void restart(void)
{
	stop();
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

static struct images *store_open(void)
{
	char error[IMAGES_ERROR_MAX];
	struct images *images;
	int err = images_open(&images, dir, IMAGES_WRITE, error);

	ck_assert_msg(err == 0, "%s", error);
	return images;
}

/* An image of the cookie's name, of one object. */
static void add_as(const char *cookie, const struct fake_origin *origin, const char *validator,
		   bool whole)
{
	struct images *images = store_open();
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

static void add(const char *cookie, const struct fake_origin *origin)
{
	add_as(cookie, origin, origin->validator, origin->compressed);
}

static void drop(const char *cookie)
{
	struct images *images = store_open();

	ck_assert_int_eq(images_remove(images, cookie), 0);
	images_close(images);
}

static void spoil(void)
{
	char path[TEMPORARY_MAX + 16], junk[8192];
	int fd;

	snprintf(path, sizeof(path), "%s/images.db", dir);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
}

/* ---- mounts -------------------------------------------------------------------------------- */

static struct fake_origin *serve(const char *locator, uint64_t size, uint64_t seed)
{
	struct fake_origin *origin = fake_serve(rig.fake, locator, size);

	origin->seed = seed;
	return origin;
}

static struct emu_mount *mount_in(const char *volume, const char *cookie,
				  const struct fake_origin *origin)
{
	struct emu_mount *mount = emu_open(rig.emu, volume, cookie, &origin->bytes);

	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING &&
		 emu_mount_state(mount) != EMU_MOUNT_BLOCKED);
	return mount;
}

static struct emu_mount *mount(const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *m = mount_in(IMAGES, cookie, origin);

	ck_assert_int_eq(emu_mount_state(m), EMU_MOUNT_OPEN);
	return m;
}

static int mount_error(const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *m = mount_in(IMAGES, cookie, origin);

	ck_assert_int_eq(emu_mount_state(m), EMU_MOUNT_FAILED);
	return emu_mount_error(m);
}

/* Mounts it, reads all of it, which the kernel compares with the origin's bytes, and lets go. */
static void read_all(const char *cookie, const struct fake_origin *origin)
{
	struct emu_mount *m = mount(cookie, origin);

	ck_assert_int_eq(rig_read(m, 0, origin->bytes.size), 0);
	rig_umount(m);
}

static uint64_t present(const char *cookie)
{
	return emu_present(rig.emu, bytes_str(IMAGES), bytes_str(cookie));
}

/* ---- what the store knows ------------------------------------------------------------------ */

START_TEST(opening_needs_no_network)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	configure("revalidate yes\n"); /* of a content there is nothing to ask */
	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	origin->look_error = -EIO;
	add("sha256-a", origin);
	for (int i = 0; i < 3; i++) {
		m = mount("sha256-a", origin);
		ck_assert_uint_eq(emu_mount_size(m), 4 * MIB);
		ck_assert_int_eq(rig_read(m, MIB, 64 * KIB), 0);
		rig_umount(m);
	}
	ck_assert_uint_eq(origin->looks, 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
	ck_assert_uint_eq(engine_stats(rig.engine).known, 3);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered, 0);
}
END_TEST

START_TEST(what_is_cached_is_mounted_offline)
{
	struct fake_origin *origin;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	add("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(present("sha256-a"), 4 * MIB);
	restart();
	origin->look_error = origin->read_error = -EHOSTUNREACH;
	origin->fail_always = true;
	read_all("sha256-a", origin);
	rig_kill();
	catalog = image_catalog_free(catalog);
	origins = origins_free(origins);
	rig_start();
	read_all("sha256-a", origin);
	ck_assert_uint_eq(origin->looks, 0);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
}
END_TEST

START_TEST(other_keys_go_by_the_rules)
{
	struct fake_origin *origin, *other;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	other = rig_serve("other", MIB);
	add("sha256-a", origin);
	read_all("other", other);
	ck_assert_int_eq(emu_mount_state(mount_in("erofs,elsewhere", "sha256-a", origin)),
			 EMU_MOUNT_FAILED);
	ck_assert_uint_eq(other->looks, 1);
	ck_assert_uint_eq(engine_stats(rig.engine).known, 0);
}
END_TEST

START_TEST(two_cookies_of_one_origin_share_its_limit)
{
	struct fake_origin *a, *b, *other;
	struct emu_reader *readers[3];
	struct emu_mount *mounts[3];

	configure("max-requests 1\n");
	rig_begin();
	a = serve("fake://h/a", MIB, 1);
	b = serve("fake://h/b", MIB, 2);
	other = serve("fake://elsewhere/c", MIB, 3);
	a->delay = b->delay = other->delay = SEC;
	add("sha256-a", a);
	add("sha256-b", b);
	add("sha256-c", other);
	mounts[0] = mount("sha256-a", a);
	mounts[1] = mount("sha256-b", b);
	readers[0] = emu_read(mounts[0], 0, 4096);
	readers[1] = emu_read(mounts[1], 0, 4096);
	rig_run(100 * MS);
	ck_assert_uint_eq(fake_running(rig.fake), 1);
	mounts[2] = mount("sha256-c", other);
	readers[2] = emu_read(mounts[2], 0, 4096);
	rig_run(100 * MS);
	ck_assert_uint_eq(fake_running(rig.fake), 2);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rig_finish(readers[i]), 0);
}
END_TEST

/* ---- compressed images --------------------------------------------------------------------- */

START_TEST(a_compressed_image_is_fetched_as_a_whole)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	origin->compressed = true;
	add("sha256-a", origin);
	m = mount("sha256-a", origin);
	ck_assert_int_eq(rig_read(m, 1024, 128), 0);
	ck_assert_uint_eq(present("sha256-a"), 4 * MIB);
	rig_umount(m);
	restart();
	origin->fail_always = true;
	origin->read_error = -EIO;
	read_all("sha256-a", origin);
}
END_TEST

START_TEST(a_compressed_image_may_be_refused)
{
	struct fake_origin *origin, *plain;

	configure("compressed refuse\n");
	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	plain = serve("fake://h/b", MIB, 2);
	origin->compressed = true;
	add("sha256-a", origin);
	add("sha256-b", plain);
	ck_assert_int_eq(mount_error("sha256-a", origin), -EOPNOTSUPP);
	read_all("sha256-b", plain);
}
END_TEST

/* Bytes that were stored as of a plain image may be its first block. */
START_TEST(what_is_known_to_be_compressed_later_is_fetched_again)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	add_as("sha256-a", origin, "v1", false);
	m = mount("sha256-a", origin);
	ck_assert_int_eq(rig_read(m, 0, 4096), 0);
	rig_umount(m);
	ck_assert_uint_lt(present("sha256-a"), 4 * MIB);
	add_as("sha256-a", origin, "v1", true);
	m = mount("sha256-a", origin);
	ck_assert_int_eq(rig_read(m, 0, 4096), 0);
	ck_assert_uint_eq(present("sha256-a"), 4 * MIB);
	ck_assert_uint_gt(origin->blocks_asked_twice, 0);
	rig_umount(m);
}
END_TEST

/* ---- the store changes --------------------------------------------------------------------- */

START_TEST(an_image_is_added_after_it_was_asked_for)
{
	struct fake_origin *rule, *origin;

	rig.source.negative_ttl = 1000 * SEC;
	rig_begin();
	rule = rig_serve("sha256-a", MIB);
	rule->look_error = -ENOENT;
	origin = serve("fake://h/a", 2 * MIB, 1);
	ck_assert_int_eq(mount_error("sha256-a", rule), -ENOENT);
	ck_assert_int_eq(mount_error("sha256-a", rule), -ENOENT);
	ck_assert_uint_eq(engine_stats(rig.engine).remembered_absent, 1);
	add("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(rule->looks, 1);
}
END_TEST

START_TEST(an_image_is_removed_while_it_is_open)
{
	struct fake_origin *origin;
	struct emu_mount *m;

	rig_begin();
	origin = serve("fake://h/a", 4 * MIB, 1);
	add("sha256-a", origin);
	m = mount("sha256-a", origin);
	drop("sha256-a");
	ck_assert_int_eq(rig_read(m, 0, 4 * MIB), 0);
	rig_umount(m);
	ck_assert_int_eq(mount_error("sha256-a", origin), -ENOENT);

	/* What was cached of it is still its content. */
	add("sha256-a", origin);
	read_all("sha256-a", origin);
	ck_assert_uint_eq(origin->blocks_asked_twice, 0);
}
END_TEST

/* A cookie names a content: where that lies may change, and what it is known by there. */
START_TEST(what_moved_is_not_fetched_again)
{
	struct fake_origin *here, *there;
	struct emu_mount *m;

	rig_begin();
	here = serve("fake://here/a", 4 * MIB, 1);
	there = serve("fake://there/a", 4 * MIB, 1);
	there->validator = "etag:other";
	add("sha256-a", here);
	m = mount("sha256-a", here);
	ck_assert_int_eq(rig_read(m, 2 * MIB, 2 * MIB), 0);
	rig_umount(m);
	here->fail_always = true;
	here->read_error = -EHOSTUNREACH;
	add("sha256-a", there);
	if (_i)
		restart();
	read_all("sha256-a", there);
	ck_assert_uint_le(there->bytes_asked, 2 * MIB);
	ck_assert_uint_gt(there->bytes_asked, 0);
	read_all("sha256-a", there);
}
END_TEST

/*
 * The same key by a rule and by the store: neither is ever served the other's bytes, which the
 * kernel would see. With and without a restart between any two.
 */
START_TEST(bytes_of_a_rule_and_of_the_store_are_never_mixed)
{
	struct fake_origin *rule, *origin;
	struct emu_mount *m;

	rig_begin();
	rule = rig_serve("sha256-a", 4 * MIB);
	origin = serve("fake://h/a", 4 * MIB, 9);
	for (int round = 0; round < 3; round++) {
		m = mount("sha256-a", rule);
		ck_assert_int_eq(rig_read(m, 0, 2 * MIB), 0);
		rig_umount(m);
		if (_i & 1)
			restart();
		add("sha256-a", origin);
		m = mount("sha256-a", origin);
		ck_assert_int_eq(rig_read(m, MIB, 2 * MIB), 0);
		rig_umount(m);
		drop("sha256-a");
		if (_i & 2)
			restart();
		/* Same size, same validator, other bytes: nothing but the record tells. */
	}
	read_all("sha256-a", rule);
}
END_TEST

/* ---- a store that is no good --------------------------------------------------------------- */

START_TEST(without_a_store_there_are_no_images)
{
	struct fake_origin *origin, *other;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	other = rig_serve("other", MIB);
	ck_assert_int_eq(mount_error("sha256-a", origin), -ENOENT);
	read_all("other", other);
	add("sha256-a", origin);
	read_all("sha256-a", origin);
}
END_TEST

static unsigned int count_of(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* From here to heard() errors are logged, into memory. */
static int log_fd, saved_fd;

static void listen_to_errors(void)
{
	saved_fd = dup(STDERR_FILENO);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	dup2(log_fd, STDERR_FILENO);
	log_set_level(LOG_ERR);
}

/* How often it was said. */
static unsigned int heard(const char *what)
{
	char text[8192] = "";

	dup2(saved_fd, STDERR_FILENO);
	log_set_level(LOG_CRIT);
	ck_assert_int_ge(pread(log_fd, text, sizeof(text) - 1, 0), 0);
	close(saved_fd);
	close(log_fd);
	return count_of(text, what);
}

START_TEST(a_damaged_store_is_said_once)
{
	struct fake_origin *origin, *other;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	other = rig_serve("other", MIB);
	spoil();
	listen_to_errors();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(mount_error("sha256-a", origin), -ENOENT);
		read_all("other", other);
	}
	ck_assert_uint_eq(heard("images.db"), 1);

	/* A tool sets it aside and begins anew: another file. */
	add("sha256-a", origin);
	read_all("sha256-a", origin);
}
END_TEST

START_TEST(another_store_is_followed)
{
	struct fake_origin *a, *b;
	char path[TEMPORARY_MAX + 16];

	rig_begin();
	a = serve("fake://h/a", MIB, 1);
	b = serve("fake://h/b", MIB, 2);
	add("sha256-a", a);
	read_all("sha256-a", a);
	snprintf(path, sizeof(path), "%s/images.db", dir);
	ck_assert_int_eq(unlink(path), 0);
	add("sha256-b", b);
	read_all("sha256-b", b);
	ck_assert_int_eq(mount_error("sha256-a", a), -ENOENT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mount_error("sha256-b", b), -ENOENT);
}
END_TEST

START_TEST(an_object_that_nobody_fetches_fails_alone)
{
	struct fake_origin *origin, *strange, *rule;

	rig_begin();
	strange = serve("gopher://h/a", MIB, 1);
	rule = rig_serve("sha256-a", MIB);
	origin = serve("fake://h/b", MIB, 2);
	add("sha256-a", strange);
	add("sha256-b", origin);
	ck_assert_int_eq(mount_error("sha256-a", strange), -EPROTONOSUPPORT);
	ck_assert_uint_eq(rule->looks, 0);
	read_all("sha256-b", origin);
}
END_TEST

static int refuse_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			 const struct fetch_identity *identity)
{
	return -EINVAL;
}

START_TEST(a_record_that_means_nothing_to_its_fetcher_is_said)
{
	struct fake_origin *origin;
	struct fetcher *fetcher;
	struct fetcher_ops refusing;
	const struct fetcher_ops *ops;

	rig_begin();
	origin = serve("fake://h/a", MIB, 1);
	add("sha256-a", origin);
	fetcher = fake_fetcher(rig.fake);
	ops = fetcher->ops;
	refusing = *ops;
	refusing.attach = refuse_attach;
	fetcher->ops = &refusing;
	listen_to_errors();
	ck_assert_int_eq(mount_error("sha256-a", origin), -EINVAL);
	ck_assert_uint_eq(heard("fake://h/a: what is on record of it means nothing"), 1);
	fetcher->ops = ops;
	read_all("sha256-a", origin);
}
END_TEST

/* ---- two at once --------------------------------------------------------------------------- */

struct client {
	struct engine_open open;
	struct engine_close close;
	struct sink sink;
	struct object *object;
	unsigned int discards;
	int err;
	bool done;
};

static int client_discard(struct engine_open *open)
{
	container_of(open, struct client, open)->discards++;
	return 0;
}

static void client_opened(struct engine_open *open, int err, struct object *object)
{
	struct client *c = container_of(open, struct client, open);

	c->err = err;
	c->object = object;
	c->done = true;
}

static void client_closed(struct engine_close *close)
{
	container_of(close, struct client, close)->done = true;
}

static void client_open(struct client *c, const char *cookie)
{
	*c = (struct client){ .open = { .volume = bytes_str(IMAGES),
					.cookie = bytes_str(cookie),
					.discard = client_discard,
					.done = client_opened },
			      .close = { .done = client_closed } };
	engine_open(rig.engine, &c->open);
}

static void client_close(struct client *c)
{
	c->done = false;
	engine_close(c->object, &c->sink, &c->close);
	rig_wait(c->done);
}

/* Who asked by a rule before there was an image gets what is open, and changes no record. */
START_TEST(a_late_answer_of_a_rule_changes_nothing)
{
	struct fake_origin *rule, *origin;
	struct client slow, fast;
	struct state_object record;

	rig_begin();
	rule = rig_serve("sha256-a", 2 * MIB);
	origin = serve("fake://h/a", MIB, 1);
	rule->look_delay = 2 * SEC;
	client_open(&slow, "sha256-a");
	rig_run(MS);
	add("sha256-a", origin);
	client_open(&fast, "sha256-a");
	rig_wait(fast.done);
	ck_assert_int_eq(fast.err, 0);
	ck_assert_uint_eq(fast.discards, 1); /* nobody knew whose bytes there were */
	rig_wait(slow.done);
	ck_assert_int_eq(slow.err, 0);
	ck_assert_ptr_eq(slow.object, fast.object);
	ck_assert_uint_eq(object_size(slow.object), MIB);
	ck_assert_uint_eq(slow.discards, 0);
	ck_assert_int_eq(state_get(rig.state, bytes_str(IMAGES), bytes_str("sha256-a"), &record),
			 0);
	ck_assert_uint_eq(record.size, MIB);
	client_close(&fast);
	client_close(&slow);

	client_open(&fast, "sha256-a");
	rig_wait(fast.done);
	ck_assert_uint_eq(fast.discards, 0);
	client_close(&fast);
}
END_TEST

/* The first, the second, the n-th allocation of an open fails, until none does: no harm is done. */
START_TEST(an_open_without_memory_fails_alone)
{
	struct fake_origin *origin;
	char locator[64], cookie[32];
	unsigned int n, before;
	struct client c;

	rig_begin();
	make_frail();
	for (n = 0;; n++) {
		/* A cookie and an origin of its own: one more source each time that it succeeds. */
		snprintf(locator, sizeof(locator), "fake://h%u/a", n);
		snprintf(cookie, sizeof(cookie), "sha256-%u", n);
		origin = serve(locator, MIB, n);
		add(cookie, origin);
		before = failed;
		memory_lasts = n;
		client_open(&c, cookie);
		memory_lasts = NEVER; /* all of it has happened but the answer */
		rig_wait(c.done);
		if (c.err == 0)
			client_close(&c);
		else
			ck_assert_int_eq(c.err, -ENOMEM);
		read_all(cookie, origin);
		if (failed == before)
			break;
	}
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_lt(origins_count(origins), ORIGINS_IMPLICIT_MAX);
}
END_TEST

/* What fetchers recall is in the store, whenever that comes. */
START_TEST(notes_are_those_of_the_store)
{
	char text[FETCH_NOTE_MAX];
	struct fetch_notes *notes;
	struct images *images;

	rig_begin();
	notes = image_catalog_notes(catalog);
	ck_assert(!notes->recall(notes, "https://registry", text));
	images = store_open();
	ck_assert_int_eq(images_remember(images, "https://registry", "Basic"), 0);
	ck_assert(notes->recall(notes, "https://registry", text));
	ck_assert_str_eq(text, "Basic");
	ck_assert_ptr_null(notes->remember);
	images_close(images);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images");
	TCase *t = tcase_create("images");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, opening_needs_no_network);
	tcase_add_test(t, what_is_cached_is_mounted_offline);
	tcase_add_test(t, other_keys_go_by_the_rules);
	tcase_add_test(t, two_cookies_of_one_origin_share_its_limit);
	tcase_add_test(t, a_compressed_image_is_fetched_as_a_whole);
	tcase_add_test(t, a_compressed_image_may_be_refused);
	tcase_add_test(t, what_is_known_to_be_compressed_later_is_fetched_again);
	tcase_add_test(t, an_image_is_added_after_it_was_asked_for);
	tcase_add_test(t, an_image_is_removed_while_it_is_open);
	tcase_add_loop_test(t, what_moved_is_not_fetched_again, 0, 2);
	tcase_add_loop_test(t, bytes_of_a_rule_and_of_the_store_are_never_mixed, 0, 4);
	tcase_add_test(t, without_a_store_there_are_no_images);
	tcase_add_test(t, a_damaged_store_is_said_once);
	tcase_add_test(t, another_store_is_followed);
	tcase_add_test(t, an_object_that_nobody_fetches_fails_alone);
	tcase_add_test(t, a_record_that_means_nothing_to_its_fetcher_is_said);
	tcase_add_test(t, a_late_answer_of_a_rule_changes_nothing);
	tcase_add_test(t, an_open_without_memory_fails_alone);
	tcase_add_test(t, notes_are_those_of_the_store);
	suite_add_tcase(s, t);
	return run_suite(s);
}
