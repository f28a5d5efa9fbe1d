/* SPDX-License-Identifier: MIT */
/*
 * `cachefillctl image build`, with a real mkfs.erofs(1).
 */
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ctl/build.h"
#include "tests/ctl/tar.h"
#include "tests/lib/registry.h"
#include "tests/lib/run-suite.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* The manifest of a layout, to be freed. */
static json_t *manifest_of(const char *dir)
{
	char path[512];
	json_t *index, *manifest;

	snprintf(path, sizeof(path), "%s/index.json", dir);
	index = load(path);
	manifest = load(blob(
		dir, text_at(json_array_get(json_object_get(index, "manifests"), 0), "digest")));
	json_decref(index);
	return manifest;
}

/* ---- building --------------------------------------------------------------------------- */

START_TEST(directory_as_an_erofs_image)
{
	make_tree("tree");
	build_ok(BUILD("out.erofs", "tree"));
	sh("fsck.erofs --extract=back --preserve out.erofs > /dev/null");
	sh("diff -r tree back");
	ck_assert_str_eq(output_of("stat -c '%%a %%Y' back/usr/bin/program"), "755 1000000000");
	ck_assert_str_eq(output_of("stat -c %%a out.erofs"), "644");
}
END_TEST

/* What fsverity(1) makes of the same file, where the daemon looks for it. */
START_TEST(hash_tree_beside_an_erofs_image)
{
	char digest[128];

	make_tree("tree");
	ctl_line(build_ok(BUILD("--verity", "out.erofs", "tree"))->out, 1, digest, sizeof(digest));
	ck_assert_str_eq(output_of("stat -c %%a out.erofs.verity"), "644");
	sh("fsverity digest --out-merkle-tree=T --out-descriptor=D out.erofs > said && "
	   "cat D T | cmp - out.erofs.verity");
	ck_assert_str_eq(output_of("cut -d' ' -f1 said"), digest);
	/* Neither of the two is replaced without a word. */
	sh("rm out.erofs && echo mine > out.erofs.verity");
	expect_refused(BUILD("--verity", "out.erofs", "tree"), "out.erofs.verity: it exists");
	ck_assert_str_eq(output_of("cat out.erofs.verity"), "mine");
	build_ok(BUILD("--verity", "--force", "out.erofs", "tree"));
	sh("cat D T | cmp - out.erofs.verity");
}
END_TEST

START_TEST(directories_as_a_layout)
{
	json_t *manifest, *config, *layers, *ids;

	make_tree("a");
	make_tree("b");
	sh("echo more > b/etc/more");
	build_ok(BUILD("--tag", "v7", "out", "a", "b/"));
	manifest = manifest_of("out");
	layers = json_object_get(manifest, "layers");
	config = load(blob("out", text_at(json_object_get(manifest, "config"), "digest")));
	ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	ck_assert_uint_eq(json_array_size(layers), 2);
	ck_assert_uint_eq(json_array_size(ids), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *layer = json_array_get(layers, i);
		char own[REGISTRY_DIGEST_MAX];
		size_t len;
		uint8_t *bytes = file_read(blob("out", text_at(layer, "digest")), &len);

		ck_assert_str_eq(text_at(layer, "mediaType"), "application/vnd.erofs.layer.v1");
		ck_assert_int_eq(json_integer_value(json_object_get(layer, "size")), (int)len);
		registry_digest(bytes, len, own);
		ck_assert_str_eq(text_at(layer, "digest"), own);
		ck_assert_str_eq(json_string_value(json_array_get(ids, i)), own);
		ck_assert_str_eq(text_at(json_object_get(layer, "annotations"),
					 "org.opencontainers.image.title"),
				 i ? "b.erofs" : "a.erofs");
		free(bytes);
	}
	ck_assert_ptr_nonnull(strstr(output_of("cat out/index.json"), "\"v7\""));
	json_decref(config);
	json_decref(manifest);
}
END_TEST

START_TEST(same_input_gives_same_bytes)
{
	make_tree("tree");
	make_image("image");
	build_ok(BUILD("one", "tree", "oci-layout:image:v1"));
	/* Another order on disk, other inodes, another day. */
	sh("mkdir again && cd tree && tar cf - --format=posix --no-recursion $(find . | sort -r) | "
	   "tar xf - -C ../again && cd .. && touch -d @1000000001 again && mv tree old && "
	   "mv again tree");
	build_ok(BUILD("two", "tree", "oci-layout:image:v1"));
	sh("diff -r one two");
	ck_assert(file_exists("two/index.json"));
}
END_TEST

