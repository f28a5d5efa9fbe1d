/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/util/log.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/temporary.h"
#include "tests/unit/fake-registry.h"

#define SOURCE "--source", "https://h/{cookie}"

static struct config *config;
static struct options options;
static char output[16384]; /* what the last run printed on both streams */
static char dir[TEMPORARY_MAX], file[TEMPORARY_MAX + 16];

static void write_file(const char *text)
{
	FILE *f = fopen(file, "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	log_set_level(-1);
	config = NULL;
	memset(&options, 0x55, sizeof(options));
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(file, sizeof(file), "%s/conf", dir);
	write_file("");
}

static void teardown(void)
{
	config_free(config);
	temporary_remove(dir);
}

/* Parses into a fresh configuration, with stdout and stderr caught. */
static enum options_action run_words(const char *const *argv)
{
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	int fd = memfd_create("output", MFD_CLOEXEC), argc = 0;
	enum options_action action;
	ssize_t n;

	config_free(config);
	ck_assert_int_eq(config_new(&config), 0);
	while (argv[argc])
		argc++;
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	action = options_parse(&options, config, argc, (char *const *)argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	n = pread(fd, output, sizeof(output) - 1, 0);
	output[n < 0 ? 0 : n] = '\0';
	close(fd);
	return action;
}

/* The default file may exist on the host of the tests: an empty one is named instead. */
#define RUN(...) \
	run_words((const char *const[]){ "cachefilld", "--config", file, __VA_ARGS__, NULL })

#define ck_assert_output(text) \
	ck_assert_msg(strstr(output, text) != NULL, "no '%s' in: %s", text, output)

START_TEST(test_a_source_is_enough)
{
	ck_assert_int_eq(RUN("--cache-dir", "/c", SOURCE), OPTIONS_RUN);
	ck_assert_str_eq(config->cache_dir, "/c");
	ck_assert_uint_eq(config->n_sources, 1);
	ck_assert_str_eq(config->sources[0].rule.locator, "https://h/{cookie}");
	ck_assert_int_eq(options.notify_fd, -1);
	ck_assert(!options.poll_loop);
	ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(test_every_option_that_sets_a_key)
{
	ck_assert_int_eq(RUN("--cache-dir=/c", "--state-dir=/s", "--tag=t", "--device=/d",
			     "--buffers=4MiB", "--readahead-max=1MiB", "--open-deadline=3s",
			     "--read-deadline=4s", "--compressed=refuse", "--io=poll", SOURCE),
			 OPTIONS_RUN);
	ck_assert_str_eq(config->cache_dir, "/c");
	ck_assert_str_eq(config->state_dir, "/s");
	ck_assert_str_eq(config->tag, "t");
	ck_assert_str_eq(config->device, "/d");
	ck_assert_uint_eq(config->buffers, 4 << 20);
	ck_assert_uint_eq(config->readahead_max, 1 << 20);
	ck_assert_uint_eq(config->sources[0].open_deadline_ms, 3000);
	ck_assert_uint_eq(config->sources[0].read_deadline_ms, 4000);
	ck_assert_int_eq(config->sources[0].compressed, COMPRESSED_REFUSE);
	ck_assert(options.poll_loop);
}
END_TEST

START_TEST(test_flags_win_over_the_file)
{
	write_file("dir /from-file\ntag from-file\nopen-deadline 9s\nlog-level error\n"
		   "source f { url https://f/{cookie}; read-deadline 8s }\n");
	ck_assert_int_eq(RUN("--cache-dir", "/flag", "--open-deadline", "5s", "--read-deadline",
			     "6s", "-v", "--source", "erofs,a=https://one/x", "--source",
			     "https://two/x"),
			 OPTIONS_RUN);
	ck_assert_str_eq(config->cache_dir, "/flag");
	ck_assert_str_eq(config->tag, "from-file");
	ck_assert_int_eq(config->log_level, LOG_DEBUG);
	/* In the order of the flags, and before those of the file. */
	ck_assert_uint_eq(config->n_sources, 3);
	ck_assert_str_eq(config->sources[0].rule.locator, "https://one/x");
	ck_assert_str_eq(config->sources[1].rule.locator, "https://two/x");
	ck_assert_str_eq(config->sources[2].name, "f");
	/* A flag is a default: what a section says of itself stays. */
	ck_assert_uint_eq(config->sources[0].open_deadline_ms, 5000);
	ck_assert_uint_eq(config->sources[2].open_deadline_ms, 5000);
	ck_assert_uint_eq(config->sources[1].read_deadline_ms, 6000);
	ck_assert_uint_eq(config->sources[2].read_deadline_ms, 8000);
}
END_TEST

START_TEST(test_quiet)
{
	ck_assert_int_eq(RUN("-q", SOURCE), OPTIONS_RUN);
	ck_assert_int_eq(config->log_level, LOG_WARNING);
}
END_TEST

START_TEST(test_mistakes_end_in_one_line)
{
	static const char *const rows[][3] = {
		{ "--nonsense", NULL, "bad option '--nonsense'" },
		{ "-x", NULL, "bad option '-x'" },
		{ "--source", NULL, "option '--source' needs a value" },
		{ "--source", "nowhere", "--source 'nowhere': url: begin with a scheme" },
		{ "stray", NULL, "unexpected argument 'stray'" },
		{ "--cache-dir", "relative", "dir needs an absolute path" },
		{ "--buffers", "1", "buffers needs a size" },
		{ "--io", "fast", "--io needs uring or poll" },
		{ "--notify-fd", "x", "--notify-fd needs" },
		{ "--notify-fd", "99999999999", "--notify-fd needs" },
		{ "--notify-fd", "999999", "Bad file descriptor" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(RUN(rows[i][0], rows[i][1]), OPTIONS_EXIT_USAGE);
		ck_assert_output(rows[i][2]);
		ck_assert_output("Try 'cachefilld --help'");
		ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1);
		ck_assert(strncmp(output, "cachefilld: ", 12) == 0);
	}
}
END_TEST

START_TEST(test_help_fits_and_version_prints)
{
	char *line, *rest = output;

	ck_assert_int_eq(RUN("--help"), OPTIONS_EXIT_OK);
	ck_assert_output("Usage: cachefilld");
	ck_assert_output("Examples:");
	while ((line = strsep(&rest, "\n")))
		ck_assert_msg(strlen(line) <= 80, "too wide: %s", line);
	ck_assert_int_eq(RUN("-V"), OPTIONS_EXIT_OK);
	ck_assert(strncmp(output, "cachefilld ", 11) == 0);
	ck_assert_uint_gt(strlen(output), 12);
}
END_TEST

START_TEST(test_check_config)
{
	write_file("source images {\n	volume erofs,*\n	url https://f/{cookie}\n}\n");
	ck_assert_int_eq(RUN("--check-config", SOURCE), OPTIONS_EXIT_OK);
	ck_assert_output(": configuration is good: 2 sources\n");
	ck_assert_output("source-1: volume '*', cookie '*' -> https://h/{cookie}");
	ck_assert_output("images: volume 'erofs,*', cookie '*' -> https://f/{cookie}");
	ck_assert_output("by fake");
	ck_assert_output("images in domain 'cachefilld'");

	write_file("source registry {\n	url https://r/\n	rule no\n}\n");
	ck_assert_int_eq(RUN("--check-config"), OPTIONS_EXIT_OK);
	ck_assert_output("registry: images below https://r/");

	write_file("source images {\n	colour red\n	url https://f/{cookie}\n}\n");
	ck_assert_int_eq(RUN("--check-config"), OPTIONS_EXIT_USAGE);
	ck_assert(strncmp(output, file, strlen(file)) == 0);
	ck_assert(strncmp(output + strlen(file), ":2: unknown key 'colour'", 24) == 0);
	ck_assert_int_eq(RUN(SOURCE), OPTIONS_EXIT_USAGE);
	ck_assert(strncmp(output, "cachefilld: ", 12) == 0);
}
END_TEST

START_TEST(test_nothing_to_serve)
{
	/* Images may be added at any time. */
	ck_assert_int_eq(RUN("-v"), OPTIONS_RUN);
	ck_assert_int_eq(RUN("--check-config"), OPTIONS_EXIT_OK);
	ck_assert_output(": configuration is good: 0 sources\n");
	ck_assert_int_eq(RUN("--probe"), OPTIONS_PROBE);
}
END_TEST

START_TEST(test_a_named_file_must_exist)
{
	ck_assert_int_eq(RUN("-c", "/nonexistent/file", SOURCE), OPTIONS_EXIT_USAGE);
	ck_assert_output("/nonexistent/file: No such file");
}
END_TEST

START_TEST(test_notify_fd_is_not_inherited)
{
	int fds[2];
	char text[16];

	ck_assert_int_eq(pipe(fds), 0);
	snprintf(text, sizeof(text), "%d", fds[1]);
	ck_assert_int_eq(RUN("--notify-fd", text, SOURCE), OPTIONS_RUN);
	ck_assert_int_eq(options.notify_fd, fds[1]);
	ck_assert_int_eq(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(test_a_trace_is_named_from_where_the_daemon_is_started)
{
	char here[4096], expected[8192];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/boot.trace", here);
	ck_assert_int_eq(RUN("--trace", "boot.trace", SOURCE), OPTIONS_RUN);
	ck_assert_str_eq(config->trace, expected);
	write_file("trace /from-file\n");
	ck_assert_int_eq(RUN(SOURCE), OPTIONS_RUN);
	ck_assert_str_eq(config->trace, "/from-file");
	ck_assert_int_eq(RUN("--trace=/t/boot.trace", SOURCE), OPTIONS_RUN);
	ck_assert_str_eq(config->trace, "/t/boot.trace");
	ck_assert_int_eq(RUN("--trace=", SOURCE), OPTIONS_EXIT_USAGE);
	ck_assert_output("trace needs an absolute path, not ''");
	write_file("trace from-file\n");
	ck_assert_int_eq(RUN(SOURCE), OPTIONS_EXIT_USAGE);
	ck_assert_output("trace needs an absolute path, not 'from-file'");
}
END_TEST

START_TEST(test_check_config_says_whether_a_trace_can_be_made)
{
	char text[256];

	ck_assert_int_eq(RUN("--check-config", "--trace", "/tmp/boot.trace", SOURCE),
			 OPTIONS_EXIT_OK);
	ck_assert_output("  recorded into /tmp/boot.trace\n");
	/* One that exists is no mistake: the next name is taken. */
	ck_assert_int_eq(RUN("--check-config", "--trace", file, SOURCE), OPTIONS_EXIT_OK);
	ck_assert_int_eq(RUN("--check-config", "--trace", "/tmp/none/trace", SOURCE),
			 OPTIONS_EXIT_USAGE);
	ck_assert_output("trace: cannot create /tmp/none/trace: No such file or directory\n");
	ck_assert_int_eq(RUN("--check-config", "--trace", "/tmp", SOURCE), OPTIONS_EXIT_USAGE);
	ck_assert_output("trace: cannot create /tmp: Is a directory\n");
	ck_assert_int_eq(RUN("--check-config", "--trace", "/tmp/x/", SOURCE), OPTIONS_EXIT_USAGE);
	snprintf(text, sizeof(text), "%s/trace", file);
	ck_assert_int_eq(RUN("--check-config", "--trace", text, SOURCE), OPTIONS_EXIT_USAGE);
	ck_assert_output("Not a directory\n");
	ck_assert_int_eq(RUN("--check-config", SOURCE), OPTIONS_EXIT_OK);
	ck_assert_ptr_null(strstr(output, "recorded"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *tc = tcase_create("options");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_a_source_is_enough);
	tcase_add_test(tc, test_every_option_that_sets_a_key);
	tcase_add_test(tc, test_flags_win_over_the_file);
	tcase_add_test(tc, test_quiet);
	tcase_add_test(tc, test_mistakes_end_in_one_line);
	tcase_add_test(tc, test_help_fits_and_version_prints);
	tcase_add_test(tc, test_check_config);
	tcase_add_test(tc, test_nothing_to_serve);
	tcase_add_test(tc, test_a_named_file_must_exist);
	tcase_add_test(tc, test_notify_fd_is_not_inherited);
	tcase_add_test(tc, test_a_trace_is_named_from_where_the_daemon_is_started);
	tcase_add_test(tc, test_check_config_says_whether_a_trace_can_be_made);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
