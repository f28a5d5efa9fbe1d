/* SPDX-License-Identifier: MIT */
/* What cachefillctl als tells podman, and what it takes for the same files. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/als-match.h"
#include "daemon/ctl/als-tree.h"
#include "daemon/ctl/layout.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"

#define HEX(c)	   c c c c c c c c c c c c c c c c
#define DIGEST(c)  "sha256:" HEX(c c c c)
#define IMAGE_TYPE "application/vnd.oci.image.layer.v1"

/* ---- names -------------------------------------------------------------------------------- */

static const char *name_of(const char *locator)
{
	static char name[ALS_REFERENCE_MAX];
	const char *why = NULL;

	if (als_name_of(locator, name, &why) == 0)
		return name;
	ck_assert_ptr_nonnull(why);
	return NULL;
}

START_TEST(a_locator_is_named_as_podman_names_it)
{
	ck_assert_str_eq(name_of("oci://localhost:5000/team/app:v1"), "localhost:5000/team/app:v1");
	ck_assert_str_eq(name_of("oci://example.org/app"), "example.org/app:latest");
	ck_assert_str_eq(name_of("oci://example.org/app@" DIGEST("a")),
			 "example.org/app@" DIGEST("a"));
	/* With both, podman looks for the digest. */
	ck_assert_str_eq(name_of("oci://example.org/app:v1@" DIGEST("a")),
			 "example.org/app@" DIGEST("a"));
	ck_assert_str_eq(name_of("oci://registry-1.docker.io/library/debian:12"),
			 "docker.io/library/debian:12");
}
END_TEST

START_TEST(what_is_no_image_has_no_name)
{
	ck_assert_ptr_null(name_of("https://example.org/app"));
	ck_assert_ptr_null(name_of("oci://example.org"));
	ck_assert_ptr_null(name_of("oci://example.org/app:v1?layer=1"));
	ck_assert_ptr_null(name_of("oci://example.org/app@" DIGEST("a") "?blob"));
}
END_TEST

START_TEST(names_that_podman_would_complete_are_refused)
{
	static const char *const bad[] = { "",	      "debian",	      "debian:12",
					   "/app:v1", "host/app",     "host:5000/app",
					   "host/",   "host/app:v 1", "host/app?:v1" };
	char longest[ALS_REFERENCE_MAX + 1];
	const char *why;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(als_name_check(bad[i], &why) == -EINVAL && why, "%s", bad[i]);
	memset(longest, 'a', sizeof(longest) - 1);
	memcpy(longest, "h/", 2);
	memcpy(longest + sizeof(longest) - 3, ":v", 3);
	ck_assert_int_eq(als_name_check(longest, &why), -EINVAL);
	memmove(longest, longest + 1, sizeof(longest) - 1);
	longest[0] = 'h';
	longest[1] = '/';
	ck_assert_int_eq(als_name_check(longest, &why), 0);
}
END_TEST

START_TEST(names_survive_their_encoding)
{
	static const char *const names[] = { "h/a:1", "h/a:12", "h/a:123",
					     "localhost:5000/t/app:v1" };
	char encoded[ALS_ENCODED_MAX], decoded[ALS_REFERENCE_MAX], longest[ALS_REFERENCE_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		als_name_encode(names[i], encoded);
		ck_assert_int_eq(als_name_decode(encoded, decoded), 0);
		ck_assert_str_eq(decoded, names[i]);
	}
	/* By coreutils. */
	ck_assert_str_eq(encoded, "bG9jYWxob3N0OjUwMDAvdC9hcHA6djE=");

	memset(longest, 'z', sizeof(longest) - 1);
	memcpy(longest, "h/", 2);
	memcpy(longest + sizeof(longest) - 3, ":v", 3);
	als_name_encode(longest, encoded);
	ck_assert_int_eq(als_name_decode(encoded, decoded), 0);
	ck_assert_str_eq(decoded, longest);
}
END_TEST

