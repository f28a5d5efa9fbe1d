/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"
#include "tests/unit/fake-registry.h"

static struct config *config;
static char error[CONFIG_ERROR_MAX];

static void setup(void)
{
	log_set_level(-1);
	ck_assert_int_eq(config_new(&config), 0);
	memset(error, 0, sizeof(error));
}

static void teardown(void)
{
	config_free(config);
}

static int parse(const char *text)
{
	return config_parse(config, "F", text, strlen(text), error);
}

static void good(const char *text)
{
	int r = parse(text);

	ck_assert_msg(r == 0, "refused: %s", error);
}

/* ---- keys -------------------------------------------------------------------------------- */

START_TEST(test_defaults)
{
	ck_assert_str_eq(config->cache_dir, "/var/cache/cachefilld");
	ck_assert_str_eq(config->state_dir, "/var/lib/cachefilld");
	ck_assert_str_eq(config->tag, "CacheFiles");
	ck_assert_str_eq(config->device, "/dev/cachefiles");
	ck_assert_str_eq(config->image_domain, "cachefilld");
	ck_assert(!config->credential_helpers);
	ck_assert_int_eq(config->seccomp, SYSCALL_FILTER_YES);
	ck_assert_ptr_null(config->trace);
	ck_assert_ptr_null(config->secctx);
	ck_assert_uint_eq(config->buffers, 16 << 20);
	ck_assert_uint_eq(config->readahead_max, 8 << 20);
	ck_assert_uint_eq(config->names_max, 16 << 20);
	ck_assert_uint_eq(config->slow_request_ms, 5000);
	ck_assert_int_eq(config->log_level, LOG_INFO);
	ck_assert_uint_eq(config->limits.brun, 7);
	ck_assert_uint_eq(config->limits.fstop, 1);
	good("source { url https://h/{cookie} }");
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_uint_eq(config->sources[0].open_deadline_ms, 30000);
	ck_assert_uint_eq(config->sources[0].read_deadline_ms, 30000);
	ck_assert_uint_eq(config->sources[0].positive_ttl_ms, 3600000);
	ck_assert_uint_eq(config->sources[0].negative_ttl_ms, 10000);
	ck_assert_uint_eq(config->sources[0].max_requests, 16);
	ck_assert(!config->sources[0].revalidate);
	ck_assert(config->sources[0].for_keys);
	ck_assert_int_eq(config->sources[0].compressed, COMPRESSED_WHOLE);
	ck_assert_ptr_null(config->sources[0].rule.volume);
	ck_assert_ptr_null(config->sources[0].params[0].key);
}
END_TEST

/* Images have places of their own, and need none of the configuration. */
START_TEST(test_images_only)
{
	ck_assert_int_eq(config_finish(config, error), 0);
	good("credential-helpers yes\nseccomp log\n"
	     "image-domain a.b-c\n"
	     "source r { url https://h/; rule no; open-deadline 1s }\n");
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_str_eq(config->image_domain, "a.b-c");
	ck_assert(config->credential_helpers);
	ck_assert_int_eq(config->seccomp, SYSCALL_FILTER_LOG);
	ck_assert(!config->sources[0].for_keys);
	ck_assert_str_eq(config->sources[0].rule.locator, "https://h/");
	ck_assert_uint_eq(config->sources[0].open_deadline_ms, 1000);
}
END_TEST

/* The form of the file that cachefilesd is shipped with. */
START_TEST(test_a_file_of_cachefilesd)
{
	good("####\n"
	     "#\n"
	     "# Copyright (C) somebody, see dir /nowhere\n"
	     "#\n"
	     "\n"
	     "dir /var/cache/fscache\n"
	     "tag mycache\n"
	     "brun 10%\n"
	     "bcull 7%\n"
	     "bstop 3%\n"
	     "frun 11%\n"
	     "fcull 8%\n"
	     "fstop 4%\n"
	     "\n"
	     "# security\n"
	     "secctx system_u:system_r:cachefiles_kernel_t:s0\n"
	     "culltable 12\n"
	     "nocull\n"
	     "resume_thresholds 1000 20\n"
	     "debug 7\n");
	ck_assert_str_eq(config->cache_dir, "/var/cache/fscache");
	ck_assert_str_eq(config->tag, "mycache");
	ck_assert_str_eq(config->secctx, "system_u:system_r:cachefiles_kernel_t:s0");
	ck_assert_uint_eq(config->limits.brun, 10);
	ck_assert_uint_eq(config->limits.bcull, 7);
	ck_assert_uint_eq(config->limits.bstop, 3);
	ck_assert_uint_eq(config->limits.frun, 11);
	ck_assert_uint_eq(config->limits.fcull, 8);
	ck_assert_uint_eq(config->limits.fstop, 4);
}
END_TEST

