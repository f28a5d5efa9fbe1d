/* SPDX-License-Identifier: MIT */
/*
 * What the oci fetcher reads and writes as text: locators, manifests, challenges, tokens.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetchers/http-challenge.h"
#include "fetchers/oci-digest.h"
#include "fetchers/oci-manifest.h"
#include "fetchers/oci-reference.h"
#include "fetchers/oci-referrers.h"
#include "fetchers/oci-token.h"
#include "tests/lib/run-suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define HEX64	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A	 "sha256:" HEX64
#define B	 "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

/* ---- references ------------------------------------------------------------------------- */

static const struct {
	const char *locator, *registry, *repository, *tag, *digest;
	enum oci_select select;
	unsigned int layer;
	const char *title;
} references[] = {
	{ "oci://h/r", "h", "r", "latest", "" },
	{ "oci://h:5000/a/b-c/d__e:v1.0", "h:5000", "a/b-c/d__e", "v1.0", "" },
	{ "OCI://[::1]:80/r:T_-.", "[::1]:80", "r", "T_-.", "" },
	{ "oci://h/r@" A, "h", "r", "latest", A },
	{ "oci://h/r:t@" A "?blob", "h", "r", "t", A, OCI_SELECT_BLOB },
	{ "oci://h/r:t?layer=12", "h", "r", "t", "", OCI_SELECT_LAYER, 12 },
	{ "oci://h/r?title=a%20b%2ec%3f", "h", "r", "latest", "", OCI_SELECT_TITLE, 0, "a b.c?" },
	{ "oci://h/r:t?referrers", "h", "r", "t", "", OCI_SELECT_REFERRERS },
	{ "oci://h/r@" A "?referrers=a/b-c.d_e", "h", "r", "latest", A, OCI_SELECT_REFERRERS },
	{ "oci://h/a%2Fb%3Av1", "h", "a/b", "v1", "" },
	{ "oci://h/r@sha256%3A" HEX64, "h", "r", "latest", A },
	{ "oci://h/r@sha512:" HEX64 HEX64, "h", "r", "latest", "sha512:" HEX64 HEX64 },
};

START_TEST(reference_is_taken_apart)
{
	struct oci_reference ref;
	const char *why = NULL;

	ck_assert_msg(oci_reference_parse(&ref, references[_i].locator, &why) == 0, "%s: %s",
		      references[_i].locator, why);
	ck_assert_str_eq(ref.registry, references[_i].registry);
	ck_assert_str_eq(ref.repository, references[_i].repository);
	ck_assert_str_eq(ref.tag, references[_i].tag);
	ck_assert_str_eq(ref.digest, references[_i].digest);
	ck_assert_int_eq(ref.select, references[_i].select);
	ck_assert_uint_eq(ref.layer, references[_i].layer);
	if (references[_i].title)
		ck_assert_str_eq(ref.title, references[_i].title);
	oci_reference_end(&ref);
}
END_TEST

static const char *const no_references[] = {
	"http://h/r",
	"oci:h/r",
	"oci://",
	"oci://h",
	"oci://h/",
	"oci:///r",
	"oci://user:secret@h/r",
	"oci://h:/r",
	"oci://h:123456/r",
	"oci://h:80x/r",
	"oci://-h/r",
	"oci://[::1/r",
	"oci://h/R",
	"oci://h/r/",
	"oci://h//r",
	"oci://h/a..b",
	"oci://h/a___b",
	"oci://h/../r",
	"oci://h/%2e%2e/r",
	"oci://h/-r",
	"oci://h/r:",
	"oci://h/r:-t",
	"oci://h/r:a b",
	"oci://h/r:a%00",
	"oci://h/r:a%0d%0a",
	"oci://h/r:%zz",
	"oci://h/r@sha256:0",
	"oci://h/r@md5:" HEX64,
	"oci://h/r@sha256:" HEX64 "0",
	"oci://h/r@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
	"oci://h/r:t#x",
	"oci://h/r:t?",
	"oci://h/r:t?blob",
	"oci://h/r:t?layer=",
	"oci://h/r:t?layer=-1",
	"oci://h/r:t?layer=99999",
	"oci://h/r:t?title=",
	"oci://h/r:t?referrersx",
	"oci://h/r:t?referrers=a&b",
	"oci://h/r:t?referrers=a%2fb",
	"oci://h/r:t?title=%",
	"oci://h/r:t?other=1",
	/* A key is one name: it cannot select. */
	"oci://h/r%3ft%3flayer=1",
};