START_TEST(timestamps_are_bounds)
{
	make_tree("tree");
	sh("touch -d @2000000000 tree/etc/motd");
	build_ok(BUILD("--timestamp", "1500000000", "a.erofs", "tree"));
	ck_assert_int_eq(setenv("SOURCE_DATE_EPOCH", "1500000000", 1), 0);
	build_ok(BUILD("b.erofs", "tree"));
	unsetenv("SOURCE_DATE_EPOCH");
	ck_assert(files_equal("a.erofs", "b.erofs"));
	sh("fsck.erofs --extract=back --preserve a.erofs > /dev/null");
	ck_assert_str_eq(output_of("stat -c %%Y back/etc/motd"), "1500000000");
	ck_assert_str_eq(output_of("stat -c %%Y back/usr/bin/program"), "1000000000");
}
END_TEST

START_TEST(image_of_archives)
{
	static const char sub[] = "io.cachefilld.source.diff-id";
	json_t *manifest, *config, *layers;
	char ids[2][REGISTRY_DIGEST_MAX];

	make_image("image");
	build_ok(BUILD("out", "oci-layout:image:v1"));
	manifest = manifest_of("out");
	layers = json_object_get(manifest, "layers");
	config = load(blob("out", text_at(json_object_get(manifest, "config"), "digest")));
	/* What the image says of itself stays. */
	ck_assert_str_eq(text_at(json_object_get(manifest, "annotations"), "org.example.kept"),
			 "yes");
	ck_assert_ptr_nonnull(json_object_get(json_object_get(config, "config"), "Cmd"));
	ck_assert_str_eq(
		json_string_value(json_array_get(json_object_get(config, "os.features"), 0)),
		"erofs");
	snprintf(ids[0], sizeof(ids[0]), "sha256:%s",
		 output_of("zcat bottom.tar.gz | sha256sum | cut -c1-64"));
	snprintf(ids[1], sizeof(ids[1]), "sha256:%s", output_of("sha256sum top.tar | cut -c1-64"));
	for (size_t i = 0; i < 2; i++) {
		const json_t *layer = json_array_get(layers, i);

		ck_assert_str_eq(text_at(json_object_get(layer, "annotations"), sub), ids[i]);
	}
	sh("cp %s top.erofs", blob("out", text_at(json_array_get(layers, 1), "digest")));
	/* A device 0/0, in a directory that is that of the layer below. */
	ck_assert_ptr_nonnull(
		strstr(output_of("dump.erofs --path=/tmp top.erofs | grep Access"), "0777"));
	ck_assert_ptr_nonnull(strstr(
		output_of("dump.erofs --path=/tmp/gone top.erofs | grep 'char dev'"), "char dev"));
	json_decref(config);
	json_decref(manifest);
}
END_TEST

START_TEST(tar_file_as_a_layer)
{
	make_image("image");
	build_ok(BUILD("out.erofs", "bottom.tar.gz"));
	sh("fsck.erofs --extract=back --preserve out.erofs > /dev/null");
	ck_assert_str_eq(output_of("stat -c '%%a %%Y' back/tmp"), "1777 1000");
	ck_assert_str_eq(output_of("cat back/file"), "old");
}
END_TEST

START_TEST(chunks_and_compression)
{
	const struct ctl_result *r;

	make_tree("tree");
	build_ok(BUILD("--chunk-size", "1M", "a.erofs", "tree"));
	r = BUILD("--compress", "lz4hc,9", "b.erofs", "tree");
	ck_assert_int_eq(r->status, 0);
	ck_assert_msg(strstr(r->err, "fetched as a whole"), "%s", r->err);
	sh("for i in a b; do fsck.erofs --extract=$i --preserve $i.erofs > /dev/null && "
	   "diff -r tree $i; done");
	ck_assert_int_eq(BUILD("--chunk-size", "4K", "c.erofs", "tree")->status, 2);
	ck_assert_int_eq(BUILD("--chunk-size", "3M", "c.erofs", "tree")->status, 2);
	ck_assert_int_eq(BUILD("--compress", "lzma", "c.erofs", "tree")->status, 2);
	ck_assert_int_eq(
		BUILD("--compress", "lz4", "--chunk-size", "1M", "c.erofs", "tree")->status, 2);
	ck_assert(!file_exists("c.erofs"));
}
END_TEST

