/* SPDX-License-Identifier: MIT */
#include "daemon/origins.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/run-suite.h"

/* ---- a registry of our own: fetchers that know where they were made for --------------------- */

struct fake {
	struct fetcher base;
	char template[LOCATOR_MAX];
	const char *color;
};

static unsigned int made, freed;

static void fake_free(struct fetcher *fetcher)
{
	freed++;
	free(container_of(fetcher, struct fake, base));
}

static const struct fetcher_ops fake_ops = { .free = fake_free };

static int fake_create(struct fetcher **ret, struct loop *loop, const char *template,
		       const struct fetcher_param *params, char *error)
{
	struct fake *fake;

	if (strstr(template, "broken")) {
		snprintf(error, FETCH_ERROR_MAX, "a broken file");
		return -ENOENT;
	}
	if (!loop)
		return 0;
	fake = calloc(1, sizeof(*fake));
	ck_assert_ptr_nonnull(fake);
	fake->base.ops = &fake_ops;
	snprintf(fake->template, sizeof(fake->template), "%s", template);
	for (; params->key; params++)
		fake->color = params->value;
	*ret = &fake->base;
	made++;
	return 0;
}

static const struct fetcher_class fake_class = {
	.name = "fake",
	.schemes = (const char *const[]){ "http", "https", "oci", "s3", "file", NULL },
	.keys = (const struct fetcher_key[]){ { "color", "a color" }, { NULL, NULL } },
	.create = fake_create,
};

const struct fetcher_class *const fetcher_classes[] = { &fake_class, NULL };

/* ---- fixture ------------------------------------------------------------------------------- */

static struct config *config;
static struct loop *loop;
static struct origins *origins;
static char error[ORIGINS_ERROR_MAX];
static char config_error[CONFIG_ERROR_MAX];

static const char text[] =
	"open-deadline 7s\n"
	"retries 0\n" /* fetchers are seen as they were made */
	"source root { url https://h/{cookie} }\n"
	"source app { url https://H:443/app-{cookie}; color app }\n"
	"source deep { url https://u:p@h/deep/er/{domain}/{cookie}; color deep }\n"
	"source braces { url https://h/{{x/{cookie}; color braces }\n"
	"source plain { url http://h:80/{cookie}; color plain }\n"
	"source port { url https://h:8443/; rule no; color port }\n"
	"source one { url https://one/a/b.img; color one }\n"
	"source oci { url oci://r:5000/team/app:{cookie}; color oci }\n"
	"source bucket { url s3://Bucket/{cookie}; color bucket }\n"
	"source many { url https://many/{cookie}; color many; retries 2\n"
	"alternative https://h/{cookie}\nalternative https://h/app-{cookie}\n"
	"trust-alternatives yes }\n"
	"source files { url file:///srv/{cookie}; rule no; color files }\n";

static void setup(void)
{
	made = freed = 0;
	*error = '\0';
	ck_assert_int_eq(config_new(&config), 0);
	ck_assert_int_eq(config_parse(config, "F", text, strlen(text), config_error), 0);
	ck_assert_int_eq(config_finish(config, config_error), 0);
	ck_assert_int_eq(loop_new(&loop, LOOP_VIRTUAL), 0);
	ck_assert_int_eq(origins_new(&origins, loop, config), 0);
}

static void teardown(void)
{
	origins_free(origins);
	ck_assert_uint_eq(made, freed);
	loop_free(loop);
	config_free(config);
}

static struct origin find(const char *locator)
{
	struct origin origin;
	int err = origins_find(origins, locator, &origin, error);

	ck_assert_msg(err == 0, "%s: %s", locator, error);
	return origin;
}

static const struct fake *fake_of(const struct origin *origin)
{
	return container_of(origin->fetcher, struct fake, base);
}

/* ---- sources of the configuration ----------------------------------------------------------- */

