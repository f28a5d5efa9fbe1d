/* SPDX-License-Identifier: MIT */
#include "daemon/images/follow.h"
#include "daemon/images/images.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

static char dir[TEMPORARY_MAX];
static char file[TEMPORARY_MAX + 16];
static char error[IMAGES_ERROR_MAX];

static void setup(void)
{
	log_set_level(-1);
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/images.db", dir);
	*error = '\0';
}

static void teardown(void)
{
	temporary_remove(dir);
}

static struct images *open_images(enum images_access access)
{
	struct images *images = NULL;
	int err = images_open(&images, dir, access, error);

	ck_assert_msg(err == 0, "%s: %s", strerror(-err), error);
	return images;
}

/* ---- images to put in: borrowed text ------------------------------------------------------- */

static struct images_object object_of(const char *cookie, uint64_t size)
{
	return (struct images_object){
		.cookie = (char *)cookie,
		.locator = (char *)"oci://registry/app@sha256:00",
		.validator = (char *)"sha256:00",
		.media_type = (char *)"application/vnd.erofs",
		.size = size,
	};
}

static struct images_layer layer_of(const char *cookie, uint64_t size)
{
	return (struct images_layer){
		.primary = object_of(cookie, size),
		.origin_digest = (char *)"",
		.diff_id = (char *)"",
	};
}

static struct images_image image_of(const char *name, struct images_layer *layers, size_t n)
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

/* One layer of one object. */
static int put(struct images *images, const char *name, const char *cookie, uint64_t size)
{
	struct images_layer layer = layer_of(cookie, size);
	struct images_image image = image_of(name, &layer, 1);

	return images_put(images, &image, error);
}

/* The size on record, or a negative errno. */
static int64_t find(struct images *images, const char *cookie)
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

static struct images_image *get(struct images *images, const char *name)
{
	struct images_image *image;

	ck_assert_int_eq(images_get(images, name, &image), 0);
	ck_assert_str_eq(image->name, name);
	return image;
}

static bool exists(const char *tail)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s%s", file, tail);
	return access(path, F_OK) == 0;
}

static void write_file(const void *data, size_t n)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static int64_t count(const char *table)
{
	char sql[64];
	sqlite3_stmt *stmt;
	sqlite3 *db;
	int64_t n;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

/* ---- records ------------------------------------------------------------------------------- */

START_TEST(test_an_image_comes_back_as_it_was)
{
	struct images_object devices[] = { object_of("d:1", 8192), object_of("d:2", 0) };
	struct images_layer layers[] = { layer_of("meta:a", 4096), layer_of("sha256:b", 1) };
	struct images_image image = image_of("docker.io/app:1", layers, 2), *back;
	char *refs[] = { (char *)"oci://docker.io/app:1", (char *)"device=file:///x" };
	struct images *images = open_images(IMAGES_WRITE);
	struct stat st;

	layers[0].devices = devices;
	layers[0].n_devices = 2;
	layers[0].origin_digest = (char *)"sha256:layer";
	layers[1].diff_id = (char *)"sha256:diff";
	layers[1].primary.whole = true;
	layers[1].primary.size = OBJECT_SIZE_MAX;
	layers[1].primary.locator = (char *)"https://h/\xff%20'\";--";
	layers[1].primary.validator = (char *)"";
	image.refs = refs;
	image.n_refs = 2;
	image.manifest = (char *)"{\"a\":1}";
	image.config = (char *)"{\"b\":2}";
	image.manifest_digest = (char *)"sha256:m";
	image.transient = true;
	image.added = 1700000000;
	ck_assert_int_eq(images_put(images, &image, error), 0);
	images_close(images);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);

	images = open_images(IMAGES_READ);
	back = get(images, "docker.io/app:1");
	ck_assert_uint_eq(back->n_refs, 2);
	ck_assert_str_eq(back->refs[0], refs[0]);
	ck_assert_str_eq(back->refs[1], refs[1]);
	ck_assert_str_eq(back->manifest, image.manifest);
	ck_assert_str_eq(back->config, image.config);
	ck_assert_str_eq(back->manifest_digest, image.manifest_digest);
	ck_assert(back->transient);
	ck_assert_int_eq(back->added, image.added);
	ck_assert_uint_eq(back->n_layers, 2);
	ck_assert_str_eq(back->layers[0].primary.cookie, "meta:a");
	ck_assert_str_eq(back->layers[0].primary.media_type, "application/vnd.erofs");
	ck_assert_str_eq(back->layers[0].origin_digest, "sha256:layer");
	ck_assert_str_eq(back->layers[0].diff_id, "");
	ck_assert_uint_eq(back->layers[0].n_devices, 2);
	ck_assert_str_eq(back->layers[0].devices[0].cookie, "d:1");
	ck_assert_str_eq(back->layers[0].devices[1].cookie, "d:2");
	ck_assert_uint_eq(back->layers[0].devices[1].size, 0);
	ck_assert(!back->layers[0].primary.whole);
	ck_assert_uint_eq(back->layers[1].n_devices, 0);
	ck_assert_str_eq(back->layers[1].diff_id, "sha256:diff");
	ck_assert(back->layers[1].primary.whole);
	ck_assert_uint_eq(back->layers[1].primary.size, OBJECT_SIZE_MAX);
	ck_assert_str_eq(back->layers[1].primary.locator, layers[1].primary.locator);
	ck_assert_str_eq(back->layers[1].primary.validator, "");
	images_image_free(back);
	images_close(images);
}
END_TEST