START_TEST(out_that_exists)
{
	make_tree("tree");
	sh("mkdir dir && echo precious > dir/file && echo precious > file.erofs");
	expect_refused(BUILD("dir", "tree"), "it exists");
	expect_refused(BUILD("--force", "dir", "tree"), "not replaced");
	expect_refused(BUILD("file.erofs", "tree"), "it exists");
	build_ok(BUILD("--force", "file.erofs", "tree"));
	build_ok(BUILD("lay", "tree"));
	sh("echo new > tree/etc/new && cp -a lay before");
	build_ok(BUILD("--force", "lay", "tree"));
	ck_assert_int_ne(system("diff -rq lay before > /dev/null"), 0);
	ck_assert_str_eq(output_of("cat dir/file"), "precious");
}
END_TEST

START_TEST(sources_that_are_wrong)
{
	make_tree("tree");
	make_image("image");
	sh("mkfifo pipe && mkdir empty");
	expect_refused(BUILD("out", "nowhere"), "nowhere: No such file");
	expect_refused(BUILD("out", "pipe"), "neither");
	expect_refused(BUILD("nowhere/out", "tree"), "nowhere/out: No such file");
	expect_refused(BUILD("tree/out", "tree"), "inside of");
	expect_refused(BUILD("out.erofs", "tree", "tree"), "2 layers");
	expect_refused(BUILD("out", "oci-layout:empty"), "no index.json");
	expect_refused(BUILD("out", "oci-layout:image:v2"), "no image has the tag 'v2'");
	expect_refused(BUILD("out", "oci-layout:nowhere"), "no index.json");
	ck_assert_int_eq(BUILD("out")->status, 2);
	ck_assert_int_eq(BUILD("--tag", "a/b", "out", "tree")->status, 2);
	ck_assert_int_eq(BUILD("--uuid", "1", "out", "tree")->status, 2);
	ck_assert_int_eq(BUILD("--timestamp", "soon", "out", "tree")->status, 2);
}
END_TEST

/* A blob, or what describes it, is changed in the layout. */
START_TEST(layouts_that_are_damaged)
{
	static const struct {
		const char *script, *word;
	} cases[] = {
		{ "f=$(grep -l tmp/.wh blobs/sha256/*); printf X | dd of=$f conv=notrunc bs=1 "
		  "seek=600 2> /dev/null",
		  "is not what its digest says" },
		{ "f=$(grep -l tmp/.wh blobs/sha256/*); truncate -s -512 $f", "its manifest says" },
		{ "f=$(grep -l diff_ids blobs/sha256/*); sed -i s/amd64/arm64/ $f",
		  "is not what its digest says" },
		{ "f=$(grep -l layers blobs/sha256/* | head -1); rm blobs/sha256/*; echo > $f",
		  "blobs/sha256/" },
		{ "sed -i 's/sha256:/sha257:/g' index.json", "no digest by sha256" },
		{ "sed -i 's,sha256:,sha256:../../,g' index.json", "no digest by sha256" },
		{ "echo '{' > index.json", "no JSON" },
		{ "echo '[]' > index.json", "no JSON" },
		{ "echo '{}' > index.json", "no image in it" },
		{ "sed -i 's/\"size\":[0-9]*/\"size\":-1/' index.json", "without a size" },
		{ "rm index.json; mkfifo index.json", "index.json" },
		{ "truncate -s 5M index.json", "index.json" },
	};

	make_image("image");
	sh("cd image && %s", cases[_i].script);
	expect_refused(BUILD("out", "oci-layout:image:v1"), cases[_i].word);
}
END_TEST

START_TEST(archives_that_are_hostile)
{
	static const struct tar_entry climbs[] = { { "a", '0', "x" }, { "../evil", '0', "x" } };
	static const struct tar_entry links[] = { { "l", '2', "../.." }, { "l/evil", '0', "x" } };

	tar_write("climbs.tar", climbs, 2);
	tar_write("links.tar", links, 2);
	expect_refused(BUILD("out", "climbs.tar"), "climbs.tar: ../evil: its name leads out");
	expect_refused(BUILD("out", "links.tar"), "links.tar: l/evil: ");
	sh("head -c 100000 /dev/urandom > noise && tar cf - noise | gzip | head -c 50000 > "
	   "cut.tar.gz");
	expect_refused(BUILD("out", "cut.tar.gz"), "cut.tar.gz: ");
	ck_assert(!file_exists("evil") && !file_exists("tmp/evil"));
}
END_TEST

static bool mount_small(const char *dir)
{
	return mkdir(dir, 0700) == 0 && mount("small", dir, "tmpfs", 0, "size=1m") == 0;
}