static const struct {
	const char *locator, *name;
} rows[] = {
	{ "https://h/x", "root" },
	{ "HTTPS://H/x", "root" },
	{ "https://h:443/x", "root" },
	{ "https://user:secret@h/x", "root" },
	{ "https://h/app-1", "app" },
	{ "https://h/app", "root" },
	{ "https://h/App-1", "root" },
	{ "https://h/deep/er/1/2", "deep" },
	{ "https://h/deep/er", "root" },
	{ "https://h/{x/1", "braces" },
	{ "https://h?x=/app-", "root" },
	{ "http://h/x", "plain" },
	{ "https://h:8443/any", "port" },
	{ "https://one/a/b.img", "one" },
	{ "https://one/a/", "https://one/" },
	{ "oci://R:5000/team/app@sha256:00?blob", "oci" },
	{ "oci://r:5000/team/other:1", "oci" },
	{ "oci://r:5000/else/app:1", "oci://r:5000/" },
	{ "s3://Bucket/key", "bucket" },
	{ "s3://bucket/key", "s3://bucket/" },
	{ "file:/srv/a", "files" },
	{ "file:///srv/a", "files" },
	{ "file://localhost/srv/a", "files" },
	{ "file:/other/a", "file:/" },
	{ "https://h.evil/x", "https://h.evil/" },
	{ "https://other:444", "https://other:444/" },
	{ "http://[::1]:80/x", "http://[::1]/" },
	{ "https://u@Other/x?y", "https://other/" },
};

START_TEST(test_whose_is_it)
{
	struct origin origin = find(rows[_i].locator);

	ck_assert_str_eq(origin.source->name, rows[_i].name);
	ck_assert_str_eq(fake_of(&origin)->template, origin.source->rule.locator);
	if (fake_of(&origin)->color)
		ck_assert_str_eq(fake_of(&origin)->color, rows[_i].name);
	ck_assert_uint_eq(origin.source->open_deadline_ms, 7000);
	/* An implicit one, which there is by now, is none of the configuration. */
	ck_assert_int_eq(origins_is_named(origins, rows[_i].locator), !strstr(rows[_i].name, ":"));
}
END_TEST

START_TEST(test_one_fetcher_for_all_of_an_origin)
{
	struct origin a = find("https://h/1"), b = find("https://h/2");
	struct origin c = find("https://new/1"), d = find("https://new/2");

	ck_assert_ptr_eq(a.fetcher, b.fetcher);
	ck_assert_uint_eq(a.number, 0);
	ck_assert_ptr_eq(c.fetcher, d.fetcher);
	ck_assert_uint_eq(c.number, config->n_sources);
	ck_assert_uint_eq(d.number, c.number);
	ck_assert_uint_eq(made, 2);
	ck_assert_uint_eq(origins_count(origins), config->n_sources + 1);
}
END_TEST

START_TEST(test_all_of_them)
{
	struct origin origin;

	find("https://new/1");
	for (size_t i = 0; i < origins_count(origins); i++) {
		ck_assert_int_eq(origins_get(origins, i, &origin, error), 0);
		ck_assert_uint_eq(origin.number, i);
		ck_assert_ptr_nonnull(origin.fetcher);
		ck_assert_str_eq(origin.source->name,
				 i < config->n_sources ? config->sources[i].name : "https://new/");
	}
	ck_assert_uint_eq(made, config->n_sources + 1 + 2); /* and two alternatives */
}
END_TEST

struct healths {
	unsigned int n;
	char names[256];
};

static void note_health(void *arg, uint32_t source, const struct fetch_health *health)
{
	struct healths *h = arg;

	ck_assert_str_eq(config->sources[source].name, "many");
	ck_assert_int_eq(health->state, HEALTH_WORKS);
	h->n++;
	strcat(h->names, health->name);
	strcat(h->names, " ");
}

/* The log needs that: also of what is in front, and of what the configuration does not name. */
START_TEST(test_fetchers_know_whose_they_are)
{
	ck_assert_str_eq(find("https://many/1").fetcher->source, "many");
	ck_assert_str_eq(find("http://h/x").fetcher->source, "plain");
	ck_assert_str_eq(find("https://other.example.com/x").fetcher->source,
			 find("https://other.example.com/x").source->name);
}
END_TEST

START_TEST(test_alternatives_have_health)
{
	struct healths healths = { 0 };

	origins_each_health(origins, note_health, &healths);
	ck_assert_uint_eq(healths.n, 0);
	find("https://many/1");
	ck_assert_uint_eq(made, 3);
	origins_each_health(origins, note_health, &healths);
	ck_assert_str_eq(healths.names, "https://many/ https://h/ https://h/app- ");
}
END_TEST

