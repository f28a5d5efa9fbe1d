/* SPDX-License-Identifier: MIT */
/*
 * `cachefillctl image push`, with a real registry.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ctl/build.h"
#include "tests/lib/registry.h"
#include "tests/lib/temporary.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/token-server.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static char target[128];

static void enter_registry(void)
{
	static const char *const places[] = { "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
					      "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY", "HOME" };

	for (size_t i = 0; i < N(places); i++)
		unsetenv(places[i]);
	registry_start();
	build_enter();
}

static void leave_registry(void)
{
	token_server_stop();
	registry_stop();
	build_leave();
}

/* The configuration "conf" for a port, with one more line; and `target` there. */
static void configure(unsigned int port, const char *line)
{
	char text[512];

	snprintf(
		text, sizeof(text),
		"source registry {\n\turl = oci://127.0.0.1:%u/{cookie}\n\tplain-http = yes\n%s}\n",
		port, line);
	file_write("conf", text, strlen(text));
	snprintf(target, sizeof(target), "oci://127.0.0.1:%u/team/app:v1", port);
}

#define PUSH(...) RUN("image", "push", "--config", "conf", "--state-dir", "state", __VA_ARGS__)

START_TEST(image_there_and_back)
{
	const struct ctl_result *r;
	char digest[128];
	json_t *json;

	make_image("image");
	configure(registry_port(), "");
	build_ok(BUILD("built", "oci-layout:image:v1"));
	r = PUSH("built", target);
	ctl_assert_ok(r);
	ctl_line(r->out, 0, digest, sizeof(digest));
	ck_assert_ptr_nonnull(strstr(output_of("cat built/index.json"), digest));
	/* Again: all of it is there. */
	r = PUSH("--json", "oci-layout:built:v1", target);
	ctl_assert_ok(r);
	json = json_loads(r->out, 0, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "blobs")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "existed")), 3);
	ck_assert_str_eq(text_at(json, "digest"), digest);
	json_decref(json);
	/* Every blob as it was. */
	sh("for f in built/blobs/sha256/*; do cmp $f "
	   "%s/data/docker/registry/v2/blobs/sha256/$(basename $f | cut -c1-2)/$(basename $f)/data "
	   "|| exit 1; done",
	   registry_dir());
}
END_TEST

/* ---- hash trees --------------------------------------------------------------------------- */

#define IMAGE(...) \
	RUN("image", __VA_ARGS__, "--config", "conf", "--state-dir", "state", "--run-dir", "run")

/* An image of two layers with trees, in the registry; its name there, by its digest. */
static const char *push_verified(void)
{
	static char name[256];
	char digest[128];

	make_tree("a");
	make_tree("b");
	sh("echo more > b/etc/more");
	configure(registry_port(), "");
	build_ok(BUILD("--verity", "built", "a", "b"));
	ctl_assert_ok(PUSH("built", target));
	ctl_line(PUSH("built", target)->out, 0, digest, sizeof(digest));
	snprintf(name, sizeof(name), "oci://127.0.0.1:%u/team/app@%s", registry_port(), digest);
	return name;
}

/* Of a layer of the image that was built. */
static const char *note_of(size_t layer, const char *name)
{
	static char text[128];
	json_t *manifest = load(blob("built", output_of("sed 's/.*\"digest\":\"\\([^\"]*\\)\""
							".*/\\1/' built/index.json")));
	const json_t *all = json_array_get(json_object_get(manifest, "layers"), layer);

	snprintf(text, sizeof(text), "%s", text_at(json_object_get(all, "annotations"), name));
	json_decref(manifest);
	return text;
}

#define TREE "io.cachefilld.fsverity.tree"

static size_t count_of(const char *in, const char *what)
{
	size_t n = 0;

	for (const char *at = in; (at = strstr(at, what)); at++)
		n++;
	return n;
}

