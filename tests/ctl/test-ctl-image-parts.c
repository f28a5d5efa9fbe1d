/* SPDX-License-Identifier: MIT */
/*
 * What is pure of the commands for images: references, names of contents, differences.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/image-diff.h"
#include "daemon/ctl/image.h"
#include "tests/lib/run-suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define GOLDEN	 "x:693ee2a8afff6396cfc8d2ea79f5622f"
#define HEX64	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define VERIFY	 "fs-verity:sha256:" HEX64 ";"

/* ---- references --------------------------------------------------------------------------- */

static const struct {
	const char *ref, *locator, *printed;
	bool device;
} refs[] = {
	{ "https://h/x?token=s#f", "https://h/x?token=s#f", "https://h/x" },
	{ "device=https://h/x", "https://h/x", "https://h/x", true },
	{ "h.example/a/b:v1", "oci://h.example/a/b:v1", "oci://h.example/a/b:v1" },
	{ "localhost/a", "oci://localhost/a", "oci://localhost/a" },
	{ "h:5000/a?layer=1", "oci://h:5000/a?layer=1", "oci://h:5000/a?layer=1" },
	{ "device=h:5000/a?title=x", "oci://h:5000/a?title=x", "oci://h:5000/a?title=x", true },
	{ "h.example/a@sha256:" HEX64, "oci://h.example/a@sha256:" HEX64, NULL },
	{ "/a b/../x%2f", "", NULL },
	{ "/nowhere%;", "file:/nowhere%25%3B", "file:/nowhere%25%3B" },
	{ "/dev/null", "file:/dev/null", "file:/dev/null" },
	{ "/dev/../etc/./x y", "file:/etc/x%20y", "file:/etc/x%20y" },
	{ "s3://b/k", "s3://b/k", "s3://b/k" },
	{ VERIFY "https://h/x?t=s", VERIFY "https://h/x?t=s", VERIFY "https://h/x" },
	{ "device=" VERIFY "/dev/null", VERIFY "file:/dev/null", NULL, true },
	{ VERIFY "h.example/a?layer=1", VERIFY "oci://h.example/a?layer=1", NULL },
	{ VERIFY "", "", NULL },
	{ VERIFY "here", "", NULL },
	{ VERIFY "https://u:p@h/x", "", NULL },
	{ VERIFY VERIFY "https://h/x", "", NULL },
	{ "fs-verity:sha256:12;https://h/x", "", NULL },
	{ "fs-verity:https://h/x", "", NULL },
};

START_TEST(references)
{
	char error[CONTEXT_ERROR_MAX] = "", printed[256], *locator = NULL;
	bool device = !refs[_i].device;
	int r = image_ref_locator(refs[_i].ref, &locator, &device, error);

	if (!*refs[_i].locator) {
		ck_assert_int_lt(r, 0);
		ck_assert_str_ne(error, "");
		return;
	}
	ck_assert_msg(r == 0, "%s", error);
	ck_assert_str_eq(locator, refs[_i].locator);
	ck_assert_int_eq(device, refs[_i].device);
	if (refs[_i].printed)
		ck_assert_str_eq(image_ref_print(locator, printed, sizeof(printed)),
				 refs[_i].printed);
	free(locator);
}
END_TEST

/* ---- names -------------------------------------------------------------------------------- */

START_TEST(every_odd_byte)
{
	char name[] = "a?b", error[CONTEXT_ERROR_MAX];

	for (int c = 1; c < 256; c++) {
		bool good = c > ' ' && c < 0x7f;

		name[1] = (char)c;
		error[0] = '\0';
		ck_assert_int_eq(image_name_check(name, error), good ? 0 : -EINVAL);
		ck_assert(good || strstr(error, "cannot be the name of an image"));
		/* Nothing odd is printed. */
		for (const char *at = error; *at; at++)
			ck_assert(*at >= ' ' && *at < 0x7f);
	}
}
END_TEST

/* ---- names of contents -------------------------------------------------------------------- */

static const char *cookie_of(const char *locator, const char *validator, uint64_t size)
{
	static char cookies[4][IMAGES_COOKIE_MAX];
	static unsigned int next;
	struct fetch_identity identity = { .size = size };
	char *cookie = cookies[next++ % 4];

	snprintf(identity.validator, sizeof(identity.validator), "%s", validator);
	image_cookie(cookie, locator, &identity);
	return cookie;
}