START_TEST(no_reference)
{
	struct oci_reference ref = { 0 };
	const char *why = NULL;

	ck_assert_msg(oci_reference_parse(&ref, no_references[_i], &why) == -EINVAL, "%s",
		      no_references[_i]);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(ref.text);
}
END_TEST

/* ---- challenges ------------------------------------------------------------------------- */

static const struct {
	const char *text;
	enum http_scheme scheme;
	const char *realm, *service, *scope, *error;
} challenges[] = {
	{ "Basic realm=\"a b\"", HTTP_SCHEME_BASIC, "a b", "", "", "" },
	{ "basic", HTTP_SCHEME_BASIC, "", "", "", "" },
	{ "Bearer realm=\"https://t/k\",service=\"s\",scope=\"repository:r:pull\"",
	  HTTP_SCHEME_BEARER, "https://t/k", "s", "repository:r:pull", "" },
	{ "BEARER  Realm = \"https://t/k\" , ERROR = invalid_token", HTTP_SCHEME_BEARER,
	  "https://t/k", "", "", "invalid_token" },
	/* The better one, wherever it stands. */
	{ "Basic realm=x, Bearer realm=\"https://t\", Digest nonce=\"y\"", HTTP_SCHEME_BEARER,
	  "https://t", "", "", "" },
	{ "Bearer realm=\"https://t\",Basic realm=x", HTTP_SCHEME_BEARER, "https://t", "", "", "" },
	/* One that we could not answer. */
	{ "Bearer service=s, Basic realm=x", HTTP_SCHEME_BASIC, "x", "", "", "" },
	{ "Negotiate, Basic realm=\"q\\\"\\\\\"", HTTP_SCHEME_BASIC, "q\"\\", "", "", "" },
	{ "Digest realm=\"Basic realm=z\", Basic realm=x", HTTP_SCHEME_BASIC, "x", "", "", "" },
};

START_TEST(challenge_is_found)
{
	struct http_challenge c;

	ck_assert_msg(http_challenge_parse(&c, challenges[_i].text), "%s", challenges[_i].text);
	ck_assert_int_eq(c.scheme, challenges[_i].scheme);
	ck_assert_str_eq(c.realm, challenges[_i].realm);
	ck_assert_str_eq(c.service, challenges[_i].service);
	ck_assert_str_eq(c.scope, challenges[_i].scope);
	ck_assert_str_eq(c.error, challenges[_i].error);
}
END_TEST

static const char *const no_challenges[] = {
	"",
	" , ,",
	"Negotiate",
	"Bearer",
	"Bearer realm=\"\"",
	"Bearer realm=\"open",
	"realm=\"x\"",
	"Bearer realm=\"a\\",
	"\"Basic\"",
};

START_TEST(no_challenge)
{
	struct http_challenge c = { .error = "untouched" };

	ck_assert_msg(!http_challenge_parse(&c, no_challenges[_i]), "%s", no_challenges[_i]);
	ck_assert_str_eq(c.error, "untouched");
}
END_TEST

START_TEST(challenge_too_long_is_not_cut)
{
	static char text[2048];
	struct http_challenge c;
	int at = sprintf(text, "Bearer realm=\"https://t\", service=\"");

	memset(text + at, 'a', 300);
	strcpy(text + at + 300, "\"");
	ck_assert(http_challenge_parse(&c, text));
	ck_assert_str_eq(c.service, "");
}
END_TEST

/* ---- manifests -------------------------------------------------------------------------- */

#define MANIFEST		  "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
#define INDEX			  "\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
#define DOCKER			  "application/vnd.docker.distribution.manifest."
#define LAYER(digest, size, more) "{\"digest\":\"" digest "\",\"size\":" #size more "}"
#define EROFS_LAYER		  ",\"mediaType\":\"application/vnd.example.layer.v1.erofs\""
#define TITLED(text)		  ",\"annotations\":{\"org.opencontainers.image.title\":\"" text "\"}"
#define FOR(os, arch, more) \
	",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}"