START_TEST(test_objects_are_found_by_any_bytes)
{
	static const struct bytes others[] = {
		{ (const uint8_t *)"", 0 },	    { (const uint8_t *)"sha256:a\0", 9 },
		{ (const uint8_t *)"sha256", 6 },   { (const uint8_t *)"SHA256:A", 8 },
		{ (const uint8_t *)"\xff\xfe", 2 }, { (const uint8_t *)"sha256:a' OR 1 --", 17 },
	};
	struct images *images = open_images(IMAGES_WRITE);
	struct images_object object;
	char longest[300];

	memset(longest, 'a', sizeof(longest));
	ck_assert_int_eq(put(images, "a", "sha256:a", 7), 0);
	ck_assert_int_eq(find(images, "sha256:a"), 7);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_int_eq(images_find(images, others[i], &object), -ENOENT);
	ck_assert_int_eq(images_find(images, bytes_of(longest, sizeof(longest)), &object), -ENOENT);
	images_close(images);
}
END_TEST

START_TEST(test_one_object_is_shared_and_goes_with_its_last_image)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_object device = object_of("shared", 5);
	struct images_layer layer = layer_of("own", 6);
	struct images_image with_device = image_of("b", &layer, 1);

	layer.devices = &device;
	layer.n_devices = 1;
	ck_assert_int_eq(put(images, "a", "shared", 5), 0);
	ck_assert_int_eq(images_put(images, &with_device, error), 0);
	ck_assert_int_eq(count("object"), 2);

	ck_assert_int_eq(images_remove(images, "a"), 0);
	ck_assert_int_eq(find(images, "shared"), 5);
	ck_assert_int_eq(images_remove(images, "b"), 0);
	ck_assert_int_eq(find(images, "shared"), -ENOENT);
	ck_assert_int_eq(find(images, "own"), -ENOENT);
	ck_assert_int_eq(images_remove(images, "b"), -ENOENT);
	ck_assert_int_eq(count("object") + count("layer") + count("place") + count("ref"), 0);
	images_close(images);
}
END_TEST

static void expect_place(struct images *images, const char *cookie, const char *locator)
{
	struct images_object object;

	ck_assert_int_eq(images_find(images, bytes_str(cookie), &object), 0);
	ck_assert_str_eq(object.locator, locator);
	images_object_end(&object);
}

START_TEST(test_an_object_moves_but_keeps_its_size)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_layer layer = layer_of("c", 5);
	struct images_image image = image_of("b", &layer, 1), *back;

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	layer.primary.locator = (char *)"https://elsewhere/c";
	ck_assert_int_eq(images_put(images, &image, error), 0);
	expect_place(images, "c", "https://elsewhere/c");
	back = get(images, "a");
	ck_assert_str_eq(back->layers[0].primary.locator, "oci://registry/app@sha256:00");
	images_image_free(back);
	/* The image that is left has it from where it always had. */
	ck_assert_int_eq(images_remove(images, "b"), 0);
	expect_place(images, "c", "oci://registry/app@sha256:00");
	/* And the one that is put again is the last one. */
	ck_assert_int_eq(images_put(images, &image, error), 0);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	expect_place(images, "c", "oci://registry/app@sha256:00");

	ck_assert_int_eq(put(images, "a", "c", 6), -EEXIST);
	ck_assert_ptr_nonnull(strstr(error, "object c "));
	ck_assert_ptr_nonnull(strstr(error, "5 bytes"));
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}
END_TEST

