/* SPDX-License-Identifier: MIT */
/*
 * Images of files: names, what is refused, what is remembered.
 */
#include <check.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/images/images.h"
#include "tests/ctl/image-rig.h"
#include "tests/lib/run-suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct erofs_file plain = { 0 };

/* The result as JSON, to be freed. */
static json_t *json_of(const struct ctl_result *result)
{
	json_t *value = json_loads(result->out, 0, NULL);

	ck_assert_msg(result->status == 0, "%s", result->err);
	ck_assert_msg(value != NULL, "%s", result->out);
	return value;
}

/* A member of the first layer; static. */
static const char *layer_text(const char *name, const char *member)
{
	static char text[512];
	json_t *image = json_of(IMAGE("inspect", "--json", name));
	json_t *layer = json_array_get(json_object_get(image, "layers"), 0);

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(layer, member)));
	json_decref(image);
	return text;
}

/* ---- names -------------------------------------------------------------------------------- */

/* Of each kind; test-ctl-image-parts.c has them all. */
START_TEST(odd_bytes)
{
	static const char bytes[] = "\x01\t\n\x1f !\"$%&'*;?\\^~\x7f\x80\xff";
	char name[] = "a?b";

	erofs_write("image", &plain);
	for (const char *c = bytes; *c; c++) {
		bool good = *c > ' ' && *c < 0x7f;
		struct ctl_result *r;

		name[1] = *c;
		r = IMAGE("add", name, "./image");
		if (good) {
			image_expect(r, 0, "", name);
			image_expect(IMAGE("inspect", name), 0, "", name);
			image_expect(IMAGE("rm", name), 0, "", "");
		} else {
			image_expect(r, 2, "cannot be the name of an image", "");
			/* Nothing odd is printed. */
			for (const char *at = r->err; *at; at++)
				ck_assert(*at == '\n' || (*at >= ' ' && *at < 0x7f));
		}
	}
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

static const char *const bad_names[] = {
	"",	     ".",	    "..",	   "/",	    "/a",	"a/",
	"a//b",	     "./a",	    "../a",	   "a/..",  "a/./b",	"a/../b",
	"-a",	     "--replace=x", "a b",	   "a\n",   "\xc3\xa4", "device=a",
	"oci://h/r", "file:/x",	    "https://h/r", "x://y", "http:x",
};

START_TEST(names_that_are_none)
{
	erofs_write("image", &plain);
	image_expect(IMAGE("add", "--", bad_names[_i], "./image"), 2, "cannot be the name", "");
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

START_TEST(longest_name)
{
	char name[202];

	erofs_write("image", &plain);
	memset(name, 'n', sizeof(name));
	name[201] = '\0';
	image_expect(IMAGE("add", name, "./image"), 2, "longer than 200", "");
	name[200] = '\0';
	image_expect(IMAGE("add", name, "./image"), 0, "", name);
	image_expect(IMAGE("add", "team/app:v1.2@x", "./image"), 0, "", "");
	ck_assert_uint_eq(image_count(), 2);
	image_expect(IMAGE("rm", name, "team/app:v1.2@x"), 0, "", "");
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

/* ---- references --------------------------------------------------------------------------- */

static const struct {
	const char *ref, *word;
} bad_refs[] = {
	{ "", "empty REF" },
	{ "image", "is no REF" },
	{ "dir/image", "is no REF" },
	{ "a b", "is no REF" },
	{ "./image\n", "control characters" },
	{ "./none", "No such file" },
	{ "./none/image", "No such file" },
	{ "./image/x", "Not a directory" },
	{ "./", "Is a directory" },
	{ "/", "Is a directory" },
	{ "/tmp/..", "Is a directory" },
	{ "file:relative", "not a locator" },
	{ "gopher://h/x", "gopher" },
	{ "http:x", "not a locator" },
	{ "http://user:secret@127.0.0.1:1/x", "source section" },
	{ "http://127.0.0.1:1/x?token=secret", "127.0.0.1" },
	{ "127.0.0.1:1/Upper", "not the name of a repository" },
	{ "localhost:1/x:ta:g", "not" },
	{ "device=./image", "the layer before it" },
	{ "device=", "empty REF" },
	{ "./text", "no EROFS image" },
	{ "./empty", "no EROFS image" },
	{ "./tar", "no header of tar" },
	{ "./gzip", "no gzip file, or it is damaged" },
	{ "./zstd", "zstd" },
	{ "./512", "blocks of 512 bytes" },
	{ "./cut", "cut off" },
	{ "./device", "1 further device, and 0 are given" },
};

static void write_odd_files(void)
{
	static const struct erofs_file b512 = { .block_bits = 9 }, cut = { .says_blocks = 3 },
				       device = { .devices = 1 };
	char tar[512] = "name";

	erofs_write("image", &plain);
	erofs_write("512", &b512);
	erofs_write("cut", &cut);
	erofs_write("device", &device);
	file_write("text", "some text\n", 10);
	file_write("empty", "", 0);
	memcpy(tar + 257, "ustar", 6);
	file_write("tar", tar, sizeof(tar));
	file_write("gzip", "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8);
	file_write("zstd", "\x28\xb5\x2f\xfd\x00\x00\x00\x00", 8);
}

START_TEST(references_that_are_none)
{
	struct ctl_result *r;

	write_odd_files();
	r = IMAGE("add", "a", bad_refs[_i].ref);
	image_expect(r, 1, bad_refs[_i].word, "");
	ck_assert_ptr_null(strstr(r->err, "secret"));
	ck_assert_uint_eq(ctl_lines(r->err), 1);
	/* Nor behind a good one. */
	if (strncmp(bad_refs[_i].ref, "device=./", 9) != 0)
		image_expect(IMAGE("add", "a", "./image", bad_refs[_i].ref), 1,
			     "cachefillctl: ", "");
	ck_assert_uint_eq(image_count(), 0);
}
END_TEST

START_TEST(devices)
{
	static const struct erofs_file two = { .devices = 2 };

	write_odd_files();
	erofs_write("two", &two);
	image_expect(IMAGE("add", "a", "./device", "device=./text"), 0, "", "1 layer");
	image_expect(IMAGE("add", "b", "./two", "device=./text"), 1, "2 further devices, and 1 is",
		     "");
	image_expect(IMAGE("add", "b", "./image", "device=./text"), 1, "0 further devices", "");
	image_expect(IMAGE("add", "b", "./two", "device=./text", "device=./image", "./image"), 0,
		     "", "2 layers");
	/* The one before it, which is the wrong one. */
	image_expect(IMAGE("add", "c", "./device", "./image", "device=./text"), 1,
		     "1 further device, and 0", "");
	image_expect(IMAGE("inspect", "b"), 0, "", "device 2");
	ck_assert_uint_eq(image_count(), 2);
}
END_TEST

/* ---- the store ---------------------------------------------------------------------------- */

START_TEST(added_twice)
{
	static const struct erofs_file other = { .seed = 1 }, compressed = { .incompat = 1 };
	char cookie[128];
	struct stat st;

	erofs_write("image", &plain);
	image_expect(IMAGE("add", "a", "./image"), 0, "", "a: 1 layer, 8 KiB\n");
	ck_assert_int_eq(stat("state/images.db", &st), 0);
	ck_assert_int_eq(st.st_mode & 077, 0);
	snprintf(cookie, sizeof(cookie), "%s", layer_text("a", "cookie"));
	ck_assert_uint_eq(strlen(cookie), 34);
	ck_assert_int_eq(strncmp(cookie, "x:", 2), 0);
	image_expect(IMAGE("add", "a", "./image"), 0, "", "is this image already");
	erofs_write("other", &other);
	image_expect(IMAGE("add", "a", "./other"), 1, "another image already", "");
	ck_assert_str_eq(layer_text("a", "cookie"), cookie);
	image_expect(IMAGE("add", "--replace", "a", "./other"), 0, "", "8 KiB");
	ck_assert_str_ne(layer_text("a", "cookie"), cookie);
	/* The same content is the same object, whatever its image is called. */
	image_expect(IMAGE("add", "b", "./other"), 0, "", "");
	snprintf(cookie, sizeof(cookie), "%s", layer_text("a", "cookie"));
	ck_assert_str_eq(layer_text("b", "cookie"), cookie);
	erofs_write("compressed", &compressed);
	image_expect(IMAGE("add", "c", "./compressed", "./image"), 0, "", "fetched as a whole");
	image_expect(IMAGE("rm", "a", "none", "c"), 1, "no image 'none'", "");
	image_expect(IMAGE("ls", "--names"), 0, "", "b\n");
	ck_assert_uint_eq(image_count(), 1);
}
END_TEST

START_TEST(paths_mean_the_same_from_anywhere)
{
	char here[256], want[300];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	ck_assert_int_eq(mkdir("d", 0700), 0);
	erofs_write("d/i m", &plain);
	image_expect(IMAGE("add", "a", "./d/../d/i m"), 0, "", "");
	snprintf(want, sizeof(want), "file:%s/d/i%%20m", here);
	ck_assert_str_eq(layer_text("a", "locator"), want);
	image_expect(IMAGE("refresh", "a"), 0, "", "nothing has changed");
	image_expect(IMAGE("add", "a", want), 0, "", "already");
}
END_TEST

START_TEST(listed)
{
	json_t *image;
	char line[4096];
	struct ctl_result *r = IMAGE("ls");

	/* No store is made for that. */
	image_expect(r, 0, "", "");
	ck_assert(!file_exists("state"));
	image_expect(IMAGE("rm", "a"), 1, "no image 'a'", "");
	image_expect(IMAGE("inspect", "a"), 1, "no image 'a'", "");
	image_expect(IMAGE("refresh", "a"), 1, "no image 'a'", "");
	ck_assert(!file_exists("state"));
	erofs_write("image", &plain);
	image_expect(IMAGE("add", "b", "./image"), 0, "", "");
	image_expect(IMAGE("add", "a", "./image", "./image"), 0, "", "");
	r = IMAGE("ls");
	ctl_assert_ok(r);
	ck_assert_uint_eq(ctl_lines(r->out), 3);
	ck_assert_ptr_nonnull(strstr(ctl_line(r->out, 0, line, sizeof(line)), "LAYERS"));
	ck_assert_int_eq(ctl_line(r->out, 1, line, sizeof(line))[0], 'a');
	r = IMAGE("ls", "--json");
	image = json_loads(ctl_line(r->out, 0, line, sizeof(line)), 0, NULL);
	ck_assert_ptr_nonnull(image);
	ck_assert_str_eq(json_string_value(json_object_get(image, "name")), "a");
	/* Twice the same object has its size once. */
	ck_assert_int_eq(json_integer_value(json_object_get(image, "size")), 8192);
	ck_assert_uint_eq(json_array_size(json_object_get(image, "layers")), 2);
	json_decref(image);
}
END_TEST

/* What `cachefillctl mount REF` makes of its REF. */
START_TEST(image_of_a_mount)
{
	static char name[] = "https://h/x?token=s3cret", empty[] = "", cookie[] = "x:0";
	struct images_layer layer = {
		.primary = { .cookie = cookie,
			     .locator = name,
			     .validator = empty,
			     .media_type = empty,
			     .size = 4096 },
		.origin_digest = empty,
		.diff_id = empty,
	};
	char *refs[] = { name }, error[IMAGES_ERROR_MAX] = "";
	struct images_image image = { .name = name,
				      .refs = refs,
				      .n_refs = 1,
				      .manifest = empty,
				      .config = empty,
				      .manifest_digest = empty,
				      .transient = true,
				      .layers = &layer,
				      .n_layers = 1 };
	static const char *const commands[][2] = { { "ls" },
						   { "ls", "--json" },
						   { "ls", "--names" } };
	struct images *images;

	ck_assert_int_eq(images_open(&images, "state", IMAGES_WRITE, error), 0);
	ck_assert_msg(images_put(images, &image, error) == 0, "%s", error);
	images_close(images);
	for (int i = 0; i < N(commands); i++) {
		struct ctl_result *r = IMAGE(commands[i][0], commands[i][1]);

		image_expect(r, 0, "", i < 2 ? "https://h/x" : "");
		ck_assert_ptr_null(strstr(r->out, "s3cret"));
	}
	ck_assert_uint_eq(image_count(), 0);
	image_expect(IMAGE("inspect", name), 0, "", "https://h/x (until");
	ck_assert_ptr_null(strstr(IMAGE("inspect", "--json", name)->out, "s3cret"));
	image_expect(IMAGE("rm", name), 0, "", "");
	image_expect(IMAGE("inspect", name), 1, "no image", "");
}
END_TEST

/* ---- two at a time ------------------------------------------------------------------------ */

/* It sleeps between two tries to write the database. Where that cannot be seen, it may be late. */
static void await_sleep(pid_t pid)
{
	char path[64], text[64];
	long call = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	for (int i = 0; i < 5000 && call != SYS_clock_nanosleep; i++) {
		FILE *f = fopen(path, "r");

		if (f && fgets(text, sizeof(text), f))
			call = strtol(text, NULL, 10);
		if (f)
			fclose(f);
		usleep(1000);
	}
}

/* Another image gets the name after all has been asked, before it is written. */
START_TEST(name_that_is_given_meanwhile)
{
	char *text;
	sqlite3 *db;
	int status;
	size_t len;
	pid_t pid;

	erofs_write("image", &plain);
	image_expect(IMAGE("add", "other", "./image"), 0, "", "");
	ck_assert_int_eq(sqlite3_open("state/images.db", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "BEGIN IMMEDIATE; INSERT INTO image(name, manifest, config,"
				      " manifest_digest, transient, added)"
				      " VALUES('a', '', '', '', FALSE, 5)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	pid = image_start((const char *const[]){ "add", "a", "./image", NULL });
	await_sleep(pid);
	ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	text = (char *)file_read("stderr", &len);
	ck_assert_msg(memmem(text, len, "'a' is another image already", 28) != NULL, "%.*s",
		      (int)len, text);
	free(text);
	image_expect(IMAGE("inspect", "a"), 0, "", "name      a\nadded");
}
END_TEST

/* ---- mounts ------------------------------------------------------------------------------- */

START_TEST(mounted_images_stay)
{
	static const struct erofs_file other = { .seed = 1 };
	char here[200], record[1024];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	erofs_write("image", &plain);
	erofs_write("other", &other);
	image_expect(IMAGE("add", "a", "./image"), 0, "", "");
	image_expect(IMAGE("add", "b", "./image"), 0, "", "");
	ck_assert_int_eq(system("mkdir -p run/mounts"), 0);
	snprintf(record, sizeof(record),
		 "{\"version\":1,\"dir\":\"/mnt/x\",\"image\":\"a\",\"state-dir\":\"%s/state\","
		 "\"domain\":\"d\",\"layers\":[\"x:0\"],\"writable\":\"no\",\"upper\":\"\","
		 "\"transient\":false,\"complete\":true,\"mount-ns\":1}",
		 here);
	file_write("run/mounts/0123456789abcdef0123456789abcdef.json", record, strlen(record));
	image_expect(IMAGE("rm", "a"), 1, "mounted at /mnt/x", "");
	image_expect(IMAGE("add", "--replace", "a", "./other"), 1, "mounted at /mnt/x", "");
	erofs_write("image", &other);
	image_expect(IMAGE("refresh", "--yes", "a"), 1, "mounted at /mnt/x", "removed");
	image_expect(IMAGE("refresh", "--dry-run", "a"), 0, "", "added");
	image_expect(IMAGE("rm", "b"), 0, "", "");
	ck_assert_uint_eq(image_count(), 1);
	/* Somebody else's. */
	ck_assert_int_eq(system("sed -i s,/state,/other, run/mounts/*.json"), 0);
	image_expect(IMAGE("rm", "a"), 0, "", "");
}
END_TEST

/* ---- refresh ------------------------------------------------------------------------------ */

START_TEST(what_has_changed)
{
	static const struct erofs_file versions[] = { { .seed = 1 }, { .seed = 2, .blocks = 3 } };
	json_t *result, *layers;
	struct ctl_result *r;

	erofs_write("a", &plain);
	erofs_write("b", &versions[0]);
	image_expect(IMAGE("add", "i", "./a", "./b"), 0, "", "");
	image_expect(IMAGE("refresh", "i"), 0, "", "nothing has changed");
	erofs_write("b", &versions[1]);
	image_expect(IMAGE("refresh", "--dry-run", "i"), 0, "", "i: 16 KiB -> 20 KiB");
	/* Nobody is there to be asked. */
	r = IMAGE("refresh", "i");
	image_expect(r, 1, "--yes", "kept");
	ck_assert_ptr_nonnull(strstr(r->out, "removed"));
	ck_assert_ptr_nonnull(strstr(r->out, "added"));
	image_expect(IMAGE("ls"), 0, "", "16 KiB");
	result = json_of(IMAGE("refresh", "--json", "i"));
	ck_assert(json_is_true(json_object_get(result, "changed")));
	ck_assert(json_is_false(json_object_get(result, "applied")));
	layers = json_object_get(result, "layers");
	ck_assert_uint_eq(json_array_size(layers), 3);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(layers, 0), "change")),
			 "kept");
	json_decref(result);
	result = json_of(IMAGE("refresh", "--json", "--yes", "i"));
	ck_assert(json_is_true(json_object_get(result, "applied")));
	json_decref(result);
	image_expect(IMAGE("ls"), 0, "", "20 KiB");
	/* One that is gone leaves the image as it was. */
	unlink("b");
	image_expect(IMAGE("refresh", "--yes", "i"), 1, "stays as it was", "");
	image_expect(IMAGE("ls"), 0, "", "20 KiB");
	image_expect(IMAGE("refresh", "--yes", "--dry-run", "i"), 2, "contradict", "");
}
END_TEST

static char *refresh_asked(const char *text)
{
	static const char *const words[] = { "refresh", "i", NULL };

	return image_run_asked(words, text);
}

START_TEST(asked_on_a_terminal)
{
	static const struct erofs_file larger = { .blocks = 3 };
	static const char *const no[] = { "n\n", "\n", "x\n", "\x04" };
	char *out;

	erofs_write("a", &plain);
	image_expect(IMAGE("add", "i", "./a"), 0, "", "");
	erofs_write("a", &larger);
	for (int i = 0; i < N(no); i++) {
		out = refresh_asked(no[i]);
		ck_assert_msg(strstr(out, "[y/N]") && strstr(out, "Nothing was applied"), "%s",
			      out);
	}
	image_expect(IMAGE("ls"), 0, "", "8 KiB");
	out = refresh_asked("y\n");
	ck_assert_msg(strstr(out, "8 KiB -> 12 KiB") && strstr(out, "[y/N]"), "%s", out);
	image_expect(IMAGE("ls"), 0, "", "12 KiB");
	ck_assert_ptr_nonnull(strstr(refresh_asked("y\n"), "nothing has changed"));
}
END_TEST

START_TEST(usage)
{
	image_expect(IMAGE("add"), 2, "NAME and at least one REF", "");
	image_expect(IMAGE("add", "a"), 2, "NAME and at least one REF", "");
	image_expect(IMAGE("ls", "a"), 2, "no arguments", "");
	image_expect(IMAGE("inspect"), 2, "one NAME", "");
	image_expect(IMAGE("rm"), 2, "NAME is missing", "");
	image_expect(IMAGE("frob"), 2, "no command 'frob'", "");
	image_expect(IMAGE("ls", "--frob"), 2, "--frob", "");
	image_expect(IMAGE("add", "--help"), 0, "", "Usage: cachefillctl image add");
	ck_assert(!file_exists("state"));
	/* The store cannot be made. */
	erofs_write("image", &plain);
	file_write("state", "", 0);
	image_expect(IMAGE("add", "a", "./image"), 1, "state", "");
	image_configure("nonsense\n");
	image_expect(IMAGE("ls"), 1, "conf:1", "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-image");
	TCase *tc = tcase_create("image");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, ctl_enter, ctl_leave);
	tcase_add_test(tc, odd_bytes);
	tcase_add_loop_test(tc, names_that_are_none, 0, N(bad_names));
	tcase_add_test(tc, longest_name);
	tcase_add_loop_test(tc, references_that_are_none, 0, N(bad_refs));
	tcase_add_test(tc, devices);
	tcase_add_test(tc, added_twice);
	tcase_add_test(tc, paths_mean_the_same_from_anywhere);
	tcase_add_test(tc, listed);
	tcase_add_test(tc, image_of_a_mount);
	tcase_add_test(tc, name_that_is_given_meanwhile);
	tcase_add_test(tc, mounted_images_stay);
	tcase_add_test(tc, what_has_changed);
	tcase_add_test(tc, asked_on_a_terminal);
	tcase_add_test(tc, usage);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