static const struct {
	const char *text, *type, *selector;
	int err;
	bool is_manifest;
	const char *digest;
	uint64_t size;
} manifests[] = {
	{ "{" MANIFEST "\"layers\":[" LAYER(A, 5, "") "]}", "", "", 0, false, A, 5 },
	{ "{\"layers\":[" LAYER(A, 5, "") "]}", DOCKER "v2+json", "", 0, false, A, 5 },
	{ "{\"layers\":[" LAYER(A, 5, "") "]}", "application/json; charset=utf-8", "", 0, false, A,
	  5 },
	{ "{\"layers\":[" LAYER(A, 5, "") "," LAYER(B, 6, "") "]}", "", "?layer=1", 0, false, B,
	  6 },
	{ "{\"layers\":[" LAYER(A, 5, "") "," LAYER(B, 6, "") "]}", "", "?layer=2", -ENOENT },
	{ "{\"layers\":[" LAYER(A, 5, "") "," LAYER(B, 6, "") "]}", "", "", -EIO },
	{ "{\"layers\":[" LAYER(A, 5, "") "," LAYER(B, 6, EROFS_LAYER) "]}", "", "", 0, false, B,
	  6 },
	{ "{\"layers\":[" LAYER(A, 5, EROFS_LAYER) "," LAYER(B, 6, EROFS_LAYER) "]}", "", "",
	  -EIO },
	{ "{\"layers\":[" LAYER(A, 5, TITLED("x")) "," LAYER(B, 6, TITLED("a b")) "]}", "",
	  "?title=a%20b", 0, false, B, 6 },
	{ "{\"layers\":[" LAYER(A, 5, TITLED("x")) "]}", "", "?title=y", -ENOENT },
	{ "{\"layers\":[]}", "", "", -ENOENT },
	{ "{" INDEX "\"manifests\":[" LAYER(A, 5, FOR("linux", "arm64", "")) "," LAYER(
		  B, 6, FOR("linux", "amd64", "")) "]}",
	  "", "", 0, true, B, 6 },
	{ "{\"manifests\":[" LAYER(A, 5, FOR("linux", "amd64", ",\"variant\":\"v3\"")) "]}",
	  DOCKER "list.v2+json", "", 0, true, A, 5 },
	{ "{\"manifests\":[" LAYER(A, 5, FOR("windows", "amd64", "")) "]}", "", "", -ENOENT },
	{ "{\"manifests\":[" LAYER(A, 5, "") "]}", "", "", 0, true, A, 5 },
	{ "{\"manifests\":[]}", "", "", -ENOENT },
	/* What contradicts itself. */
	{ "", "", "", -EPROTO },
	{ "[]", "", "", -EPROTO },
	{ "{}", "", "", -EPROTO },
	{ "{\"layers\":{}}", "", "", -EPROTO },
	{ "{\"layers\":[1]}", "", "", -EPROTO },
	{ "{\"layers\":[" LAYER("sha256:0", 5, "") "]}", "", "", -EPROTO },
	{ "{\"layers\":[" LAYER(A, -5, "") "]}", "", "", -EPROTO },
	{ "{\"layers\":[" LAYER(A, 5.5, "") "]}", "", "", -EPROTO },
	{ "{\"layers\":[" LAYER(A, 99999999999999999999, "") "]}", "", "", -EPROTO },
	{ "{\"layers\":[],\"layers\":[" LAYER(A, 5, "") "]}", "", "", -EPROTO },
	{ "{\"layers\":[" LAYER(A, 5, "") "],\"manifests\":[]}", "", "", -EPROTO },
	{ "{" INDEX "\"layers\":[" LAYER(A, 5, "") "]}", "", "", -EPROTO },
	{ "{" MANIFEST "\"layers\":[" LAYER(A, 5, "") "]}", DOCKER "list.v2+json", "", -EPROTO },
	{ "{\"layers\":[" LAYER(A, 5, "") "]}", DOCKER "v1+prettyjws", "", -EPROTO },
	{ "{\"mediaType\":\"text/html\",\"layers\":[" LAYER(A, 5, "") "]}", "", "", -EPROTO },
};

START_TEST(manifest_is_chosen_from)
{
	struct oci_platform platform;
	struct oci_reference ref;
	struct oci_choice choice;
	char locator[64], reason[OCI_WHY_MAX] = "";
	const char *why;
	int r;

	snprintf(locator, sizeof(locator), "oci://h/r%s", manifests[_i].selector);
	ck_assert_int_eq(oci_reference_parse(&ref, locator, &why), 0);
	ck_assert(oci_platform_parse(&platform, "linux/amd64"));
	r = oci_manifest_choose(&choice, manifests[_i].text, strlen(manifests[_i].text),
				manifests[_i].type, &ref, &platform, reason);
	oci_reference_end(&ref);
	ck_assert_msg(r == manifests[_i].err, "%s: %d %s", manifests[_i].text, r, reason);
	if (r < 0) {
		ck_assert_str_ne(reason, "");
		return;
	}
	ck_assert_int_eq(choice.is_manifest, manifests[_i].is_manifest);
	ck_assert_str_eq(choice.digest, manifests[_i].digest);
	ck_assert_uint_eq(choice.size, manifests[_i].size);
}
END_TEST