START_TEST(test_every_other_key)
{
	good("state-dir = /s; device = /d; size-limit = 2TiB\n"
	     "buffers = 32MiB\nreadahead-max = 5000\nlog-level = debug\n"
	     "names-max = 0; slow-request = 0s; negative-ttl = 0s; positive-ttl = 24h; "
	     "open-deadline = "
	     "10s\nread-deadline = 500ms\nmax-requests = 3\n"
	     "revalidate = yes\ncompressed = refuse\n"
	     "source plain { url = https://one/{cookie}; color = red }\n"
	     "source \"own words\" {\n"
	     "	volume = 'erofs,a*'\n	cookie = \"*.img\"\n	url = fake:{cookie}\n"
	     "	negative-ttl = 2s; open-deadline = 1min; read-deadline = 1h; max-requests = 1024\n"
	     "	revalidate = no; compressed = whole\n"
	     "	header = 'a: b'; header = 'c: d'\n"
	     "}\n");
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_str_eq(config->state_dir, "/s");
	ck_assert_str_eq(config->device, "/d");
	ck_assert_uint_eq(config->buffers, 32 << 20);
	ck_assert_uint_eq(config->readahead_max, 4096);
	ck_assert_uint_eq(config->names_max, 0);
	ck_assert_uint_eq(config->slow_request_ms, 0);
	ck_assert_uint_eq(config->size_limit, (uint64_t)2 << 40);
	ck_assert_int_eq(config->log_level, LOG_DEBUG);

	ck_assert_uint_eq(config->n_sources, 2);
	ck_assert_str_eq(config->sources[0].name, "plain");
	ck_assert_str_eq(config->sources[0].where, "F:10");
	ck_assert_str_eq(config->sources[0].rule.locator, "https://one/{cookie}");
	ck_assert_uint_eq(config->sources[0].open_deadline_ms, 10000);
	ck_assert_uint_eq(config->sources[0].read_deadline_ms, 500);
	ck_assert_uint_eq(config->sources[0].positive_ttl_ms, 86400000);
	ck_assert_uint_eq(config->sources[0].negative_ttl_ms, 0);
	ck_assert_uint_eq(config->sources[1].positive_ttl_ms, 86400000);
	ck_assert_uint_eq(config->sources[1].negative_ttl_ms, 2000);
	ck_assert_uint_eq(config->sources[0].max_requests, 3);
	ck_assert(config->sources[0].revalidate);
	ck_assert_int_eq(config->sources[0].compressed, COMPRESSED_REFUSE);
	ck_assert_str_eq(config->sources[0].params[0].key, "color");
	ck_assert_str_eq(config->sources[0].params[0].value, "red");
	ck_assert_ptr_null(config->sources[0].params[1].key);

	ck_assert_str_eq(config->sources[1].name, "own words");
	ck_assert_str_eq(config->sources[1].rule.volume, "erofs,a*");
	ck_assert_str_eq(config->sources[1].rule.cookie, "*.img");
	ck_assert_str_eq(config->sources[1].rule.locator, "fake:{cookie}");
	ck_assert_uint_eq(config->sources[1].open_deadline_ms, 60000);
	ck_assert_uint_eq(config->sources[1].read_deadline_ms, 3600000);
	ck_assert_uint_eq(config->sources[1].max_requests, 1024);
	ck_assert(!config->sources[1].revalidate);
	ck_assert_int_eq(config->sources[1].compressed, COMPRESSED_WHOLE);
	ck_assert_str_eq(config->sources[1].params[0].value, "a: b");
	ck_assert_str_eq(config->sources[1].params[1].value, "c: d");
}
END_TEST

/* A default holds for all sources, also for those before it. */
START_TEST(test_defaults_do_not_depend_on_the_order)
{
	good("source a { url https://h/a }\n"
	     "open-deadline 5s\n"
	     "source b { url https://h/b; open-deadline 6s }\n"
	     "open-deadline 7s\n");
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_uint_eq(config->sources[0].open_deadline_ms, 7000);
	ck_assert_uint_eq(config->sources[1].open_deadline_ms, 6000);
}
END_TEST