START_TEST(other_entries_of_the_directory_are_no_names)
{
	static const char *const bad[] = { "",
					   ".",
					   "..",
					   "abcd",
					   "bG9j!WxoOjUwMDAvdC9hcHA6djE=",
					   "bG9jYWxob3N0OjUwMDAvdC9hcHA6djE",
					   "aC9hOjE",
					   "aC9hOjF=",
					   "====",
					   "aC9hOjEA" };
	char decoded[ALS_REFERENCE_MAX], longest[2 * ALS_ENCODED_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(als_name_decode(bad[i], decoded) == -EINVAL, "%s", bad[i]);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t n = ALS_ENCODED_MAX - 12; n < sizeof(longest); n++)
		ck_assert_int_eq(als_name_decode(longest + sizeof(longest) - 1 - n, decoded),
				 -EINVAL);
}
END_TEST

/* ---- what podman is told ------------------------------------------------------------------ */

START_TEST(compression_is_known_by_the_media_type)
{
	int c = -1;

	ck_assert_int_eq(als_compression(IMAGE_TYPE ".tar", &c), 0);
	ck_assert_int_eq(c, 0);
	ck_assert_int_eq(als_compression(IMAGE_TYPE ".tar+gzip", &c), 0);
	ck_assert_int_eq(c, 2);
	ck_assert_int_eq(als_compression("application/vnd.docker.image.rootfs.diff.tar.gzip", &c),
			 0);
	ck_assert_int_eq(c, 2);
	ck_assert_int_eq(als_compression(IMAGE_TYPE ".tar+zstd", &c), 0);
	ck_assert_int_eq(c, 4);
	ck_assert_int_eq(als_compression("application/vnd.erofs.layer.v1", &c), -EINVAL);
	ck_assert_int_eq(als_compression("", &c), -EINVAL);
}
END_TEST

START_TEST(info_is_what_podman_reads)
{
	struct als_info info = { (char *)DIGEST("a"), (char *)DIGEST("b"), 5, 7, 2 }, again;
	char *text = als_info_format(&info);

	ck_assert_str_eq(text, "{\"compressed-diff-digest\":\"" DIGEST(
				       "a") "\","
					    "\"compressed-size\":5,\"diff-digest\":\"" DIGEST(
						    "b") "\","
							 "\"diff-size\":7,\"compression\":2}");
	ck_assert_int_eq(als_info_parse(&again, text, strlen(text)), 0);
	ck_assert_str_eq(again.digest, info.digest);
	ck_assert_str_eq(again.diff_id, info.diff_id);
	ck_assert_uint_eq(again.size, 5);
	ck_assert_uint_eq(again.diff_size, 7);
	ck_assert_int_eq(again.compression, 2);
	als_info_end(&again);
	ck_assert_int_eq(als_info_parse(&again, text, strlen(text) - 1), -EINVAL);
	ck_assert_int_eq(als_info_parse(&again, "{}", 2), -EINVAL);
	free(text);
}
END_TEST

/* ---- the same files ----------------------------------------------------------------------- */

#define LAYER(c, type)	 "{\"mediaType\":\"" type "\",\"digest\":\"" DIGEST(c) "\",\"size\":5}"
#define MANIFEST(layers) "{\"layers\":[" layers "]}"
#define CONFIG(ids)	 "{\"rootfs\":{\"diff_ids\":[" ids "]}}"

static struct als_layer *layers;
static size_t n_layers;

static int read_image(const char *manifest, const char *config)
{
	const char *why = NULL;
	int r = als_layers_read(&layers, &n_layers, manifest, config, &why);

	ck_assert(r == 0 || (r == -EINVAL && why));
	return r;
}

static void read_two(void)
{
	ck_assert_int_eq(read_image(MANIFEST(LAYER("a", IMAGE_TYPE
						   ".tar+gzip") "," LAYER("b", IMAGE_TYPE ".tar")),
				    CONFIG("\"" DIGEST("c") "\",\"" DIGEST("b") "\"")),
			 0);
	ck_assert_uint_eq(n_layers, 2);
	ck_assert_str_eq(layers[0].digest, DIGEST("a"));
	ck_assert_str_eq(layers[0].diff_id, DIGEST("c"));
	ck_assert_uint_eq(layers[0].size, 5);
	ck_assert_ptr_null(layers[0].image);
}