START_TEST(layers_are_verified_by_their_manifest)
{
	const char *name = push_verified();
	struct ctl_result *r;

	ctl_assert_ok(IMAGE("add", "app", name));
	r = IMAGE("inspect", "--json", "app");
	ctl_assert_ok(r);
	for (size_t i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(strstr(r->out, note_of(i, "io.cachefilld.fsverity.digest")));
	ck_assert_uint_eq(count_of(r->out, "\"verified\":\"blocks\""), 2);
	/* They belong to the image: nobody collects them. */
	sh("curl -fsS -H 'Accept: application/vnd.oci.image.index.v1+json' "
	   "'http://127.0.0.1:%u/v2/team/app/manifests/sha256-%s' | "
	   "grep -q vnd.cachefilld.fsverity.v1",
	   registry_port(), strrchr(name, ':') + 1);
	ctl_assert_ok(IMAGE("add", "--no-verity", "plain", name));
	ck_assert_ptr_null(strstr(IMAGE("inspect", "plain")->out, "blocks"));
}
END_TEST

static void expect_not_verified(const char *name)
{
	struct ctl_result *r = IMAGE("add", "app", name);

	ck_assert_int_eq(r->status, 1);
	ck_assert_msg(strstr(r->err, "cannot be verified") && strstr(r->err, "--no-verity"), "%s",
		      r->err);
	ck_assert_int_eq(IMAGE("inspect", "app")->status, 1);
	ctl_assert_ok(IMAGE("add", "--replace", "--no-verity", "plain", name));
}

/* Whoever is between might strip them off, or change them. */
START_TEST(trees_that_do_not_fit_are_an_error)
{
	const char *name = push_verified();

	sh("printf X | dd of=%s bs=1 seek=%d conv=notrunc 2> /dev/null",
	   registry_file(note_of(1, TREE)), _i ? 300 : 20);
	expect_not_verified(name);
}
END_TEST

START_TEST(trees_that_are_gone_are_an_error)
{
	const char *name = push_verified();

	registry_remove_blob("team/app", note_of(0, TREE));
	expect_not_verified(name);
}
END_TEST

START_TEST(trees_that_the_layout_lacks_are_not_forgotten)
{
	make_tree("a");
	configure(registry_port(), "");
	build_ok(BUILD("--verity", "built", "a"));
	sh("rm %s", blob("built", note_of(0, TREE)));
	expect_refused(PUSH("built", target), "No such file");
}
END_TEST

/* An image of archives is pushed like any other, and built from there. */
START_TEST(image_of_a_registry_is_built)
{
	make_image("image");
	configure(registry_port(), "");
	ctl_assert_ok(PUSH("image", target));
	build_ok(BUILD("--config", "conf", "--state-dir", "state", "there", target));
	build_ok(BUILD("here", "oci-layout:image:v1"));
	sh("diff -r here there");
}
END_TEST

/* ---- plans -------------------------------------------------------------------------------- */

/* A layout of two layers, and the file "plan" of the second one and of something else. */
static void build_with_plan(const char *option)
{
	make_tree("a");
	make_tree("b");
	sh("echo more > b/etc/more");
	configure(registry_port(), "");
	build_ok(BUILD("built", "a", "b"));
	sh("(echo cachefill-plan 1; echo 4096+4096 x/$(sed "
	   "'s/.*\"digest\":\"\\([^\"]*\\)\".*/\\1/' "
	   "built/blobs/sha256/$(sed 's/.*\"digest\":\"sha256:\\([^\"]*\\)\".*/\\1/' "
	   "built/index.json)); echo 0+1 x/other) > plan");
	if (option)
		build_ok(BUILD("--force", option, "plan", "built", "a", "b"));
}

/* From the registry, its plan is this one. */
static void expect_plan(const char *what)
{
	ctl_assert_ok(IMAGE("add", "app", target));
	ck_assert_ptr_nonnull(strstr(IMAGE("plan", "app")->out, what));
}

START_TEST(a_plan_comes_with_its_image)
{
	build_with_plan("--plan");
	ctl_assert_ok(PUSH("built", target));
	expect_plan("\n4096+4096 erofs,cachefilld/sha256:");
	ck_assert_ptr_nonnull(strstr(IMAGE("plan", "--json", "app")->out, "\"given\":false"));
	/* One that somebody has given wins, until it is removed. */
	sh("sed -i 's/^4096+4096/0+8192/' plan");
	ctl_assert_ok(IMAGE("plan", "app", "plan"));
	expect_plan("\n0+8192 ");
	ctl_assert_ok(IMAGE("plan", "--remove", "app"));
	ctl_assert_ok(IMAGE("rm", "app"));
	expect_plan("\n4096+4096 ");
}
END_TEST

START_TEST(a_plan_is_added_by_the_push)
{
	char first[128], second[128];

	build_with_plan(NULL);
	ctl_line(PUSH("built", target)->out, 0, first, sizeof(first));
	ctl_line(PUSH("--plan", "plan", "built", target)->out, 0, second, sizeof(second));
	ck_assert_str_ne(first, second);
	expect_plan("\n4096+4096 ");
	ctl_line(PUSH("built", target)->out, 0, second, sizeof(second));
	ck_assert_str_eq(first, second);
	sh("sed -i 's/^4096+4096/4096+99999999/' plan");
	expect_refused(PUSH("--plan", "plan", "built", target), "goes beyond the ");
	expect_refused(BUILD("--force", "--plan", "plan", "built", "a", "b"), "goes beyond the ");
	expect_refused(BUILD("--plan", "plan", "x.erofs", "a"), "only a layout can have a plan");
}
END_TEST

/* What somebody else has written there is no reason to do without the image. */
START_TEST(a_bad_plan_is_not_used)
{
	const struct ctl_result *r;

	build_with_plan("--plan");
	sh("cd built; old=$(sed 's/.*\"digest\":\"sha256:\\([^\"]*\\)\".*/\\1/' index.json); "
	   "sed 's/\"io.cachefilld.plan\":\"[^\"]*\"/\"io.cachefilld.plan\":\"1:0+99999999\"/' "
	   "blobs/sha256/$old > m; new=$(sha256sum m | cut -c1-64); "
	   "sed -i \"s/$old/$new/; s/\\\"size\\\":[0-9]*/\\\"size\\\":$(stat -c %%s m)/\" "
	   "index.json; "
	   "mv m blobs/sha256/$new");
	ctl_assert_ok(PUSH("built", target));
	r = IMAGE("add", "app", target);
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "warning: what the manifest says to fetch first is "
					     "not used: line 2: the range goes beyond"));
	ck_assert_ptr_nonnull(strstr(IMAGE("plan", "app")->err, "has no plan"));
}
END_TEST

