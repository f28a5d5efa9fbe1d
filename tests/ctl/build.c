/* SPDX-License-Identifier: MIT */
#include "tests/ctl/build.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/ctl/tar.h"
#include "tests/lib/registry.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* The first line that a command prints. Static. */
const char *output_of(const char *fmt, ...)
{
	static char line[8192];
	char command[2048];
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	f = popen(command, "re");
	ck_assert_ptr_nonnull(f);
	line[0] = '\0';
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	ck_assert_int_eq(pclose(f), 0);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

json_t *load(const char *path)
{
	json_t *json = json_load_file(path, 0, NULL);

	ck_assert_msg(json, "%s is no JSON", path);
	return json;
}

const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	ck_assert_msg(text, "no %s", key);
	return text;
}

const char *blob(const char *dir, const char *digest)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/blobs/sha256/%s", dir, digest + strlen("sha256:"));
	return path;
}

/* Nothing half-made is left: neither here nor where archives are unpacked. */
void expect_clean(void)
{
	ck_assert_str_eq(output_of("ls -d * tmp/* 2> /dev/null | grep -vx out.erofs.verity | grep "
				   "-E '^tmp/|[.][A-Za-z0-9]{6}$'; true"),
			 "");
}

void expect_refused(const struct ctl_result *r, const char *word)
{
	ck_assert_msg(r->status == 1, "status %d: %s%s", r->status, r->out, r->err);
	ck_assert_msg(strstr(r->err, word), "no '%s' in: %s", word, r->err);
	ck_assert_uint_eq(ctl_lines(r->err), 1);
	ck_assert_str_eq(r->out, "");
	ck_assert(!file_exists("out") && !file_exists("out.erofs"));
	expect_clean();
}

const struct ctl_result *build_ok(const struct ctl_result *r)
{
	ctl_assert_ok(r);
	expect_clean();
	return r;
}

/* ---- what is built of ------------------------------------------------------------------- */

void make_tree(const char *dir)
{
	sh("mkdir -p %s/etc %s/usr/bin && cd %s && echo hello > etc/motd && "
	   "head -c 300000 /dev/zero | tr '\\0' x > usr/bin/program && chmod 755 usr/bin/program "
	   "&& "
	   "ln -s ../etc/motd usr/motd && ln etc/motd etc/again && touch -d @1000000000 etc/motd "
	   "etc usr/bin/program usr/bin usr && touch -d @1000000001 .",
	   dir, dir, dir);
}

/* An image of n layers in a layout, tagged v1; layers[i] is a tar file here, compressed if it
 * ends in .gz. */
static void make_layout(const char *dir, const char *const *layers, size_t n)
{
	char text[8192], digest[REGISTRY_DIGEST_MAX], ids[2048] = "", list[4096] = "";
	size_t len;

	sh("mkdir -p %s/blobs/sha256", dir);
	for (size_t i = 0; i < n; i++) {
		bool zipped = strstr(layers[i], ".gz");
		uint8_t *bytes = file_read(layers[i], &len);

		registry_digest(bytes, len, digest);
		file_write(blob(dir, digest), bytes, len);
		free(bytes);
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar%s\",\"digest\":"
			 "\"%s\",\"size\":%zu}",
			 i ? "," : "", zipped ? "+gzip" : "", digest, len);
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s\"sha256:%s\"",
			 i ? "," : "",
			 output_of("%s %s | sha256sum | cut -c1-64", zipped ? "zcat" : "cat",
				   layers[i]));
	}
	snprintf(text, sizeof(text),
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]},"
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		 ids);
	registry_digest(text, strlen(text), digest);
	file_write(blob(dir, digest), text, strlen(text));
	len = strlen(text);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		 "\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\","
		 "\"size\":%zu},\"layers\":[%s],\"annotations\":{\"org.example.kept\":\"yes\"}}",
		 digest, len, list);
	registry_digest(text, strlen(text), digest);
	file_write(blob(dir, digest), text, strlen(text));
	len = strlen(text);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" REGISTRY_MANIFEST
		 "\",\"digest\":\"%s\",\"size\":%zu,\"annotations\":{"
		 "\"org.opencontainers.image.ref.name\":\"v1\"}}]}",
		 digest, len);
	sh("printf '{\"imageLayoutVersion\":\"1.0.0\"}' > %s/oci-layout", dir);
	sh("cat > %s/index.json <<'EOT'\n%s\nEOT", dir, text);
}

void make_image(const char *dir)
{
	static const struct tar_entry bottom[] = { { "./", '5', .mtime = 900 },
						   { "tmp/", '5', .mode = 01777, .mtime = 1000 },
						   { "tmp/gone", '0', "gone", .mtime = 1000 },
						   { "file", '0', "old", .mtime = 1000 } };
	static const struct tar_entry top[] = { { "tmp/.wh.gone", '0' },
						{ "file", '0', "newer", .mtime = 2000 } };
	static const char *const layers[] = { "bottom.tar.gz", "top.tar" };

	tar_write("bottom.tar", bottom, N(bottom));
	sh("gzip -nf bottom.tar");
	tar_write("top.tar", top, N(top));
	make_layout(dir, layers, 2);
}

void build_enter(void)
{
	ctl_enter();
	sh("mkdir -p tmp");
}

void build_leave(void)
{
	umount2("small", MNT_DETACH); /* of a test that failed */
	ctl_leave();
}

const char *build_missing(void)
{
	if (geteuid() != 0)
		return "only root can unpack archives";
	if (system("command -v mkfs.erofs > /dev/null") != 0)
		return "there is no mkfs.erofs";
	if (system("d=$(mktemp -d) && { mknod $d/w c 0 0; r=$?; rm -r $d; [ $r = 0 ]; } 2> "
		   "/dev/null") != 0)
		return "the temporary directory takes no whiteouts";
	return NULL;
}