/* An image of the store with one layer, of an archive, as the digests say. */
static void offer(const char *name, const char *origin, const char *diff_id)
{
	struct images_layer layer = { .origin_digest = (char *)origin, .diff_id = (char *)diff_id };
	struct images_image image = {
		.name = (char *)name, .manifest = (char *)"", .layers = &layer, .n_layers = 1
	};

	ck_assert_int_eq(als_match(layers, n_layers, &image), 0);
}

/* With one that was converted. */
static void offer_converted(const char *name, const char *origin, const char *manifest)
{
	struct images_layer layer = { .origin_digest = (char *)origin, .diff_id = (char *)origin };
	struct images_image image = {
		.name = (char *)name, .manifest = (char *)manifest, .layers = &layer, .n_layers = 1
	};

	ck_assert_int_eq(als_match(layers, n_layers, &image), 0);
}

#define CONVERTED(digest, of)                                                                      \
	MANIFEST("{\"digest\":\"" digest "\",\"annotations\":{\"" LAYOUT_SOURCE_DIFF_ID "\":\"" of \
		 "\"}"                                                                             \
		 "}")

START_TEST(a_layer_of_the_archive_itself_fits)
{
	read_two();
	offer("other", DIGEST("d"), "");
	ck_assert_ptr_null(layers[0].image);
	offer("mine", DIGEST("a"), DIGEST("c"));
	ck_assert_str_eq(layers[0].image, "mine");
	ck_assert_ptr_null(layers[1].image);
	layers = als_layers_free(layers, n_layers);
}
END_TEST

START_TEST(a_layer_of_the_same_archive_otherwise_compressed_fits)
{
	read_two();
	offer("otherwise", DIGEST("d"), DIGEST("c"));
	ck_assert_str_eq(layers[0].image, "otherwise");
	offer("mine", DIGEST("a"), DIGEST("c"));
	ck_assert_str_eq(layers[0].image, "mine");
	layers = als_layers_free(layers, n_layers);
}
END_TEST

START_TEST(a_converted_layer_fits_and_wins)
{
	read_two();
	offer("archive", DIGEST("a"), DIGEST("c"));
	offer_converted("converted", DIGEST("e"), CONVERTED(DIGEST("e"), DIGEST("c")));
	offer("later", DIGEST("a"), DIGEST("c"));
	ck_assert_str_eq(layers[0].image, "converted");
	layers = als_layers_free(layers, n_layers);
}
END_TEST

/* What stands in a manifest is believed of the layers that it names, nothing else. */
START_TEST(annotations_of_others_do_not_count)
{
	read_two();
	offer_converted("a", DIGEST("e"), CONVERTED(DIGEST("f"), DIGEST("c")));
	offer_converted("b", DIGEST("e"), MANIFEST("{\"digest\":\"" DIGEST("e") "\"}"));
	offer_converted("c", DIGEST("e"), MANIFEST("1,{},[]"));
	offer_converted("d", DIGEST("e"), "{");
	offer_converted("e", "", CONVERTED("", DIGEST("d")));
	ck_assert_ptr_null(layers[0].image);
	ck_assert_ptr_null(layers[1].image);
	layers = als_layers_free(layers, n_layers);
}
END_TEST

START_TEST(digests_that_nobody_knows_are_not_equal)
{
	read_two();
	offer("nothing", "", "");
	ck_assert_ptr_null(layers[0].image);
	ck_assert_ptr_null(layers[1].image);
	layers = als_layers_free(layers, n_layers);
}
END_TEST