/* From the first key on they are what the url is. */
START_TEST(test_alternatives_of_another_form)
{
	static const char bad[] = "source s { url https://a/{cookie}.img\n"
				  "alternative https://b/{cookie} }\n";
	struct config *other;

	ck_assert_int_eq(config_new(&other), 0);
	ck_assert_int_eq(config_parse(other, "F", bad, strlen(bad), config_error), 0);
	ck_assert_int_eq(config_finish(other, config_error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(config_error, "it has to end in '{cookie}.img'"));
	config_free(other);
}
END_TEST

#ifdef HAVE_TARMAP
/* A tar layer shares the source of its blob, and one decorator serves all of that source. */
START_TEST(test_tar_layers_are_read_by_their_blob)
{
	struct origin blob = find("https://h/x"), layer = find("tarmap:/m;https://h/x");
	struct origin again = find("tarmap:/n;https://h/y"), other = find("tarmap:/m;http://h/x");
	struct origin both = find("tarmap:/m;tarmap:/n;https://h/x");

	ck_assert_uint_eq(layer.number, blob.number);
	ck_assert_ptr_eq(layer.source, blob.source);
	ck_assert_ptr_ne(layer.fetcher, blob.fetcher);
	ck_assert_ptr_eq(again.fetcher, layer.fetcher);
	ck_assert_str_eq(other.source->name, "plain");
	ck_assert_ptr_ne(other.fetcher, layer.fetcher);
	ck_assert_uint_eq(both.number, blob.number);
	ck_assert_ptr_ne(both.fetcher, layer.fetcher);
	ck_assert_ptr_eq(find("https://h/z").fetcher, blob.fetcher);
	ck_assert(origins_is_named(origins, "tarmap:/m;tarmap:/n;https://h/x"));
	ck_assert(!origins_is_named(origins, "tarmap:/m;https://new/x"));
	ck_assert_uint_eq(made, 2);
}
END_TEST
#endif

#ifdef HAVE_VERIFY
#define DIGEST "fs-verity:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(test_what_is_verified_is_of_its_origin)
{
	struct origin blob = find("https://h/x"), verified = find(DIGEST ";https://h/x");
	struct origin other = find(DIGEST ",https%3A%2F%2Fh%2Ft;https://h/x");
	struct origin layer = find("tarmap:/m;" DIGEST ";https://h/x");

	ck_assert_uint_eq(verified.number, blob.number);
	ck_assert_ptr_ne(verified.fetcher, blob.fetcher);
	ck_assert_ptr_eq(other.fetcher, verified.fetcher);
	ck_assert_uint_eq(layer.number, blob.number);
	ck_assert_ptr_ne(layer.fetcher, verified.fetcher);
	ck_assert_uint_eq(made, 1);
}
END_TEST

/* A source that verifies does so with what its keys become; an image at it has its own locators. */
START_TEST(test_a_source_that_verifies)
{
	struct origin keys, image;

	config->sources[0].verified = strdup(DIGEST ";x");
	ck_assert_int_eq(origins_get(origins, 0, &keys, error), 0);
	image = find(config->sources[0].rule.locator);
	ck_assert_uint_eq(image.number, 0);
	ck_assert_ptr_ne(keys.fetcher, image.fetcher);
}
END_TEST
#endif

/* ---- what cannot be ------------------------------------------------------------------------- */

START_TEST(test_not_locators)
{
	static const char *const bad[] = { "",
					   "x",
					   "/x",
					   "https:",
					   "https:/x",
					   "https:///x",
					   "https://",
					   "file:x",
					   "file://host/x",
					   ":x",
					   "tarmap:",
					   "tarmap:/m;x",
					   "tarmap:/m",
					   "tarmap:m;https://h/x",
					   "tarmap:/m%00;https://h/x",
					   "fs-verity:sha256:00",
					   "fs-verity:sha256:00;",
					   "fs-verity:sha256:00,;https://h/x",
					   "tarmap:/m;tarmap:/m;tarmap:/m;tarmap:/m;https://h/x" };
	struct origin origin;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(origins_find(origins, bad[i], &origin, error), -EINVAL);
		ck_assert_ptr_nonnull(strstr(error, "not a locator"));
		ck_assert(!origins_is_named(origins, bad[i]));
	}
	ck_assert_uint_eq(origins_count(origins), config->n_sources);
}
END_TEST