/* Of one that fails in its last layer, nothing stays, and what it would have replaced does. */
START_TEST(test_a_refused_image_changes_nothing)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_layer layers[] = { layer_of("new", 1), layer_of("other", 3) };
	struct images_image image = image_of("a", layers, 2), *back;

	ck_assert_int_eq(put(images, "a", "old", 1), 0);
	ck_assert_int_eq(put(images, "b", "other", 2), 0);
	ck_assert_int_eq(images_put(images, &image, error), -EEXIST);
	back = get(images, "a");
	ck_assert_uint_eq(back->n_layers, 1);
	ck_assert_str_eq(back->layers[0].primary.cookie, "old");
	images_image_free(back);
	ck_assert_int_eq(find(images, "new"), -ENOENT);

	/* Nor may one image have it both ways. */
	layers[1] = layer_of("new", 2);
	ck_assert_int_eq(images_put(images, &image, error), -EEXIST);
	ck_assert_int_eq(find(images, "old"), 1);

	layers[1].primary.size = 1;
	ck_assert_int_eq(images_put(images, &image, error), 0);
	ck_assert_int_eq(find(images, "old"), -ENOENT);
	images_close(images);
}
END_TEST

START_TEST(test_fields_out_of_bounds)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_layer layer = layer_of("c", OBJECT_SIZE_MAX + 1);
	struct images_image image = image_of("a", &layer, 1);
	char text[IMAGES_LOCATOR_MAX + 1];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	layer = layer_of("", 1);
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	layer = layer_of(text + sizeof(text) - 1 - IMAGES_COOKIE_MAX, 1);
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	layer = layer_of(text + sizeof(text) - IMAGES_COOKIE_MAX, 1);
	ck_assert_int_eq(images_put(images, &image, error), 0);
	layer.primary.locator = text;
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	layer.primary.locator = text + 1;
	ck_assert_int_eq(images_put(images, &image, error), 0);
	layer.primary.validator = text + sizeof(text) - 1 - IMAGES_VALIDATOR_MAX;
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	layer.primary.validator++;
	ck_assert_int_eq(images_put(images, &image, error), 0);
	image.name = (char *)"";
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	image = image_of("a", &layer, 0);
	ck_assert_int_eq(images_put(images, &image, error), -EINVAL);
	images_close(images);
}
END_TEST

/* ---- walks --------------------------------------------------------------------------------- */

struct walk {
	struct images *images;
	char names[64];
	int stop_after;
};

static int visit(void *arg, const struct images_image *image)
{
	struct walk *walk = arg;

	strcat(walk->names, image->name);
	ck_assert_uint_eq(image->n_layers, 1);
	/* What is visited may go, and more may come. */
	ck_assert_int_eq(images_remove(walk->images, image->name), 0);
	ck_assert_int_eq(put(walk->images, "z", "c", 1), 0);
	return --walk->stop_after == 0 ? 17 : 0;
}

START_TEST(test_all_images_by_name)
{
	struct walk walk = { .images = open_images(IMAGES_WRITE) };

	ck_assert_int_eq(images_each(walk.images, visit, &walk), 0);
	ck_assert_int_eq(put(walk.images, "b", "c", 1), 0);
	ck_assert_int_eq(put(walk.images, "a", "c", 1), 0);
	ck_assert_int_eq(put(walk.images, "c", "c", 1), 0);
	ck_assert_int_eq(images_each(walk.images, visit, &walk), 0);
	ck_assert_str_eq(walk.names, "abc");

	*walk.names = '\0';
	ck_assert_int_eq(put(walk.images, "y", "c", 1), 0);
	walk.stop_after = 1;
	ck_assert_int_eq(images_each(walk.images, visit, &walk), 17);
	ck_assert_str_eq(walk.names, "y");
	images_close(walk.images);
}
END_TEST

START_TEST(test_nothing_there)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_image *image;

	ck_assert_int_eq(images_get(images, "a", &image), -ENOENT);
	ck_assert_int_eq(images_remove(images, "a"), -ENOENT);
	ck_assert_int_eq(find(images, "c"), -ENOENT);
	images_close(images);
	images_close(NULL);
	ck_assert_ptr_null(images_image_free(NULL));
}
END_TEST