START_TEST(index_of_several_images)
{
	make_image("image");
	build_ok(BUILD("built", "oci-layout:image:v1"));
	/* One index that has both, as one image for two platforms. */
	sh("mkdir both && cp -r built/blobs built/oci-layout both && cp image/blobs/sha256/* "
	   "both/blobs/sha256 && "
	   "m() { sed 's/.*\"manifests\":\\[\\(.*\\)\\].*/\\1/' $1/index.json; } && "
	   "printf '{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_INDEX
	   "\",\"manifests\":[%%s,%%s]}' \"$(m built)\" \"$(m image)\" > index && "
	   "h=$(sha256sum index | cut -c1-64) && n=$(stat -c %%s index) && "
	   "mv index both/blobs/sha256/$h && "
	   "printf '{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" REGISTRY_INDEX
	   "\",\"digest\":\"sha256:%%s\",\"size\":%%s}]}' $h $n > both/index.json");
	configure(registry_port(), "");
	ctl_assert_ok(PUSH("both", target));
	ck_assert_str_eq(output_of("ls %s/data/docker/registry/v2/repositories/team/app/_manifests/"
				   "revisions/sha256 | wc -l",
				   registry_dir()),
			 "3");
}
END_TEST

#define ALADDIN "\"auth\":\"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\"" /* Aladdin:open sesame */