START_TEST(what_is_no_image_of_archives_is_refused)
{
	static const char id[] = CONFIG("\"" DIGEST("c") "\"");

	ck_assert_int_eq(read_image("", ""), -EINVAL);
	ck_assert_int_eq(read_image("{", id), -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST(""), CONFIG("")), -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST(LAYER("a", IMAGE_TYPE ".tar")), CONFIG("")), -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST(LAYER("a", IMAGE_TYPE ".tar")), "{}"), -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST(LAYER("a", "application/vnd.erofs.layer.v1")), id),
			 -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST("{}"), id), -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST(LAYER("A", IMAGE_TYPE ".tar")), id), -EINVAL);
	ck_assert_int_eq(read_image(MANIFEST(LAYER("a", IMAGE_TYPE ".tar")), CONFIG("1")), -EINVAL);
}
END_TEST

/* ---- the directory ------------------------------------------------------------------------ */

static char root[TEMPORARY_MAX], dir[TEMPORARY_MAX + 16], error[ALS_ERROR_MAX], diff[PATH_MAX];

static void setup(void)
{
	temporary_dir(root, TEMPORARY_ANY);
	snprintf(dir, sizeof(dir), "%s/run/als", root);
}

static void teardown(void)
{
	temporary_remove(root);
}

static void prepare(const char *name, const char *digest)
{
	ck_assert_msg(als_tree_prepare(dir, name, digest, diff, error) == 0, "%s", error);
}

static void publish(const char *name, const char *digest)
{
	struct als_info info = { (char *)digest, (char *)DIGEST("f"), 5, 7, 2 };

	prepare(name, digest);
	ck_assert_msg(als_tree_publish(dir, name, &info, root, error) == 0, "%s", error);
}

struct seen {
	unsigned int entries, published;
	uint64_t size;
	bool remove;
};

static int see(void *arg, const struct als_entry *entry)
{
	struct seen *seen = arg;

	seen->entries++;
	seen->published += entry->info.digest != NULL;
	seen->size += entry->info.size;
	if (seen->remove)
		ck_assert_int_eq(als_tree_remove(dir, entry->name, entry->digest, error), 0);
	return 0;
}

static struct seen look(const char *name)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(als_tree_each(dir, name, see, &seen), 0);
	return seen;
}

START_TEST(podman_finds_what_is_published)
{
	char path[PATH_MAX];
	struct stat st;

	ck_assert_uint_eq(look(NULL).entries, 0);
	prepare("h/a:1", DIGEST("a"));
	snprintf(path, sizeof(path), "%s/aC9hOjE=/%s/diff", dir, DIGEST("a"));
	ck_assert_str_eq(diff, path);
	ck_assert(stat(diff, &st) == 0 && S_ISDIR(st.st_mode));
	ck_assert_uint_eq(look(NULL).published, 0);

	publish("h/a:1", DIGEST("a"));
	ck_assert_uint_eq(look("h/a:1").published, 1);
	snprintf(path, sizeof(path), "%s/aC9hOjE=/%s/blob", dir, DIGEST("a"));
	ck_assert_int_eq(access(path, R_OK), 0);
	ck_assert(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700);
	snprintf(path, sizeof(path), "%s/aC9hOjE=/%s/info", dir, DIGEST("a"));
	ck_assert_int_eq(access(path, R_OK), 0);

	ck_assert_int_eq(als_tree_withdraw(dir, "h/a:1", DIGEST("a"), error), 0);
	ck_assert_int_eq(als_tree_withdraw(dir, "h/a:1", DIGEST("a"), error), 0);
	ck_assert_uint_eq(look("h/a:1").published, 0);
	ck_assert_uint_eq(look("h/a:1").entries, 1);
}
END_TEST

/* Podman takes a layer for missing then, where an empty directory would be a layer without files.
 */
START_TEST(a_layer_that_is_unmounted_is_not_found)
{
	struct als_info info = { (char *)DIGEST("a"), (char *)DIGEST("f"), 5, 7, 2 };
	char layer[PATH_MAX], blob[PATH_MAX];

	snprintf(layer, sizeof(layer), "%s/layer", root);
	ck_assert_int_eq(mkdir(layer, 0700), 0);
	prepare("h/a:1", DIGEST("a"));
	/* As a killed tool leaves it. */
	snprintf(blob, sizeof(blob), "%s/aC9hOjE=/%s/blob~", dir, DIGEST("a"));
	ck_assert_int_eq(symlink("nowhere", blob), 0);
	ck_assert_int_eq(als_tree_publish(dir, "h/a:1", &info, layer, error), 0);
	snprintf(blob, sizeof(blob), "%s/aC9hOjE=/%s/blob", dir, DIGEST("a"));
	ck_assert_int_eq(access(blob, F_OK), 0);
	ck_assert_int_eq(rmdir(layer), 0);
	ck_assert_int_ne(access(blob, F_OK), 0);
	ck_assert_int_eq(als_tree_remove(dir, "h/a:1", DIGEST("a"), error), 0);
}
END_TEST