/* ---- beside each other --------------------------------------------------------------------- */

START_TEST(test_a_reader_sees_what_a_writer_does)
{
	struct images *writer = open_images(IMAGES_WRITE);
	struct images *reader = open_images(IMAGES_READ);

	ck_assert_int_eq(find(reader, "c"), -ENOENT);
	ck_assert_int_eq(put(writer, "a", "c", 5), 0);
	ck_assert_int_eq(find(reader, "c"), 5);

	ck_assert_int_eq(put(writer, "a", "c", 6), -EEXIST);
	images_close(writer); /* not the last: the log stays, or is taken over */
	ck_assert_int_eq(find(reader, "c"), 5);
	writer = open_images(IMAGES_WRITE);
	ck_assert_int_eq(images_remove(writer, "a"), 0);
	images_close(writer);
	ck_assert_int_eq(find(reader, "c"), -ENOENT);
	images_close(reader);
}
END_TEST

START_TEST(test_a_reader_writes_nothing)
{
	struct images *images = open_images(IMAGES_WRITE);

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	images = open_images(IMAGES_READ);
	ck_assert_int_eq(put(images, "b", "d", 5), -EIO);
	ck_assert_int_eq(images_remove(images, "a"), -EIO);
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}
END_TEST

START_TEST(test_a_reader_creates_nothing)
{
	struct images *images;

	ck_assert_int_eq(images_open(&images, dir, IMAGES_READ, error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, file));
	ck_assert(!exists(""));

	/* A writer that was killed before it had filled the file. */
	write_file("", 0);
	ck_assert_int_eq(images_open(&images, dir, IMAGES_READ, error), -ENOENT);
	images_close(open_images(IMAGES_WRITE));
	images_close(open_images(IMAGES_READ));
	ck_assert(!exists(".bad-1"));
}
END_TEST

START_TEST(test_where_the_disk_refuses)
{
	struct images *images;
	char path[TEMPORARY_MAX + 64];

	ck_assert_int_eq(images_open(&images, "/proc/self", IMAGES_WRITE, error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/proc/self/images.db"));
	snprintf(path, sizeof(path), "%s/missing/missing", dir);
	ck_assert_int_lt(images_open(&images, path, IMAGES_WRITE, error), 0);
	ck_assert_int_eq(symlink("/dev/null", file), 0);
	images_close(open_images(IMAGES_WRITE));
	ck_assert(exists(".bad-1"));
	ck_assert_int_eq(unlink(file), 0);

	/* A reader sets nothing aside. */
	ck_assert_int_eq(mkdir(file, 0700), 0);
	ck_assert_int_lt(images_open(&images, dir, IMAGES_READ, error), 0);
	ck_assert_ptr_nonnull(strstr(error, file));
	images_close(open_images(IMAGES_WRITE));
	ck_assert(exists(".bad-2"));
}
END_TEST

/* Puts images for ever, and says by a byte that each is in. */
static void write_until_killed(int out)
{
	struct images *images = open_images(IMAGES_WRITE);
	char name[32];

	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(put(images, name, name, i), 0);
		if (write(out, "", 1) != 1)
			_exit(1);
	}
}

START_TEST(test_kill_in_the_middle)
{
	unsigned int acknowledged = 0;
	struct images *images;
	char name[32], byte;
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		write_until_killed(fds[1]);
	close(fds[1]);
	while (acknowledged < 50 && read(fds[0], &byte, 1) == 1)
		acknowledged++;
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	close(fds[0]);

	/* The reader is first, and finds the log of the killed one. */
	images = open_images(IMAGES_READ);
	for (unsigned int i = 0; i < acknowledged; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(find(images, name), i);
	}
	images_close(images);
}
END_TEST

/* ---- as the daemon sees it ------------------------------------------------------------------ */

static int64_t follow_find(struct images_follow *follow, const char *cookie)
{
	struct images_object object;
	int r = images_follow_find(follow, bytes_str(cookie), &object);
	uint64_t size;

	if (r < 0)
		return r;
	size = object.size;
	images_object_end(&object);
	return (int64_t)size;
}

START_TEST(test_a_locked_store_is_tried_again)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct images_follow *follow;
	sqlite3 *db;

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	ck_assert_int_eq(images_follow_new(&follow, dir), 0);
	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "PRAGMA locking_mode = EXCLUSIVE;"
				      "BEGIN IMMEDIATE; COMMIT;",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	ck_assert_int_eq(follow_find(follow, "c"), 5);
	images_follow_free(follow);
}
END_TEST