#ifdef HAVE_VERIFY
START_TEST(test_digests_stand_in_front_of_templates)
{
	static const char text[] =
		"source a {\nurl https://h/{cookie}\n"
		"verify fs-verity:{cookie}\n}\n"
		"source b {\nurl https://h/x\nverify fs-verity:sha256:"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		"\n}\nsource c {\nurl https://h/{cookie}\n}\n";

	ck_assert_int_eq(config_parse(config, "F", text, strlen(text), error), 0);
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_str_eq(config->sources[0].verified, "fs-verity:{cookie};https://h/{cookie}");
	ck_assert_str_eq(config->sources[0].rule.locator, "https://h/{cookie}");
	ck_assert_str_eq(config->sources[1].verified,
			 "fs-verity:sha256:"
			 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			 ";https://h/x");
	ck_assert_ptr_null(config->sources[2].verified);
}
END_TEST
#endif

#define TEN	"0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

START_TEST(test_errors_name_their_line)
{
	static const struct {
		const char *text, *want; /* how the error begins */
	} rows[] = {
		{ "\n\nnonsense 1", "F:3: unknown key 'nonsense'" },
		{ "dir relative", "F:1: dir needs an absolute path, not 'relative'" },
		{ "dir", "F:1: dir needs a value" },
		{ "dir \"\"", "F:1: dir needs" },
		{ "\ndir /a b", "F:2: dir takes one value" },
		{ "brun 10", "F:1: brun needs a percentage" },
		{ "brun 100%", "F:1: brun needs a percentage" },
		{ "buffers 1MB", "F:1: buffers needs a size" },
		{ "buffers 1023K", "F:1: buffers needs a size" },
		{ "buffers 65GiB", "F:1: buffers needs a size" },
		{ "readahead-max 0", "F:1: readahead-max needs" },
		{ "open-deadline 30", "F:1: open-deadline needs a time" },
		{ "open-deadline 99ms", "F:1: open-deadline needs a time" },
		{ "read-deadline 61min", "F:1: read-deadline needs a time" },
		{ "names-max 2GiB", "F:1: names-max needs a size" },
		{ "slow-request 2h", "F:1: slow-request needs a time" },
		{ "positive-ttl 25h", "F:1: positive-ttl needs a time" },
		{ "negative-ttl 61min", "F:1: negative-ttl needs a time" },
		{ "max-requests 0", "F:1: max-requests needs a number" },
		{ "retries 101", "F:1: retries needs a number up to 100" },
		{ "backoff 0s", "F:1: backoff needs a time" },
		{ "alternative https://h/x", "F:1: alternative belongs into" },
		{ "log-level loud", "F:1: log-level needs error" },
		{ "log-level \"\"", "F:1: log-level needs error" },
		{ "compressed maybe", "F:1: compressed needs whole or refuse" },
		{ "revalidate 2", "F:1: revalidate needs yes or no" },
		{ "credential-helpers maybe", "F:1: credential-helpers needs yes or no" },
		{ "seccomp maybe", "F:1: seccomp needs yes, no or log" },
		{ "image-domain \"\"", "F:1: image-domain needs up to 100 printable" },
		{ "image-domain a,b", "F:1: image-domain needs up to 100 printable" },
		{ "image-domain a/b", "F:1: image-domain needs up to 100 printable" },
		{ "image-domain 'a b'", "F:1: image-domain needs up to 100 printable" },
		{ "image-domain a\xc3", "F:1: image-domain needs up to 100 printable" },
		{ "image-domain " HUNDRED "x", "F:1: image-domain needs up to 100 printable" },
		{ "rule no", "F:1: rule belongs into a source section" },
		{ "source a {\nurl https://h/x\nrule maybe\n}", "F:3: rule needs yes or no" },
		{ "url https://h/x", "F:1: url belongs into a source section" },
		{ "volume a", "F:1: volume belongs into a source section" },
		{ "a 'b\nc", "F:1: a quote is not closed" },
		{ "\n  = 3", "F:2: a key was expected" },
		{ "source a\n{\n", "F:1: unknown key 'source'" },
		{ "\nsource a {\nurl https://h/x\n", "F:2: the source has no closing '}'" },
		{ "\nsource a {\nvolume x\n}", "F:2: the source has no url" },
		{ "source a b { url https://h/x }", "F:1: a source has one name" },
		{ "}", "F:1: '}' without a section" },
		{ "sauce a {\n}", "F:1: 'sauce' is not a section" },
		{ "source a {\nsource b {\n}}", "F:2: a section in a section" },
		{ "source a {\nurl h/{cookie}\n}", "F:2: url: begin with a scheme" },
		{ "source a {\nurl https://h/{x}\n}", "F:2: url: a brace must" },
		{ "source a {\n\nurl gopher:x\n}", "F:1: no fetcher for 'gopher:'" },
		{ "source a {\nshape round\nurl https://h/x }", "F:2: unknown key 'shape'" },
		{ "source a {\nurl https://h/x\ncolor a b\n}", "F:3: color takes one value" },
		{ "source a {\nurl https://h/x\nurl https://h/x\n}", "F:3: url is given twice" },
		{ "source a {\nurl https://h/x\nalternative x\n}", "F:3: alternative: begin with" },
		{ "source a {\ntrust-alternatives x\n}", "F:2: trust-alternatives needs yes" },
		{ "source a {\ndir /x\n}", "F:2: dir does not belong into" },
		{ "source a { url https://h/x }\nsource a { url https://h/x }",
		  "F:2: there is a source 'a' already (F:1)" },
		{ "source \"\" { url https://h/x }", "F:1: the name of a source" },
		{ "verify fs-verity:sha256:{cookie}", "F:1: verify belongs into a source" },
		{ "source a {\nverify sha256:{cookie}\n}", "F:2: verify needs fs-verity:" },
		{ "source a {\nverify fs-verity:sha256:12\n}", "F:2: verify needs fs-verity:" },
		{ "source a {\nverify fs-verity:sha256:{cookies}\n}", "F:2: verify: a brace" },
		{ "source a {\nverify 'fs-verity:sha256:{cookie};x'\n}", "F:2: verify needs fs-" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *c;

		ck_assert_int_eq(config_new(&c), 0);
		ck_assert_msg(config_parse(c, "F", rows[i].text, strlen(rows[i].text), error) ==
				      -EINVAL,
			      "taken: %s", rows[i].text);
		ck_assert_msg(strncmp(error, rows[i].want, strlen(rows[i].want)) == 0, "%s -> %s",
			      rows[i].text, error);
		config_free(c);
	}
}
END_TEST

START_TEST(test_the_whole)
{
	good("source s { url https://h/x; color bad }\n");
	ck_assert_int_eq(config_finish(config, error), -EINVAL);
	ck_assert_str_eq(error, "F:1: source 's': color cannot be bad");

	good("bcull 7%");
	ck_assert_int_eq(config_finish(config, error), -EINVAL);
	ck_assert_ptr_null(strstr(error, "color"));
}
END_TEST

START_TEST(test_window_fits_into_the_buffers)
{
	good("buffers 2MiB\nreadahead-max 4MiB\nsource { url https://h/x }");
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_uint_eq(config->readahead_max, 2 << 20);
}
END_TEST

START_TEST(test_sources_of_the_command_line)
{
	static const struct {
		const char *spec, *volume, *locator;
	} rows[] = {
		{ "https://h/{cookie}", NULL, "https://h/{cookie}" },
		{ "https://h/?k={cookie}", NULL, "https://h/?k={cookie}" },
		{ "erofs,a*=https://h/?k={cookie}", "erofs,a*", "https://h/?k={cookie}" },
		{ "*=fake:{cookie}", "*", "fake:{cookie}" },
	};

	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(config_add_source(config, rows[i].spec, error), 0);
		ck_assert_str_eq(config->sources[i].rule.locator, rows[i].locator);
		if (rows[i].volume)
			ck_assert_str_eq(config->sources[i].rule.volume, rows[i].volume);
		else
			ck_assert_ptr_null(config->sources[i].rule.volume);
	}
	good("source { url https://h/x }");
	ck_assert_int_eq(config_finish(config, error), 0);
	ck_assert_str_eq(config->sources[4].name, "source-5");

	ck_assert_int_eq(config_add_source(config, "", error), -EINVAL);
	ck_assert_int_eq(config_add_source(config, "=https://h/x", error), -EINVAL);
	ck_assert_int_eq(config_add_source(config, "h/{cookie}", error), -EINVAL);
	ck_assert_int_eq(config_add_source(config, "a=h/{cookie}", error), -EINVAL);
}
END_TEST