START_TEST(names_are_told_apart_and_go_with_their_last_layer)
{
	struct seen seen = { .remove = true };
	char path[PATH_MAX];

	publish("h/a:1", DIGEST("a"));
	publish("h/a:1", DIGEST("b"));
	publish("h/a:2", DIGEST("a"));
	ck_assert_uint_eq(look(NULL).size, 15);
	ck_assert_uint_eq(look("h/a:1").entries, 2);
	ck_assert_uint_eq(look("h/a:3").entries, 0);

	/* As podman leaves it. */
	snprintf(path, sizeof(path), "%s/aC9hOjE=/%s/use", dir, DIGEST("a"));
	fclose(fopen(path, "w"));
	ck_assert_int_eq(als_tree_each(dir, "h/a:1", see, &seen), 0);
	ck_assert_uint_eq(seen.entries, 2);
	snprintf(path, sizeof(path), "%s/aC9hOjE=", dir);
	ck_assert(access(path, F_OK) != 0 && errno == ENOENT);
	ck_assert_uint_eq(look(NULL).entries, 1);
}
END_TEST

START_TEST(what_somebody_put_there_is_told_and_stays)
{
	char path[PATH_MAX];

	publish("h/a:1", DIGEST("a"));
	snprintf(path, sizeof(path), "%s/aC9hOjE=/%s/own", dir, DIGEST("a"));
	fclose(fopen(path, "w"));
	ck_assert_int_eq(als_tree_remove(dir, "h/a:1", DIGEST("a"), error), -ENOTEMPTY);
	ck_assert_ptr_nonnull(strstr(error, dir));
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_told)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/run", root);
	fclose(fopen(path, "w"));
	ck_assert_int_eq(als_tree_prepare(dir, "h/a:1", DIGEST("a"), diff, error), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(error, root));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("als");
	TCase *pure = tcase_create("text"), *tree = tcase_create("tree");

	tcase_add_test(pure, a_locator_is_named_as_podman_names_it);
	tcase_add_test(pure, what_is_no_image_has_no_name);
	tcase_add_test(pure, names_that_podman_would_complete_are_refused);
	tcase_add_test(pure, names_survive_their_encoding);
	tcase_add_test(pure, other_entries_of_the_directory_are_no_names);
	tcase_add_test(pure, compression_is_known_by_the_media_type);
	tcase_add_test(pure, info_is_what_podman_reads);
	tcase_add_test(pure, a_layer_of_the_archive_itself_fits);
	tcase_add_test(pure, a_layer_of_the_same_archive_otherwise_compressed_fits);
	tcase_add_test(pure, a_converted_layer_fits_and_wins);
	tcase_add_test(pure, annotations_of_others_do_not_count);
	tcase_add_test(pure, digests_that_nobody_knows_are_not_equal);
	tcase_add_test(pure, what_is_no_image_of_archives_is_refused);
	suite_add_tcase(s, pure);
	tcase_add_checked_fixture(tree, setup, teardown);
	tcase_add_test(tree, podman_finds_what_is_published);
	tcase_add_test(tree, a_layer_that_is_unmounted_is_not_found);
	tcase_add_test(tree, names_are_told_apart_and_go_with_their_last_layer);
	tcase_add_test(tree, what_somebody_put_there_is_told_and_stays);
	tcase_add_test(tree, a_directory_that_cannot_be_made_is_told);
	suite_add_tcase(s, tree);
	return run_suite(s);
}