/* It is the file of that name, whichever that is. */
START_TEST(test_the_file_of_the_moment_is_followed)
{
	struct images_follow *follow;

	ck_assert_int_eq(images_follow_new(&follow, dir), 0);
	ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	for (int i = 1; i < 4; i++) {
		struct images *images = open_images(IMAGES_WRITE);

		ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
		ck_assert_int_eq(put(images, "a", "c", (uint64_t)i), 0);
		images_close(images);
		ck_assert_int_eq(follow_find(follow, "c"), i);
		ck_assert_int_eq(unlink(file), 0);
		if (i % 2)
			ck_assert_int_eq(follow_find(follow, "c"), -ENOENT);
	}
	images_follow_free(follow);
	images_follow_free(NULL);
}
END_TEST

/* ---- damage -------------------------------------------------------------------------------- */

static void expect_refused(void)
{
	struct images *images;

	*error = '\0';
	ck_assert_int_eq(images_open(&images, dir, IMAGES_READ, error), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(error, "images.db"));
}

/* A reader refuses and leaves it; a writer sets it aside and begins anew. */
static void expect_set_aside(const char *tail)
{
	struct images *images;

	expect_refused();
	ck_assert(!exists(tail));
	images = open_images(IMAGES_WRITE);
	ck_assert_int_eq(find(images, "c"), -ENOENT);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	ck_assert_msg(exists(tail), "no %s", tail);
	images = open_images(IMAGES_READ);
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}

START_TEST(test_damage_is_set_aside_by_writers)
{
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	write_file(junk, sizeof(junk));
	expect_set_aside(".bad-1");

	run_sql("ALTER TABLE place RENAME COLUMN locator TO url");
	expect_set_aside(".bad-2");

	run_sql("PRAGMA ignore_check_constraints = 1; UPDATE object SET size = -1");
	expect_set_aside(".bad-3");

	run_sql("PRAGMA user_version = 0");
	expect_set_aside(".bad-4");
}
END_TEST

START_TEST(test_a_later_version_is_left_alone)
{
	struct images *images = open_images(IMAGES_WRITE);

	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	run_sql("PRAGMA user_version = 2");
	expect_refused();
	ck_assert_int_eq(images_open(&images, dir, IMAGES_WRITE, error), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(error, "later version"));
	ck_assert(!exists(".bad-1"));
	run_sql("PRAGMA user_version = 1");
	images = open_images(IMAGES_READ);
	ck_assert_int_eq(find(images, "c"), 5);
	images_close(images);
}
END_TEST

/* ---- hints ---------------------------------------------------------------------------------- */

static void expect_hint(struct images *images, const char *name, const char *text)
{
	char found[IMAGES_HINT_MAX] = "untouched";

	ck_assert_int_eq(images_recall(images, name, found), text ? 0 : -ENOENT);
	ck_assert_str_eq(found, text ? text : "untouched");
}