START_TEST(test_number_of_sources_and_params_is_bounded)
{
	char text[64];

	for (int i = 0; i < 1024; i++)
		ck_assert_int_eq(config_add_source(config, "fake:{cookie}", error), 0);
	ck_assert_int_eq(config_add_source(config, "fake:{cookie}", error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "1024"));

	teardown();
	setup();
	good("source { url fake:x }");
	for (int n = 64; n <= 65; n++) {
		char *many = malloc(8192);
		size_t at = (size_t)snprintf(many, 8192, "source { url fake:x\n");

		for (int i = 0; i < n; i++)
			at += (size_t)snprintf(many + at, 8192 - at, "header %d\n", i);
		snprintf(many + at, 8192 - at, "}\n");
		ck_assert_int_eq(parse(many), n == 64 ? 0 : -EINVAL);
		free(many);
	}
	snprintf(text, sizeof(text), "F:66:");
	ck_assert_msg(strncmp(error, text, strlen(text)) == 0, "%s", error);
}
END_TEST

START_TEST(test_one_key_by_itself)
{
	ck_assert_int_eq(config_set(config, "dir", "/with blank", error), 0);
	ck_assert_str_eq(config->cache_dir, "/with blank");
	ck_assert_int_eq(config_set(config, "compressed", "refuse", error), 0);
	ck_assert_int_eq(config->defaults.compressed, COMPRESSED_REFUSE);
	ck_assert_int_eq(config_set(config, "dir", "x", error), -EINVAL);
	ck_assert_str_eq(error, "dir needs an absolute path, not 'x'");
	ck_assert_int_eq(config_set(config, "nonsense", "x", error), -EINVAL);
}
END_TEST