START_TEST(push_with_a_password)
{
	char auth[TEMPORARY_MAX + 64], line[256];
	unsigned int port;

	make_image("image");
	sh("htpasswd -Bbn Aladdin 'open sesame' > %s/htpasswd", registry_dir());
	snprintf(auth, sizeof(auth), "{htpasswd: {realm: t, path: %s/htpasswd}}", registry_dir());
	port = registry_open("door", NULL, auth, NULL);
	configure(port, "");
	expect_refused(PUSH("image", target), "podman login 127.0.0.1");
	sh("printf '{\"auths\":{\"127.0.0.1:%u\":{" ALADDIN "}}}' > auth.json", port);
	snprintf(line, sizeof(line), "\tauth-file = %s\n", output_of("realpath auth.json"));
	configure(port, line);
	ctl_assert_ok(PUSH("image", target));
}
END_TEST

START_TEST(push_with_a_token)
{
	struct token_server_options options = { .read_only = true };
	unsigned int port = registry_open("door", NULL, token_server_start(&options), NULL);

	make_image("image");
	configure(port, "");
	expect_refused(PUSH("image", target), "UNAUTHORIZED");
	options.read_only = false;
	token_server_change(&options);
	ctl_assert_ok(PUSH("image", target));
}
END_TEST

/* The registry is asked for nothing where the layout cannot be what it says. */
START_TEST(push_of_damaged_layouts)
{
	make_image("image");
	configure(registry_port(), "");
	sh("cp -r image bad1; cp -r image bad2; cp -r image bad3; "
	   "f=$(grep -l tmp/.wh bad1/blobs/sha256/*); printf X | dd of=$f conv=notrunc bs=1 "
	   "seek=600 "
	   "2> /dev/null; f=$(grep -l tmp/.wh bad2/blobs/sha256/*); truncate -s -512 $f; "
	   "f=$(grep -l tmp/.wh bad3/blobs/sha256/*); rm $f");
	expect_refused(PUSH("bad1", target), "is not what its digest says");
	expect_refused(PUSH("bad2", target), "its manifest says");
	expect_refused(PUSH("bad3", target), "No such file");
	expect_refused(PUSH("nowhere", target), "no index.json");
	expect_refused(PUSH("image:v2", target), "no image has the tag");
	expect_refused(PUSH("image", "https://127.0.0.1/a:v1"), "oci://");
	expect_refused(PUSH("image", "oci://127.0.0.1/a?layer=1"), "as a whole");
	expect_refused(PUSH("image", "oci://127.0.0.1"), "oci://127.0.0.1");
	ck_assert(!file_exists(registry_file("sha256:00")));
	/* No tag came to be. */
	ck_assert_str_eq(
		output_of("find %s/data -path '*_manifests/tags/*' -name link", registry_dir()),
		"");
	ck_assert_int_eq(PUSH("image")->status, 2);
}
END_TEST

START_TEST(push_to_nobody)
{
	make_image("image");
	configure(1, "");
	expect_refused(PUSH("image", target), "127.0.0.1:1/v2/team/app");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-push");
	TCase *t = tcase_create("push");

	if (build_missing() || !registry_installed())
		return skip_all(build_missing() ?: "docker-registry is not installed");
	tcase_add_unchecked_fixture(t, registry_begin, registry_end);
	tcase_add_checked_fixture(t, enter_registry, leave_registry);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, image_there_and_back);
	tcase_add_test(t, image_of_a_registry_is_built);
	tcase_add_test(t, layers_are_verified_by_their_manifest);
	tcase_add_loop_test(t, trees_that_do_not_fit_are_an_error, 0, 2);
	tcase_add_test(t, trees_that_are_gone_are_an_error);
	tcase_add_test(t, trees_that_the_layout_lacks_are_not_forgotten);
	tcase_add_test(t, a_plan_comes_with_its_image);
	tcase_add_test(t, a_plan_is_added_by_the_push);
	tcase_add_test(t, a_bad_plan_is_not_used);
	tcase_add_test(t, index_of_several_images);
	if (system("command -v htpasswd > /dev/null") == 0)
		tcase_add_test(t, push_with_a_password);
	tcase_add_test(t, push_with_a_token);
	tcase_add_test(t, push_of_damaged_layouts);
	tcase_add_test(t, push_to_nobody);
	suite_add_tcase(s, t);
	return run_suite(s);
}