START_TEST(test_longer_than_a_locator)
{
	char locator[LOCATOR_MAX + 1] = "https://h/";
	struct origin origin;

	memset(locator + 10, 'x', sizeof(locator) - 11);
	locator[LOCATOR_MAX] = '\0';
	ck_assert_int_eq(origins_find(origins, locator, &origin, error), -EINVAL);
	locator[LOCATOR_MAX - 1] = '\0';
	ck_assert_str_eq(find(locator).source->name, "root");
}
END_TEST

START_TEST(test_errors_name_the_origin)
{
	struct origin origin;

	ck_assert_int_eq(origins_find(origins, "gopher://h/x", &origin, error), -EPROTONOSUPPORT);
	ck_assert_ptr_nonnull(strstr(error, "'gopher:'"));
	ck_assert_int_eq(origins_find(origins, "https://u:secret@broken/x", &origin, error),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "source 'https://broken/': a broken file"));
	ck_assert_int_eq(origins_find(origins, "https:secret", &origin, error), -EINVAL);
	ck_assert_uint_eq(origins_count(origins), config->n_sources);
}
END_TEST

START_TEST(test_their_number_is_bounded)
{
	char locator[64];
	struct origin origin;

	for (int i = 0; i < ORIGINS_IMPLICIT_MAX; i++) {
		snprintf(locator, sizeof(locator), "https://host-%d/x", i);
		find(locator);
	}
	ck_assert_int_eq(origins_find(origins, "https://more/x", &origin, error), -EMFILE);
	ck_assert_ptr_nonnull(strstr(error, "https://more/"));
	ck_assert_ptr_nonnull(strstr(error, "64"));
	find("https://host-0/y");
	find("https://h/x");
}
END_TEST

/* Only where there is none left for it, and nothing of what is there is lost where it fails. */
START_TEST(test_a_place_is_taken_over)
{
	char locator[64];
	struct origin origin, last;

	ck_assert_int_eq(origins_find_instead(origins, 0, "https://host-0/x", &origin, error), 0);
	for (int i = 1; i < ORIGINS_IMPLICIT_MAX; i++) {
		snprintf(locator, sizeof(locator), "https://host-%d/x", i);
		last = find(locator);
	}
	ck_assert_uint_eq(freed, 0);
	ck_assert_int_eq(
		origins_find_instead(origins, origin.number, "https://host-3/y", &last, error), 0);
	ck_assert_uint_ne(last.number, origin.number);
	ck_assert_int_eq(
		origins_find_instead(origins, origin.number, "https://broken/x", &last, error),
		-ENOENT);
	ck_assert_uint_eq(find("https://host-0/y").number, origin.number);
	ck_assert_uint_eq(freed, 0);
	ck_assert_int_eq(
		origins_find_instead(origins, origin.number, "https://more/x", &last, error), 0);
	ck_assert_uint_eq(last.number, origin.number);
	ck_assert_str_eq(last.source->name, "https://more/");
	ck_assert_str_eq(fake_of(&last)->template, "https://more/");
	ck_assert_uint_eq(freed, 1);
	ck_assert_int_eq(origins_find(origins, "https://host-0/x", &origin, error), -EMFILE);
	ck_assert_ptr_eq(find("https://more/y").fetcher, last.fetcher);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("origins");
	TCase *tc = tcase_create("origins");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_whose_is_it, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, test_one_fetcher_for_all_of_an_origin);
	tcase_add_test(tc, test_all_of_them);
	tcase_add_test(tc, test_fetchers_know_whose_they_are);
	tcase_add_test(tc, test_alternatives_have_health);
	tcase_add_test(tc, test_alternatives_of_another_form);
#ifdef HAVE_TARMAP
	tcase_add_test(tc, test_tar_layers_are_read_by_their_blob);
#endif
#ifdef HAVE_VERIFY
	tcase_add_test(tc, test_what_is_verified_is_of_its_origin);
	tcase_add_test(tc, test_a_source_that_verifies);
#endif
	tcase_add_test(tc, test_not_locators);
	tcase_add_test(tc, test_longer_than_a_locator);
	tcase_add_test(tc, test_errors_name_the_origin);
	tcase_add_test(tc, test_their_number_is_bounded);
	tcase_add_test(tc, test_a_place_is_taken_over);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