/* Where it is unpacked, where it is built. */
START_TEST(disks_that_are_full)
{
	sh("head -c 3000000 /dev/urandom > noise && tar cf large.tar noise && mkdir tree && "
	   "cp noise tree/");
	if (!mount_small("small"))
		return; /* not allowed here */
	expect_refused(RUN("image", "build", "--tmp-dir", "small", "out", "large.tar"),
		       "No space left");
	expect_refused(BUILD("small/out.erofs", "tree"), "are needed");
	/* As chunks it may need less. */
	expect_refused(BUILD("--chunk-size", "1M", "small/out", "tree"), "mkfs.erofs");
	/* Small to have as an archive, and unpacked. */
	sh("truncate -s 1T sparse && tar cSf sparse.tar sparse");
	expect_refused(BUILD("small/out", "sparse.tar"), "1 TiB are needed");
	ck_assert_str_eq(output_of("ls small"), "");
	ck_assert_int_eq(umount("small"), 0);
}
END_TEST

START_TEST(mkfs_that_is_not_there)
{
	char *path = strdup(getenv("PATH"));

	make_tree("tree");
	sh("mkdir bin");
	setenv("PATH", "/nonexistent", 1);
	{
		const struct ctl_result *r = BUILD("out", "tree");

		setenv("PATH", path, 1);
		expect_refused(r, "erofs-utils");
	}
	/* One that fails, and says why at length. */
	sh("printf '#!/bin/sh\\necho first >&2\\necho the reason >&2\\nexit 3\\n' > bin/mkfs.erofs "
	   "&& "
	   "chmod +x bin/mkfs.erofs");
	setenv("PATH", "bin", 1);
	{
		const struct ctl_result *r = BUILD("out", "tree");

		setenv("PATH", path, 1);
		expect_refused(r, "status 3: the reason");
	}
	/* One that makes nothing. */
	sh("printf '#!/bin/sh\\nexit 0\\n' > bin/mkfs.erofs");
	setenv("PATH", "bin:/bin:/usr/bin", 1);
	{
		const struct ctl_result *r = BUILD("out", "tree");

		setenv("PATH", path, 1);
		expect_refused(r, "something else");
	}
	free(path);
}
END_TEST

/* A signal while mkfs.erofs works: both end, nothing is left. */
START_TEST(signal_while_it_works)
{
	pid_t pid;
	int status;

	make_image("image");
	sh("mkdir bin && mkfifo started && "
	   "printf '#!/bin/sh\\necho > started\\nexec sleep 1000\\n' > bin/mkfs.erofs && "
	   "chmod +x bin/mkfs.erofs");
	pid = fork();
	if (pid == 0) {
		setenv("PATH", "bin:/bin:/usr/bin", 1);
		execl(getenv("CACHEFILLCTL"), "cachefillctl", "image", "build", "--tmp-dir", "tmp",
		      "out", "oci-layout:image", (char *)NULL);
		_exit(127);
	}
	sh("cat started");
	kill(pid, SIGTERM);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	ck_assert(!file_exists("out"));
	expect_clean();
}
END_TEST

START_TEST(result_as_json)
{
	json_t *json;

	make_tree("tree");
	json = json_loads(build_ok(BUILD("--json", "out", "tree"))->out, 0, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_str_eq(text_at(json, "out"), "out");
	ck_assert_ptr_nonnull(strstr(output_of("cat out/index.json"), text_at(json, "digest")));
	ck_assert_str_eq(text_at(json_array_get(json_object_get(json, "layers"), 0), "title"),
			 "tree.erofs");
	json_decref(json);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl-build");
	TCase *t = tcase_create("build");

	if (build_missing())
		return skip_all(build_missing());
	tcase_add_checked_fixture(t, build_enter, build_leave);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, directory_as_an_erofs_image);
	if (system("command -v fsverity > /dev/null") == 0)
		tcase_add_test(t, hash_tree_beside_an_erofs_image);
	tcase_add_test(t, directories_as_a_layout);
	tcase_add_test(t, same_input_gives_same_bytes);
	tcase_add_test(t, timestamps_are_bounds);
	tcase_add_test(t, image_of_archives);
	tcase_add_test(t, tar_file_as_a_layer);
	tcase_add_test(t, chunks_and_compression);
	tcase_add_test(t, out_that_exists);
	tcase_add_test(t, sources_that_are_wrong);
	tcase_add_loop_test(t, layouts_that_are_damaged, 0, 12);
	tcase_add_test(t, archives_that_are_hostile);
	tcase_add_test(t, disks_that_are_full);
	tcase_add_test(t, mkfs_that_is_not_there);
	tcase_add_test(t, signal_while_it_works);
	tcase_add_test(t, result_as_json);
	suite_add_tcase(s, t);
	return run_suite(s);
}