/* The newest first, of the type that is wanted. */
START_TEST(referrers_of_a_type)
{
	static const char text[] =
		"{\"manifests\":[{\"digest\":\"" A "\",\"size\":1,\"artifactType\":\"x\"},"
		"{\"digest\":\"" B "\",\"size\":2},"
		"{\"digest\":\"" B "\",\"size\":3,\"artifactType\":\"x\"}]}";
	static const char *const bad[] = {
		"", "[]", "{}", "{\"manifests\":{}}", "{\"manifests\":[{}]}", "{\"manifests\":[1]}"
	};
	struct oci_referrers referrers;
	char why[OCI_WHY_MAX] = "", tag[OCI_DIGEST_MAX];

	ck_assert_int_eq(oci_referrers_read(&referrers, text, strlen(text), "x", why), 0);
	ck_assert_uint_eq(referrers.n, 2);
	ck_assert_str_eq(referrers.all[0].digest, B);
	ck_assert_uint_eq(referrers.all[0].size, 3);
	ck_assert_str_eq(referrers.all[1].digest, A);
	oci_referrers_end(&referrers);
	ck_assert_int_eq(oci_referrers_read(&referrers, text, strlen(text), "", why), 0);
	ck_assert_uint_eq(referrers.n, 3);
	oci_referrers_end(&referrers);
	ck_assert_int_eq(oci_referrers_read(&referrers, text, strlen(text), "y", why), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(oci_referrers_read(&referrers, bad[i], strlen(bad[i]), "", why),
				 -EPROTO);
	oci_referrers_tag(tag, A);
	ck_assert_str_eq(tag, "sha256-" HEX64);
	oci_referrers_tag(tag, "sha512:" HEX64 HEX64);
	ck_assert_str_eq(tag, "sha512-" HEX64);
}
END_TEST

static const char *choice_for(const char *platform_text)
{
	static const char text[] = "{\"manifests\":[" LAYER(
		A, 1,
		FOR("linux", "arm",
		    ",\"variant\":\"v6\"")) "," LAYER(B, 2,
						      FOR("linux", "arm",
							  ",\"variant\":\"v7\"")) "]}";
	static struct oci_choice choice;
	struct oci_reference ref = { 0 };
	struct oci_platform platform;
	char why[OCI_WHY_MAX];

	ck_assert(oci_platform_parse(&platform, platform_text));
	if (oci_manifest_choose(&choice, text, strlen(text), "", &ref, &platform, why) < 0)
		return "none";
	return choice.digest;
}

START_TEST(variants)
{
	ck_assert_str_eq(choice_for("linux/arm"), A);
	ck_assert_str_eq(choice_for("linux/arm/v6"), A);
	ck_assert_str_eq(choice_for("linux/arm/v7"), B);
	ck_assert_str_eq(choice_for("linux/arm/v8"), "none");
	ck_assert_str_eq(choice_for("linux/arm64"), "none");
}
END_TEST

START_TEST(platforms)
{
	static const char *const bad[] = { "",		 "linux",   "linux/",	   "/amd64",
					   "linux/arm/", "a/b/c/d", "Linux/amd64", "a b/c" };
	struct oci_platform p;

	for (int i = 0; i < N(bad); i++)
		ck_assert_msg(!oci_platform_parse(&p, bad[i]), "%s", bad[i]);
	oci_platform_host(&p);
	ck_assert_str_eq(p.os, "linux");
	ck_assert_str_ne(p.architecture, "");
	ck_assert_str_ne(p.architecture, "x86_64");
}
END_TEST

START_TEST(digests)
{
	static const char empty[] =
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	static const char abc[] = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"
				  "0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
				  "454d4423643ce80e2a9ac94fa54ca49f";

	ck_assert_int_eq(oci_digest_check(empty, "", 0), 0);
	ck_assert_int_eq(oci_digest_check(empty, "x", 1), -EPROTO);
	ck_assert_int_eq(oci_digest_check(abc, "abc", 3), 0);
	ck_assert_int_eq(oci_digest_check("sha256:0", "", 0), -EINVAL);
}
END_TEST

/* ---- tokens ----------------------------------------------------------------------------- */

static const struct {
	const char *text, *token;
	uint64_t seconds;
} tokens[] = {
	{ "{\"token\":\"a.b-c_d\",\"expires_in\":300}", "a.b-c_d", 300 },
	{ "{\"access_token\":\"x=\"}", "x=", 60 },
	{ "{\"token\":\"t\",\"access_token\":\"u\",\"expires_in\":0}", "t", 60 },
	{ "{\"token\":\"t\",\"expires_in\":-5}", "t", 60 },
	{ "{\"token\":\"t\",\"expires_in\":\"9\"}", "t", 60 },
	{ "{\"token\":\"t\",\"expires_in\":99999999}", "t", 86400 },
	{ "{\"token\":\"\"}" },
	{ "{\"token\":\"a\\r\\nX: y\"}" },
	{ "{\"token\":\"a b\"}" },
	{ "{\"token\":5}" },
	{ "{}" },
	{ "[]" },
	{ "" },
};

START_TEST(token_answers)
{
	const char *text = tokens[_i].text, *why = NULL;
	uint64_t seconds = 0;
	char *token = NULL;
	int r = oci_token_parse(&token, &seconds, text, strlen(text), &why);

	if (!tokens[_i].token) {
		ck_assert_int_eq(r, -EPROTO);
		ck_assert_ptr_null(token);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_str_eq(token, tokens[_i].token);
	ck_assert_uint_eq(seconds, tokens[_i].seconds);
	free(token);
}
END_TEST

START_TEST(token_questions)
{
	struct http_challenge c = { .realm = "https://t/k",
				    .service = "a&b",
				    .scope = "repository:x/y:pull repository:z:pull" };
	struct auth_credentials nobody = { 0 }, refresh = { .identity_token = (char *)"s+/" };
	char *url, *form;

	ck_assert_int_eq(oci_token_request(&url, &form, &c, &nobody), 0);
	ck_assert_str_eq(url, "https://t/k?service=a%26b&client_id=cachefilld&"
			      "scope=repository%3Ax%2Fy%3Apull&scope=repository%3Az%3Apull");
	ck_assert_ptr_null(form);
	free(url);

	ck_assert_int_eq(oci_token_request(&url, &form, &c, &refresh), 0);
	ck_assert_str_eq(url, "https://t/k");
	ck_assert_str_eq(form, "grant_type=refresh_token&client_id=cachefilld&service=a%26b&scope="
			       "repository%3Ax%2Fy%3Apull%20repository%3Az%3Apull&"
			       "refresh_token=s%2B%2F");
	free(url);
	free(form);

	strcpy(c.realm, "https://t/k?x=1#y");
	c.scope[0] = '\0';
	ck_assert_int_eq(oci_token_request(&url, &form, &c, &nobody), 0);
	ck_assert_str_eq(url, "https://t/k?x=1&service=a%26b");
	free(url);
}
END_TEST

START_TEST(authorization_fields)
{
	static const struct {
		const char *user, *password, *field;
	} pairs[] = {
		{ "Aladdin", "open sesame", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
		{ "a", "", "Authorization: Basic YTo=" },
		{ "a", "\xff", "Authorization: Basic YTr/" },
	};

	for (int i = 0; i < N(pairs); i++) {
		struct auth_credentials c = { (char *)pairs[i].user, (char *)pairs[i].password };
		char *field = oci_token_basic(&c);

		ck_assert_str_eq(field, pairs[i].field);
		free(field);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci");
	TCase *tc = tcase_create("text");

	tcase_add_loop_test(tc, reference_is_taken_apart, 0, N(references));
	tcase_add_loop_test(tc, no_reference, 0, N(no_references));
	tcase_add_loop_test(tc, challenge_is_found, 0, N(challenges));
	tcase_add_loop_test(tc, no_challenge, 0, N(no_challenges));
	tcase_add_test(tc, challenge_too_long_is_not_cut);
	tcase_add_loop_test(tc, manifest_is_chosen_from, 0, N(manifests));
	tcase_add_test(tc, referrers_of_a_type);
	tcase_add_test(tc, variants);
	tcase_add_test(tc, platforms);
	tcase_add_test(tc, digests);
	tcase_add_loop_test(tc, token_answers, 0, N(tokens));
	tcase_add_test(tc, token_questions);
	tcase_add_test(tc, authorization_fields);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