/* All that is written makes it longer, while somebody has the store open. */
static off_t log_size(void)
{
	char path[TEMPORARY_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", file);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

/* ---- pins --------------------------------------------------------------------------------- */

struct seen {
	unsigned int owned, pinned, objects;
	char last[64];
};

static void see_cookie(void *arg, struct bytes cookie, bool pinned)
{
	struct seen *seen = arg;

	seen->owned += !pinned;
	seen->pinned += pinned;
	if (pinned)
		bytes_print(cookie, seen->last, sizeof(seen->last));
}

static void see_object(void *arg, struct bytes volume, struct bytes cookie)
{
	struct seen *seen = arg;

	ck_assert(bytes_equal(volume, bytes_str("erofs,v")));
	bytes_print(cookie, seen->last, sizeof(seen->last));
	seen->objects++;
}

static struct seen see(struct images *images)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(images_each_object(images, see_cookie, &seen), 0);
	ck_assert_int_eq(images_each_pinned_object(images, see_object, &seen), 0);
	return seen;
}

START_TEST(test_pins_of_images)
{
	struct images *images = open_images(IMAGES_WRITE), *reader = open_images(IMAGES_READ);
	struct seen seen = see(reader);

	ck_assert_uint_eq(seen.owned + seen.pinned + seen.objects, 0);
	ck_assert_int_eq(put(images, "app", "x:1", 4096), 0);
	ck_assert_int_eq(put(images, "base", "x:2", 4096), 0);
	ck_assert_int_eq(images_pin(images, "none"), -ENOENT);
	ck_assert_int_eq(images_unpin(images, "app"), -ENOENT);
	ck_assert(!images_is_pinned(images, "app"));
	ck_assert_int_eq(images_pin(images, "app"), 0);
	ck_assert_int_eq(images_pin(images, "app"), 0);
	ck_assert(images_is_pinned(reader, "app") && !images_is_pinned(reader, "base"));
	seen = see(reader);
	ck_assert_uint_eq(seen.owned, 2);
	ck_assert_uint_eq(seen.pinned, 1);
	ck_assert_str_eq(seen.last, "x:1");
	/* Added anew: what it consists of now. */
	ck_assert_int_eq(put(images, "app", "x:3", 4096), 0);
	seen = see(reader);
	ck_assert_uint_eq(seen.pinned, 1);
	ck_assert_str_eq(seen.last, "x:3");
	ck_assert_int_eq(images_remove(images, "app"), 0);
	ck_assert_int_eq(put(images, "app", "x:3", 4096), 0);
	ck_assert(!images_is_pinned(images, "app"));
	ck_assert_int_eq(images_pin(images, "app"), 0);
	ck_assert_int_eq(images_unpin(images, "app"), 0);
	ck_assert_uint_eq(see(reader).pinned, 0);
	images_close(reader);
	images_close(images);
}
END_TEST

START_TEST(test_pins_of_objects)
{
	struct images *images = open_images(IMAGES_WRITE);
	struct bytes volume = bytes_str("erofs,v"), cookie = bytes_of("a\0b", 3);

	ck_assert_int_eq(images_unpin_object(images, volume, cookie), -ENOENT);
	ck_assert_int_eq(images_pin_object(images, volume, bytes_of("", 0)), -EINVAL);
	ck_assert_int_eq(images_pin_object(images, volume, cookie), 0);
	ck_assert_int_eq(images_pin_object(images, volume, cookie), 0);
	images_close(images);
	images = open_images(IMAGES_WRITE);
	ck_assert_uint_eq(see(images).objects, 1);
	ck_assert_str_eq(see(images).last, "a\\x00b");
	ck_assert_int_eq(images_unpin_object(images, volume, bytes_str("a")), -ENOENT);
	ck_assert_int_eq(images_unpin_object(images, volume, cookie), 0);
	ck_assert_uint_eq(see(images).objects, 0);
	images_close(images);
}
END_TEST

START_TEST(test_hints_beside_images)
{
	struct images *images = open_images(IMAGES_WRITE), *reader = open_images(IMAGES_READ);
	off_t size;

	/* There is not even a table. */
	expect_hint(reader, "https://one", NULL);
	ck_assert_int_eq(images_remember(images, "https://one", ""), 0);
	ck_assert_int_eq(images_remember(images, "https://one", "Basic"), 0);
	ck_assert_int_eq(images_remember(images, "https://two", "Bearer \"'"), 0);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	expect_hint(reader, "https://one", "Basic");
	expect_hint(reader, "https://two", "Bearer \"'");
	expect_hint(reader, "https://on", NULL);
	ck_assert_int_eq(images_remember(images, "https://one", "Bearer"), 0);
	ck_assert_int_eq(images_remember(images, "https://two", ""), 0);
	expect_hint(reader, "https://one", "Bearer");
	expect_hint(reader, "https://two", NULL);
	/* What is known is not written again. */
	size = log_size();
	ck_assert_int_eq(images_remember(images, "https://one", "Bearer"), 0);
	ck_assert_int_eq(log_size(), size);
	ck_assert_int_eq(images_remember(images, "https://one", "Basic"), 0);
	ck_assert_int_gt(log_size(), size);
	ck_assert_int_eq(images_remember(images, "https://one", "Bearer"), 0);
	ck_assert_int_eq(images_remember(reader, "https://one", "Basic"), -EIO);
	ck_assert_int_eq(find(reader, "c"), 5);
	images_close(reader);
	images_close(images);
	images = open_images(IMAGES_WRITE);
	expect_hint(images, "https://one", "Bearer");
	images_close(images);
}
END_TEST

START_TEST(test_hints_out_of_bounds)
{
	struct images *images = open_images(IMAGES_WRITE);
	char text[IMAGES_HINT_MAX + 1], name[IMAGES_HINT_NAME_MAX + 1];

	memset(text, 't', sizeof(text));
	memset(name, 'n', sizeof(name));
	text[IMAGES_HINT_MAX] = name[IMAGES_HINT_NAME_MAX] = '\0';
	ck_assert_int_eq(images_remember(images, "n", text), -EINVAL);
	ck_assert_int_eq(images_remember(images, name, "t"), -EINVAL);
	ck_assert_int_eq(images_remember(images, "", "t"), -EINVAL);
	text[IMAGES_HINT_MAX - 1] = name[IMAGES_HINT_NAME_MAX - 1] = '\0';
	ck_assert_int_eq(images_remember(images, name, text), 0);
	expect_hint(images, name, text);
	/* The oldest goes, and one that is written anew is not old. */
	for (int i = 0; i < IMAGES_HINTS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i % (IMAGES_HINTS_MAX - 1));
		ck_assert_int_eq(
			images_remember(images, name, i == IMAGES_HINTS_MAX - 1 ? "b" : "a"), 0);
	}
	memset(name, 'n', IMAGES_HINT_NAME_MAX - 1);
	expect_hint(images, name, text);
	ck_assert_int_eq(images_remember(images, "one more", "a"), 0);
	expect_hint(images, name, NULL);
	expect_hint(images, "0", "b");
	ck_assert_int_eq(images_remember(images, "two more", "a"), 0);
	expect_hint(images, "0", "b");
	expect_hint(images, "1", NULL);
	images_close(images);
}
END_TEST