/* ---- files ------------------------------------------------------------------------------- */

/* Lines "KEY = 'VALUE'": what is plain goes to the first, and the rest to the second. */
struct shown {
	char plain[8192], names[8192];
};

static void show(void *arg, const char *key, const char *value, bool plain)
{
	struct shown *shown = arg;
	char *text = plain ? shown->plain : shown->names;

	snprintf(text + strlen(text), 8192 - strlen(text), "%s = '%s'\n", key, value);
}

/* What is shown is what a file would have to say. */
START_TEST(test_values_are_shown_as_they_are_written)
{
	struct shown before = { "", "" }, after = { "", "" };
	struct config *copy;

	good("brun 9%\nbuffers 3MiB\nslow-request = 1500ms\nseccomp = log\nlog-level = debug\n"
	     "credential-helpers = yes\ndir /d\nretries = 3\ncompressed = refuse\n");
	config_each(config, NULL, show, &before);
	ck_assert_ptr_nonnull(strstr(before.plain, "seccomp = 'log'\n"));
	ck_assert_ptr_nonnull(strstr(before.plain, "slow-request = '1500ms'\n"));
	ck_assert_ptr_nonnull(strstr(before.names, "dir = '/d'\n"));
	ck_assert_int_eq(config_new(&copy), 0);
	ck_assert_int_eq(config_parse(copy, "F", before.plain, strlen(before.plain), error), 0);
	ck_assert_int_eq(config_parse(copy, "F", before.names, strlen(before.names), error), 0);
	config_each(copy, NULL, show, &after);
	ck_assert_str_eq(before.plain, after.plain);
	ck_assert_str_eq(before.names, after.names);
	config_free(copy);
}
END_TEST

START_TEST(test_secrets_are_not_shown)
{
	struct shown shown = { "", "" };

	good("source s {\n url = https://u:hunter2@h/{cookie}?t=hunter2\n"
	     " alternative = fake://u:hunter2@g/{cookie}?t=hunter2\n"
	     " header = hunter2\n color = red\n read-deadline = 2s\n}\n");
	config_each(config, &config->sources[0], show, &shown);
	ck_assert_ptr_null(strstr(shown.names, "hunter2"));
	ck_assert_ptr_null(strstr(shown.plain, "hunter2"));
	ck_assert_ptr_nonnull(strstr(shown.names, "url = 'https://h/{cookie}'\n"));
	ck_assert_ptr_nonnull(strstr(shown.names, "alternative = 'fake://g/{cookie}'\n"));
	ck_assert_ptr_nonnull(strstr(shown.names, "header = '(set)'\n"));
	ck_assert_ptr_nonnull(strstr(shown.names, "color = 'red'\n"));
	ck_assert_ptr_nonnull(strstr(shown.plain, "read-deadline = '2000ms'\n"));
}
END_TEST

static char dir[TEMPORARY_MAX];

