/* SPDX-License-Identifier: MIT */
/*
 * What the s3 fetcher reads and writes as text: addresses, files of credentials, errors.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/s3-address.h"
#include "fetchers/s3-error.h"
#include "tests/lib/run-suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* ---- addresses -------------------------------------------------------------------------- */

static struct s3_endpoint endpoint_of(const char *url, const char *region)
{
	struct s3_endpoint e = { 0 };

	ck_assert(s3_endpoint_parse(&e, url));
	memcpy(e.region, region, strlen(region));
	return e;
}

static const struct {
	const char *endpoint, *locator, *url;
	bool as_path;
} addresses[] = {
	{ "https://s3.eu-west-1.amazonaws.com", "s3://b/k/l",
	  "https://b.s3.eu-west-1.amazonaws.com/k/l", false },
	{ "https://s3.eu-west-1.amazonaws.com", "s3://a.b/k",
	  "https://s3.eu-west-1.amazonaws.com/a.b/k", false },
	{ "https://h:443/", "s3://b/k", "https://h/b/k", true },
	{ "http://h:9000", "s3://b/%2fa%20+%41", "http://h:9000/b//a%20%2BA", true },
	{ "http://[::1]:9000", "s3://b/k", "http://[::1]:9000/b/k", true },
};

START_TEST(address)
{
	struct s3_endpoint e = endpoint_of(addresses[_i].endpoint, "eu-west-1");
	const char *why;
	char *url = NULL;

	e.as_path = addresses[_i].as_path;
	ck_assert_int_eq(s3_address_url(&url, &e, addresses[_i].locator, &why), 0);
	ck_assert_str_eq(url, addresses[_i].url);
	free(url);
}
END_TEST

/* Who may see a signature made for "eu-west-1"; region NULL: nobody. */
static const struct {
	const char *endpoint, *url, *region;
} owned[] = {
	{ "https://s3.eu-west-1.amazonaws.com", "https://b.s3.eu-west-1.amazonaws.com/k",
	  "eu-west-1" },
	{ "https://s3.amazonaws.com", "https://b.s3.amazonaws.com/k", "eu-west-1" },
	{ "https://s3.amazonaws.com", "https://b.s3.us-west-2.amazonaws.com/k", "us-west-2" },
	{ "https://s3.amazonaws.com", "https://b.s3-us-west-2.amazonaws.com/k", "us-west-2" },
	{ "https://s3.amazonaws.com", "https://b.s3.dualstack.us-west-2.amazonaws.com/k",
	  "us-west-2" },
	{ "https://s3.eu-west-1.amazonaws.com", "https://s3.amazonaws.com/b/k", "us-east-1" },
	{ "https://s3.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn/b/k", "cn-north-1" },
	{ "https://s3.amazonaws.com", "https://s3-1.us-east-1.elb.amazonaws.com/", NULL },
	{ "https://s3.amazonaws.com", "https://s3.x.us-east-1.elb.amazonaws.com/", NULL },
	{ "https://s3.amazonaws.com", "https://x.execute-api.us-east-1.amazonaws.com/", NULL },
	{ "https://s3.amazonaws.com", "https://s3.us-east-1.amazonaws.com.evil.org/", NULL },
	{ "https://s3.amazonaws.com", "https://xamazonaws.com/", NULL },
	{ "https://s3.amazonaws.com", "https://s3x.amazonaws.com/", NULL },
	{ "https://s3.amazonaws.com", "http://b.s3.amazonaws.com/k", NULL },
	{ "https://s3.amazonaws.com", "https://b.s3.amazonaws.com:8443/k", NULL },
	{ "https://s3.amazonaws.com", "https://u:p@b.s3.amazonaws.com/k", NULL },
	{ "http://h:9000", "http://H:9000/b", "eu-west-1" },
	{ "http://h:9000", "http://b.h:9000/", "eu-west-1" },
	{ "http://h:9000", "https://h/b", "eu-west-1" },
	{ "http://h:9000", "http://h:9001/b", NULL },
	{ "http://h:9000", "https://h:9000/b", NULL },
	{ "http://h:9000", "http://evilh:9000/b", NULL },
	{ "http://h:9000", "http://h.evil:9000/b", NULL },
	{ "http://h:9000", "https://s3.us-east-1.amazonaws.com/b", NULL },
	{ "http://h:9000", "ftp://h:9000/b", NULL },
	{ "http://h:9000", "nonsense://", NULL },
};

