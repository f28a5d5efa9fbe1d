/* SPDX-License-Identifier: MIT */
/*
 * Where the s3 fetcher has its credentials from, and what becomes of it when they change. Skipped
 * where python3 or botocore is missing.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/contract/s3-rig.h"
#include "tests/lib/run-suite.h"

#define SECOND "AKIDSECOND"

/* ---- credentials ------------------------------------------------------------------------ */

START_TEST(credentials_of_the_environment)
{
	setenv("AWS_ACCESS_KEY_ID", ORACLE_ID, 1);
	setenv("AWS_SECRET_ACCESS_KEY", ORACLE_SECRET, 1);
	setenv("AWS_SESSION_TOKEN", TOKEN, 1);
	oracle_keys(ORACLE_ID " " ORACLE_SECRET " " TOKEN);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(credentials_of_the_service_manager)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s/aws-credentials", oracle_dir());
	ck_assert_int_eq(rename(file, path), 0);
	setenv("CREDENTIALS_DIRECTORY", oracle_dir(), 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(credentials_of_the_shared_file)
{
	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(credentials_at_home)
{
	char path[TEMPORARY_MAX + 64];

	snprintf(path, sizeof(path), "%s/.aws", oracle_dir());
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/.aws/credentials", oracle_dir());
	ck_assert_int_eq(rename(file, path), 0);
	setenv("HOME", oracle_dir(), 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

/* A section that is asked for is not what the environment has. */
START_TEST(credentials_of_a_profile)
{
	write_keys("work", ORACLE_ID, ORACLE_SECRET, NULL);
	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	setenv("AWS_ACCESS_KEY_ID", "wrong", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
	host_from_environment("profile", "work");
	check_object("s3://data/blob", "blob");
	host_stop(&host);
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_PROFILE", "work", 1);
	host_from_environment(NULL, NULL);
	check_object("s3://data/blob", "blob");
}
END_TEST

START_TEST(region_of_the_profile)
{
	const struct fetcher_param params[] = { { "endpoint", endpoint }, { NULL, NULL } };

	setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
	setenv("AWS_CONFIG_FILE", oracle_write("config", "[default]\nregion = " ORACLE_REGION "\n"),
	       1);
	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
	check_object("s3://data/blob", "blob");
	host_stop(&host);
	setenv("AWS_REGION", "us-west-2", 1);
	host_start(&host, LOOP_POLL, "s3://{volume}/{cookie}", params);
	ck_assert_int_eq(look_at("s3://data/blob"), -EACCES);
}
END_TEST

START_TEST(no_credentials)
{
	static const struct fetcher_param none[1];
	struct fetcher_param missing[] = { { "credentials-file", "/no/such/file" },
					   { NULL, NULL } };
	struct fetcher_param profile[] = { { "credentials-file", file },
					   { "profile", "nobody" },
					   { NULL, NULL } };
	char text[FETCH_ERROR_MAX] = "";

	ck_assert_int_lt(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", none, text), 0);
	ck_assert_ptr_nonnull(strstr(text, "no credentials: $AWS_ACCESS_KEY_ID (unset)"));
	setenv("HOME", "/no/such/home", 1);
	ck_assert_int_lt(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", none, text), 0);
	ck_assert_ptr_nonnull(strstr(text, "/no/such/home/.aws/credentials"));
	ck_assert_int_eq(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", missing, text),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(text, "credentials-file: "));
	ck_assert_ptr_nonnull(strstr(text, "/no/such/file"));
	ck_assert_int_eq(class_of_s3()->create(NULL, NULL, "s3://b/{cookie}", profile, text),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(text, "no profile 'nobody'"));
	ck_assert_ptr_null(strstr(text, ORACLE_SECRET));
}
END_TEST

/* The file changes before the keys that are in use end: nobody notices. */
START_TEST(changed_file_is_read)
{
	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
	oracle_keys(SECOND " other-secret");
	write_keys("default", SECOND, "other-secret", NULL);
	check_object("s3://data/blob", "blob");
	ck_assert_uint_eq(oracle_answered(403, "InvalidAccessKeyId"), 0);
}
END_TEST

/* A file that is as old and as long as before is not read again until a request is refused. */
START_TEST(refused_request_is_sent_again)
{
	struct timespec times[2];
	struct stat st;
	FILE *f;

	host_with(NULL, NULL);
	check_object("s3://data/blob", "blob");
	ck_assert_int_eq(stat(file, &st), 0);
	f = fopen(file, "r+e");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "[default]\naws_access_key_id=" SECOND "\naws_secret_access_key=s\n[end]\n");
	while (ftell(f) < st.st_size)
		fputc('#', f);
	fclose(f);
	times[0] = times[1] = st.st_mtim;
	ck_assert_int_eq(utimensat(AT_FDCWD, file, times, 0), 0);
	oracle_keys(SECOND " s");
	ck_assert_int_eq(look_at("s3://data/blob"), 0);
	ck_assert_uint_eq(oracle_answered(403, "InvalidAccessKeyId"), 1);
	ck_assert_uint_eq(oracle_answered(206, "-"), 3);
}
END_TEST

/* What is half written, or away, does no harm to what is known. */
START_TEST(bad_file_leaves_what_was)
{
	host_with(NULL, NULL);
	oracle_write("credentials", "[default]\naws_access_key_id =");
	check_object("s3://data/blob", "blob");
	ck_assert_int_eq(unlink(file), 0);
	check_object("s3://data/blob", "blob");
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!oracle_installed())
		return skip_all("no python3 with botocore here");
	s = suite_create("s3-credentials");
	tc = s3_tests(s);
	tcase_add_test(tc, credentials_of_the_environment);
	tcase_add_test(tc, credentials_of_the_service_manager);
	tcase_add_test(tc, credentials_of_the_shared_file);
	tcase_add_test(tc, credentials_at_home);
	tcase_add_test(tc, credentials_of_a_profile);
	tcase_add_test(tc, region_of_the_profile);
	tcase_add_test(tc, no_credentials);
	tcase_add_test(tc, changed_file_is_read);
	tcase_add_test(tc, refused_request_is_sent_again);
	tcase_add_test(tc, bad_file_leaves_what_was);
	return run_suite(s);
}