static void write_text(const char *name, const char *text)
{
	char path[TEMPORARY_MAX + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* ---- changes ----------------------------------------------------------------------------- */

static char changes[512];

static void note_change(void *arg, const char *key, enum config_when when)
{
	static const char *const signs[] = { "", "~", "!" };

	strcat(strcat(strcat(changes, signs[when]), key), " ");
}

static void changed(const char *text, const char *expected)
{
	struct config *other;

	ck_assert_int_eq(config_new(&other), 0);
	ck_assert_msg(config_parse(other, "F", text, strlen(text), error) == 0, "%s", error);
	changes[0] = '\0';
	config_changes(config, other, note_change, NULL);
	ck_assert_str_eq(changes, expected);
	config_free(other);
}

START_TEST(test_what_has_changed_is_told)
{
	good("size-limit 1M\nsecctx a\nread-deadline 1s\nsource { url fake:/a/{cookie} }\n");
	changed("size-limit 1024K\nsecctx a\nread-deadline 1000ms\n", "");
	changed("secctx b\nread-deadline 1s\n", "~secctx size-limit ");
	changed("size-limit 1M\nread-deadline 2s\n", "~secctx read-deadline ");
	changed("size-limit 1M\nsecctx a\nread-deadline 1s\ntrace /t\nbcull 8%\ndir /d\n",
		"!dir ~bcull trace ");
	changed("size-limit 1M\nsecctx a\nread-deadline 1s\nstate-dir /d\nimage-domain d\n"
		"seccomp no\ncredential-helpers yes\ntag t\ndevice /dev/d\n",
		"~tag !state-dir ~device !image-domain ~credential-helpers ~seccomp ");
}
END_TEST

/* ---- files ------------------------------------------------------------------------------- */

START_TEST(test_files)
{
	char file[TEMPORARY_MAX + 16], path[TEMPORARY_MAX + 64];

	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/c.conf", dir);
	ck_assert_int_eq(config_load(config, file, error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "c.conf: No such file"));

	write_text("c.conf", "tag main\nstate-dir /main\nsource one { url https://h/1 }\n");
	ck_assert_int_eq(config_load(config, file, error), 0);
	ck_assert_uint_eq(config->n_sources, 1);

	teardown();
	setup();
	snprintf(path, sizeof(path), "%s/c.conf.d", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	write_text("c.conf.d/20-b.conf", "tag twenty\nsource three { url https://h/3 }\n");
	write_text("c.conf.d/10-a.conf", "tag ten\nsource two { url https://h/2 }\n");
	write_text("c.conf.d/.hidden.conf", "nonsense");
	write_text("c.conf.d/README", "nonsense");
	ck_assert_int_eq(config_load(config, file, error), 0);
	ck_assert_str_eq(config->tag, "twenty");
	ck_assert_str_eq(config->state_dir, "/main");
	ck_assert_uint_eq(config->n_sources, 3);
	ck_assert_str_eq(config->sources[0].name, "one");
	ck_assert_str_eq(config->sources[1].name, "two");
	ck_assert_str_eq(config->sources[2].name, "three");

	teardown();
	setup();
	write_text("c.conf.d/30-c.conf", "\nnonsense 1\n");
	ck_assert_int_eq(config_load(config, file, error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "c.conf.d/30-c.conf:2: unknown key"));

	/* A directory where the file should be. */
	ck_assert_int_eq(config_load(config, dir, error), -EISDIR);

	temporary_remove(dir);
}
END_TEST

START_TEST(test_endless_file_is_refused)
{
	ck_assert_int_eq(config_load(config, "/dev/zero", error), -EFBIG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("config");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_images_only);
	tcase_add_test(tc, test_a_file_of_cachefilesd);
	tcase_add_test(tc, test_every_other_key);
	tcase_add_test(tc, test_defaults_do_not_depend_on_the_order);
#ifdef HAVE_VERIFY
	tcase_add_test(tc, test_digests_stand_in_front_of_templates);
#endif
	tcase_add_test(tc, test_errors_name_their_line);
	tcase_add_test(tc, test_the_whole);
	tcase_add_test(tc, test_window_fits_into_the_buffers);
	tcase_add_test(tc, test_sources_of_the_command_line);
	tcase_add_test(tc, test_number_of_sources_and_params_is_bounded);
	tcase_add_test(tc, test_one_key_by_itself);
	tcase_add_test(tc, test_values_are_shown_as_they_are_written);
	tcase_add_test(tc, test_secrets_are_not_shown);
	tcase_add_test(tc, test_what_has_changed_is_told);
	tcase_add_test(tc, test_files);
	tcase_add_test(tc, test_endless_file_is_refused);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