START_TEST(who_may_see_it)
{
	struct s3_endpoint e = endpoint_of(owned[_i].endpoint, "eu-west-1");
	char region[S3_REGION_MAX] = "";

	ck_assert_int_eq(s3_address_owns(&e, owned[_i].url, region), owned[_i].region != NULL);
	if (owned[_i].region)
		ck_assert_str_eq(region, owned[_i].region);
}
END_TEST

/* ---- files of credentials --------------------------------------------------------------- */

static const struct {
	const char *text;
	int err;
	const char *id, *secret, *token, *region;
} profiles[] = {
	{ "[p]\naws_access_key_id=i\naws_secret_access_key=s\n", 0, "i", "s", "", "" },
	{ "\r\n# x\n; y\n [ profile  p ]\r\n\tAWS_Access_Key_Id = i\r\n region=r", 0, "i", "", "",
	  "r" },
	{ "[p]\naws_secret_access_key = a=b/c+d==\naws_session_token = t", 0, "", "a=b/c+d==", "t",
	  "" },
	{ "[q]\naws_access_key_id=q\n[p]\naws_access_key_id=p\n[r]\naws_access_key_id=r", 0, "p",
	  "", "", "" },
	{ "[p]\naws_access_key_id=1\n[q]\n[p]\naws_access_key_id=2", 0, "2", "", "", "" },
	{ "[p]\ns3 =\n  region = nested\nregion = r\n", 0, "", "", "", "r" },
	{ "aws_access_key_id=i\n[p]\n", 0, "", "", "", "" },
	{ "[p]\nno assignment\n=x\n", 0, "", "", "", "" },
	{ "[p", -ENOENT, NULL, NULL, NULL, NULL },
	{ "[pp]\n[profilep]\n[]\n[profile]\n", -ENOENT, NULL, NULL, NULL, NULL },
	{ "", -ENOENT, NULL, NULL, NULL, NULL },
	{ "[p]\naws_access_key_id = a b", -EINVAL, NULL, NULL, NULL, NULL },
	{ "[p]\naws_secret_access_key = a\x7f", -EINVAL, NULL, NULL, NULL, NULL },
	{ "[p]\nregion = a-region-whose-name-has-more-bytes-than-there-are-in-its-slot-of-64",
	  -EINVAL, NULL, NULL, NULL, NULL },
};

START_TEST(profile)
{
	struct s3_profile p = { .id = "before" };
	const char *text = profiles[_i].text;

	ck_assert_int_eq(s3_profile_parse(&p, text, strlen(text), "p"), profiles[_i].err);
	ck_assert_str_eq(p.id, profiles[_i].err < 0 ? "before" : profiles[_i].id);
	if (profiles[_i].err < 0)
		return;
	ck_assert_str_eq(p.secret, profiles[_i].secret);
	ck_assert_str_eq(p.token, profiles[_i].token);
	ck_assert_str_eq(p.region, profiles[_i].region);
}
END_TEST

/* ---- errors ----------------------------------------------------------------------------- */

static const struct {
	const char *body;
	int err;
	const char *why;
} errors[] = {
	{ "<Error><Code>NoSuchKey</Code>", -EIO, "NoSuchKey" },
	{ "<Error>\n<Code>ExpiredToken</Code>", -EACCES,
	  "ExpiredToken: the credentials are too old" },
	{ "<Code>A.B</Code>", -EIO, "A.B" },
	{ "<Code>cut", -EIO, "" },
	{ "<Code>", -EIO, "" },
	{ "<Code></Code>", -EIO, "" },
	{ "<Code>a secret?</Code>", -EIO, "" },
	{ "<Code>0123456789012345678901234567890123456789012345678901234567890123</Code>", -EIO,
	  "" },
	{ "<html>", -EIO, "" },
	{ "", -EIO, "" },
};

START_TEST(error_of_a_body)
{
	char why[S3_WHY_MAX] = "before";
	const char *body = errors[_i].body;

	ck_assert_int_eq(s3_error_parse(why, -EIO, body, strlen(body)), errors[_i].err);
	ck_assert_str_eq(why, errors[_i].why);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("s3-text");
	TCase *tc = tcase_create("s3-text");

	tcase_add_loop_test(tc, address, 0, N(addresses));
	tcase_add_loop_test(tc, who_may_see_it, 0, N(owned));
	tcase_add_loop_test(tc, profile, 0, N(profiles));
	tcase_add_loop_test(tc, error_of_a_body, 0, N(errors));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