START_TEST(cookies)
{
	/* What it hashes is "https://h/x", NUL, "etag:\"v1\"", NUL, "8192". */
	ck_assert_str_eq(cookie_of("https://h/x", "etag:\"v1\"", 8192), GOLDEN);
	ck_assert_str_ne(cookie_of("https://h/x", "etag:\"v2\"", 8192), GOLDEN);
	ck_assert_str_ne(cookie_of("https://h/y", "etag:\"v1\"", 8192), GOLDEN);
	ck_assert_str_ne(cookie_of("https://h/x", "etag:\"v1\"", 8193), GOLDEN);
	/* A digest says it all. */
	ck_assert_str_eq(cookie_of("oci://h/r", "digest:sha256:" HEX64, 1), "sha256:" HEX64);
	ck_assert_str_eq(cookie_of("oci://g/s", "digest:sha256:" HEX64, 1), "sha256:" HEX64);
	/* That would be too long a name, and these are no digests. */
	ck_assert_uint_eq(strlen(cookie_of("oci://h/r", "digest:sha512:" HEX64 HEX64, 1)), 34);
	ck_assert_uint_eq(strlen(cookie_of("oci://h/r", "digest:sha256:" HEX64 "0", 1)), 34);
	ck_assert_uint_eq(strlen(cookie_of("oci://h/r", "digest:sha256:", 1)), 34);
	ck_assert_uint_eq(strlen(cookie_of("http://h/r", "", 0)), 34);
}
END_TEST

/* ---- differences -------------------------------------------------------------------------- */

#define LAYERS_MAX 12

struct sample {
	struct images_image image;
	struct images_layer layers[LAYERS_MAX];
	char cookies[LAYERS_MAX][4];
};

static void draw(struct sample *s)
{
	*s = (struct sample){ .image.layers = s->layers,
			      .image.n_layers = (size_t)rand() % (LAYERS_MAX + 1),
			      .image.manifest_digest = (char *)"" };
	for (size_t i = 0; i < s->image.n_layers; i++) {
		snprintf(s->cookies[i], sizeof(s->cookies[i]), "%c", 'a' + rand() % 4);
		s->layers[i].primary.cookie = s->cookies[i];
		s->layers[i].primary.size = 10;
	}
}

/* The most layers that both have in the same order, by trying all. */
static size_t most_common(const struct images_image *a, size_t i, const struct images_image *b,
			  size_t k)
{
	size_t without_a, without_b;

	if (i == a->n_layers || k == b->n_layers)
		return 0;
	if (image_same_layer(&a->layers[i], &b->layers[k]))
		return 1 + most_common(a, i + 1, b, k + 1);
	without_a = most_common(a, i + 1, b, k);
	without_b = most_common(a, i, b, k + 1);
	return without_a > without_b ? without_a : without_b;
}

START_TEST(differences_at_random)
{
	struct sample old, new;

	srand((unsigned int)_i);
	for (int round = 0; round < 200; round++) {
		struct image_diff diff;
		size_t i = 0, k = 0, kept = 0;

		draw(&old);
		draw(&new);
		ck_assert_int_eq(image_diff(&diff, &old.image, &new.image), 0);
		for (size_t n = 0; n < diff.n; n++) {
			const struct image_step *step = &diff.steps[n];

			kept += step->change == IMAGE_KEPT;
			if (step->change != IMAGE_ADDED)
				ck_assert(image_same_layer(step->layer, &old.layers[i++]));
			if (step->change != IMAGE_REMOVED)
				ck_assert(step->layer == &new.layers[k++]);
		}
		/* Each layer of both is told once, and as few changes as can be. */
		ck_assert_uint_eq(i, old.image.n_layers);
		ck_assert_uint_eq(k, new.image.n_layers);
		ck_assert_uint_eq(kept, most_common(&old.image, 0, &new.image, 0));
		ck_assert_int_eq(image_same(&old.image, &new.image),
				 kept == diff.n && old.image.n_layers == new.image.n_layers);
		image_diff_end(&diff);
	}
}
END_TEST

START_TEST(sizes)
{
	struct sample s = { .image.layers = s.layers, .image.n_layers = 3 };
	struct images_object device = { .cookie = (char *)"d", .size = 100 };
	static const char *const names[] = { "a", "b", "a" };

	for (int i = 0; i < N(names); i++)
		s.layers[i] = (struct images_layer){ .primary.cookie = (char *)names[i],
						     .primary.size = 10 };
	ck_assert_uint_eq(image_size(&s.image), 20);
	s.layers[0].devices = s.layers[1].devices = &device;
	s.layers[0].n_devices = s.layers[1].n_devices = 1;
	ck_assert_uint_eq(image_size(&s.image), 120);
	/* A device more, and it is another layer. */
	ck_assert(!image_same_layer(&s.layers[0], &s.layers[2]));
	s.layers[2].devices = &device;
	s.layers[2].n_devices = 1;
	ck_assert(image_same_layer(&s.layers[0], &s.layers[2]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-image-parts");
	TCase *tc = tcase_create("parts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, references, 0, N(refs));
	tcase_add_test(tc, every_odd_byte);
	tcase_add_test(tc, cookies);
	tcase_add_loop_test(tc, differences_at_random, 0, 8);
	tcase_add_test(tc, sizes);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