START_TEST(test_hints_of_the_file_of_the_moment)
{
	struct images_follow *follow;
	char found[IMAGES_HINT_MAX];
	struct images *images;

	ck_assert_int_eq(images_follow_new(&follow, dir), 0);
	ck_assert_int_eq(images_follow_recall(follow, "n", found), -ENOENT);
	images = open_images(IMAGES_WRITE);
	ck_assert_int_eq(images_follow_recall(follow, "n", found), -ENOENT);
	ck_assert_int_eq(images_remember(images, "n", "t"), 0);
	images_close(images);
	ck_assert_int_eq(images_follow_recall(follow, "n", found), 0);
	ck_assert_str_eq(found, "t");
	/* Somebody else's table. */
	run_sql("DROP TABLE hint; CREATE TABLE hint(x)");
	ck_assert_int_eq(images_follow_recall(follow, "n", found), -ENOENT);
	images = open_images(IMAGES_WRITE);
	ck_assert_int_eq(images_remember(images, "n", "t"), -EIO);
	ck_assert_int_eq(put(images, "a", "c", 5), 0);
	images_close(images);
	images_follow_free(follow);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("images");
	TCase *tc = tcase_create("images");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_an_image_comes_back_as_it_was);
	tcase_add_test(tc, test_objects_are_found_by_any_bytes);
	tcase_add_test(tc, test_one_object_is_shared_and_goes_with_its_last_image);
	tcase_add_test(tc, test_an_object_moves_but_keeps_its_size);
	tcase_add_test(tc, test_a_refused_image_changes_nothing);
	tcase_add_test(tc, test_fields_out_of_bounds);
	tcase_add_test(tc, test_all_images_by_name);
	tcase_add_test(tc, test_nothing_there);
	tcase_add_test(tc, test_a_reader_sees_what_a_writer_does);
	tcase_add_test(tc, test_a_reader_writes_nothing);
	tcase_add_test(tc, test_a_reader_creates_nothing);
	tcase_add_test(tc, test_where_the_disk_refuses);
	tcase_add_test(tc, test_kill_in_the_middle);
	tcase_add_test(tc, test_a_locked_store_is_tried_again);
	tcase_add_test(tc, test_the_file_of_the_moment_is_followed);
	tcase_add_test(tc, test_damage_is_set_aside_by_writers);
	tcase_add_test(tc, test_a_later_version_is_left_alone);
	tcase_add_test(tc, test_pins_of_images);
	tcase_add_test(tc, test_pins_of_objects);
	tcase_add_test(tc, test_hints_beside_images);
	tcase_add_test(tc, test_hints_out_of_bounds);
	tcase_add_test(tc, test_hints_of_the_file_of_the_moment);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
