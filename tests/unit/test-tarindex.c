/* SPDX-License-Identifier: MIT */
/*
 * From good archives to images and maps. Bad ones: test-tarindex-bad.c. Random trees: tests/tarindex.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/lib/erofs-list.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/tarindex-fixture.h"

/* ---- looking at an image ---------------------------------------------------------------- */

struct found {
	const char *path;
	struct erofs_file file;
	char target[5000];
	char xattr[70000];
	size_t xattr_len;
	const char *want_xattr;
	unsigned int n;
};

static void match(void *arg, const struct erofs_file *file)
{
	struct found *found = arg;
	struct bytes value;

	if (strcmp(file->path, found->path) != 0)
		return;
	found->n++;
	found->file = *file;
	snprintf(found->target, sizeof(found->target), "%s", file->target ? file->target : "");
	if (!found->want_xattr)
		return;
	value = erofs_xattr(file, found->want_xattr);
	found->xattr_len = value.data ? value.len : SIZE_MAX;
	if (value.data)
		memcpy(found->xattr, value.data, value.len);
}

/* Also checks the whole image. Static. */
static struct found *find_with(const char *path, const char *xattr)
{
	static struct found found;
	const char *wrong;

	memset(&found, 0, sizeof(found));
	found.path = path;
	found.want_xattr = xattr;
	wrong = erofs_list(image, match, &found);
	ck_assert_msg(!wrong, "%s", wrong);
	ck_assert_uint_le(found.n, 1);
	return found.n > 0 ? &found : NULL;
}

static struct found *find(const char *path)
{
	return find_with(path, NULL);
}

/* The byte of the archive that is byte `at` of the device; -1: a zero of ours. */
static int device_byte(uint64_t at)
{
	uint64_t i = tarmap_find(&map, at);
	struct tarmap_extent e;

	if (i == map.n)
		return -1;
	e = tarmap_extent(&map, i);
	return at >= e.at ? tar.bytes[e.from + (at - e.at)] : -1;
}

static void check_content(const char *path, const char *data, size_t size)
{
	struct found *f = find(path);

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->file.size, size);
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(device_byte(f->file.block * 4096 + i), (uint8_t)data[i]);
}

/* ---- what is understood ----------------------------------------------------------------- */

START_TEST(a_file)
{
	struct found *f;
	uint64_t size;
	char tag[65], want[70];

	ADD("hello", .data = "hello, world", .size = 12, .mode = 04755, .uid = 7, .gid = 8,
	    .mtime = 1234567890);
	index_whole();
	check_content("hello", "hello, world", 12);
	f = find("hello");
	ck_assert_uint_eq(f->file.mode, S_IFREG | 04755);
	ck_assert_uint_eq(f->file.uid, 7);
	ck_assert_uint_eq(f->file.gid, 8);
	ck_assert_int_eq(f->file.mtime, 1234567890);
	ck_assert_uint_eq(f->file.nlink, 1);
	ck_assert_uint_eq(result.archive_size, tar.len);
	ck_assert_uint_eq(result.n_inodes, 2);
	ck_assert_uint_eq(map.inner_size, tar.len);
	ck_assert_str_eq(map.validator, VALIDATOR);
	ck_assert_uint_eq(result.image_size, image.len);
	ck_assert_uint_eq(result.map_size, map_file.len);
	ck_assert_ptr_null(erofs_device(image, &size, tag));
	ck_assert_uint_eq(size, 4096);
	ck_assert_uint_eq(result.device_size, 4096);
	snprintf(want, sizeof(want), "tar:%.60s", result.map_sha256);
	ck_assert_str_eq(tag, want);
}
END_TEST

START_TEST(nothing_at_all)
{
	index_whole();
	ck_assert_ptr_nonnull(find(""));
	ck_assert_uint_eq(result.n_inodes, 1);
	ck_assert_uint_eq(result.device_size, 4096);
	ck_assert_uint_eq(map.n, 0);
}
END_TEST

START_TEST(any_steps_make_the_same)
{
	char first[2][SHA256_HEX];

	ADD("a", .size = 5000);
	tar_make_pax(&tar, (const char *const[]){ "path=b/c/d", "mtime=5.5" }, NULL, 2);
	ADD("short", .size = 512);
	ADD("././@LongLink", .type = 'L', .data = "long/name", .size = 10);
	ADD("long", .size = 1);
	index_whole();
	memcpy(first[0], result.image_sha256, SHA256_HEX);
	memcpy(first[1], result.map_sha256, SHA256_HEX);
	for (size_t step = 1; step < 1100; step += step < 10 ? 1 : 97) {
		ck_assert_int_eq(index_in_steps(step), 0);
		ck_assert_str_eq(result.image_sha256, first[0]);
		ck_assert_str_eq(result.map_sha256, first[1]);
	}
	ck_assert_ptr_nonnull(find("b/c/d"));
	ck_assert_ptr_nonnull(find("long/name"));
	ck_assert_int_eq(find("b/c/d")->file.mtime, 5);
	ck_assert_uint_eq(find("b/c/d")->file.mtime_nsec, 500000000);
}
END_TEST

START_TEST(names_from_everywhere_end_below_the_root)
{
	ADD("/absolute", .size = 1);
	ADD("./dotted/./name", .size = 1);
	ADD("twice//slashed/", .type = '5');
	ADD("olddir/", .type = '\0');
	index_whole();
	ck_assert_ptr_nonnull(find("absolute"));
	ck_assert_ptr_nonnull(find("dotted/name"));
	ck_assert_uint_eq(find("dotted")->file.mode, S_IFDIR | 0755);
	ck_assert_uint_eq(find("twice/slashed")->file.mode & S_IFMT, S_IFDIR);
	ck_assert_uint_eq(find("olddir")->file.mode & S_IFMT, S_IFDIR);
}
END_TEST

START_TEST(a_prefix_is_in_front_of_the_name)
{
	size_t at;

	ADD("name", .size = 1);
	memcpy(tar.bytes + 345, "some/prefix", 11);
	tar_make_checksum(&tar, 0);
	/* GNU's header has times there. */
	at = tar.len;
	ADD("gnu", .size = 1);
	memcpy(tar.bytes + at + 257, "ustar  \0", 8);
	memcpy(tar.bytes + at + 345, "1234567", 7);
	tar_make_checksum(&tar, at);
	index_whole();
	ck_assert_ptr_nonnull(find("some/prefix/name"));
	ck_assert_ptr_nonnull(find("gnu"));
}
END_TEST

START_TEST(numbers_of_base_256)
{
	static const uint8_t big[12] = { 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0 };
	static const uint8_t uid[8] = { 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe };
	static const uint8_t before[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff, 0xfe };

	ADD("f", .size = 4096);
	memcpy(tar.bytes + 124, big, 12);
	memcpy(tar.bytes + 108, uid, 8);
	memcpy(tar.bytes + 136, before, 12);
	tar_make_checksum(&tar, 0);
	index_whole();
	ck_assert_uint_eq(find("f")->file.size, 4096);
	ck_assert_uint_eq(find("f")->file.uid, 0xfffffffe);
	ck_assert_int_eq(find("f")->file.mtime, -2);
}
END_TEST

START_TEST(extended_headers)
{
	static const char *const records[] = {
		"path=other", "size=3", "uid=4000000000", "gid=70000", "mtime=-1.25", "comment=no",
	};

	tar_make_pax(&tar, records, NULL, 6);
	tar_make_header(&tar, (struct tar_make_entry){ "name", .size = 77 });
	tar_make_raw(&tar, "abc", 3);
	tar_make_raw(&tar, NULL, 509);
	ADD("after", .size = 1);
	index_whole();
	check_content("other", "abc", 3);
	ck_assert_uint_eq(find("other")->file.uid, 4000000000);
	ck_assert_uint_eq(find("other")->file.gid, 70000);
	ck_assert_int_eq(find("other")->file.mtime, -2);
	ck_assert_uint_eq(find("other")->file.mtime_nsec, 750000000);
	/* They are about one entry. */
	ck_assert_uint_eq(find("after")->file.uid, 0);
}
END_TEST

START_TEST(hard_links_are_one_file)
{
	ADD("a", .data = "data", .size = 4);
	ADD("d/b", .type = '1', .link = "./a");
	tar_make_header(&tar, (struct tar_make_entry){ "c", "d/b", '1', .size = 4096 });
	ADD("a", .data = "new!", .size = 4);
	index_whole();
	ck_assert_uint_eq(find("d/b")->file.nlink, 2);
	ck_assert_uint_eq(find("d/b")->file.nid, find("c")->file.nid);
	ck_assert_uint_eq(find("a")->file.nlink, 1);
	check_content("c", "data", 4);
	check_content("a", "new!", 4);
	ck_assert_uint_eq(map.n, 2);
}
END_TEST

START_TEST(devices_and_links)
{
	char target[4096];

	memset(target, 't', 4095);
	target[4095] = '\0';
	ADD("short", .type = '2', .link = "to/somewhere");
	ADD("././@LongLink", .type = 'K', .data = target, .size = 4096);
	ADD("long", .type = '2', .link = "cut");
	ADD("null", .type = '3', .mode = 0666);
	memcpy(tar.bytes + tar.len - 512 + 329,
	       "0000001\0"
	       "0000003",
	       15);
	tar_make_checksum(&tar, tar.len - 512);
	ADD("disk", .type = '4');
	memcpy(tar.bytes + tar.len - 512 + 329,
	       "0007777\0"
	       "3777777",
	       15);
	tar_make_checksum(&tar, tar.len - 512);
	ADD("fifo", .type = '6');
	index_whole();
	ck_assert_str_eq(find("short")->target, "to/somewhere");
	ck_assert_uint_eq(find("short")->file.mode, S_IFLNK | 0777);
	ck_assert_str_eq(find("long")->target, target);
	ck_assert_uint_eq(find("null")->file.mode, S_IFCHR | 0666);
	ck_assert_uint_eq(find("null")->file.rdev, 0x103);
	ck_assert_uint_eq(find("disk")->file.rdev, 0xffffffff);
	ck_assert_uint_eq(find("fifo")->file.mode & S_IFMT, S_IFIFO);
}
END_TEST

START_TEST(the_last_entry_of_a_name_counts)
{
	ADD("f", .data = "old", .size = 3);
	ADD("f", .data = "newer", .size = 5);
	ADD("d/x", .size = 1);
	ADD("d", .type = '5', .mode = 0700);
	ADD("e/x", .size = 1);
	ADD("e", .size = 2);
	ADD("g", .size = 1);
	ADD("g", .type = '5', .mode = 0711);
	ADD("g/x", .size = 1);
	index_whole();
	check_content("f", "newer", 5);
	ck_assert_uint_eq(find("d")->file.mode, S_IFDIR | 0700);
	ck_assert_ptr_nonnull(find("d/x"));
	ck_assert_uint_eq(find("e")->file.size, 2);
	ck_assert_ptr_null(find("e/x"));
	ck_assert_ptr_nonnull(find("g/x"));
	/* Nothing in the device for what is gone. */
	ck_assert_uint_eq(map.n, 4);
}
END_TEST

START_TEST(whiteouts)
{
	struct found *f;

	ADD("d/.wh.gone", .mode = 0600);
	ADD("opaque/.wh..wh..opq");
	ADD("opaque/new", .size = 1);
	ADD("again/sub", .type = '5');
	ADD("again/.wh.sub");
	ADD("later/.wh.dir");
	ADD("later/dir/x", .size = 1);
	ADD("both", .size = 1);
	ADD(".wh.both");
	ADD(".wh..wh.plnk/1", .size = 1);
	ADD(".wh..wh.aufs", .size = 1);
	index_whole();
	f = find("d/gone");
	ck_assert_uint_eq(f->file.mode, S_IFCHR);
	ck_assert_uint_eq(f->file.rdev, 0);
	f = find_with("opaque", "trusted.overlay.opaque");
	ck_assert_uint_eq(f->xattr_len, 1);
	ck_assert_int_eq(f->xattr[0], 'y');
	ck_assert_ptr_nonnull(find("opaque/new"));
	ck_assert_uint_eq(find_with("again/sub", "trusted.overlay.opaque")->xattr_len, 1);
	ck_assert_uint_eq(find_with("later/dir", "trusted.overlay.opaque")->xattr_len, 1);
	ck_assert_uint_eq(find_with("later", "trusted.overlay.opaque")->xattr_len, SIZE_MAX);
	ck_assert_uint_eq(find("both")->file.size, 1);
	ck_assert_ptr_null(find(".wh..wh.plnk"));
	ck_assert_ptr_null(find(".wh..wh.aufs"));
	ck_assert_ptr_null(find(".wh.both"));
}
END_TEST

START_TEST(extended_attributes)
{
	static char big[60000 + 24];
	const char *records[] = {
		"SCHILY.xattr.user.a=value",
		"SCHILY.xattr.trusted.overlay.redirect=/etc/shadow",
		"SCHILY.xattr.security.capability=\1\0\0\2",
		"LIBARCHIVE.xattr.user.b%25=aGVsbG8",
		"LIBARCHIVE.xattr.user.a=bm90IHRoaXM=",
		"SCHILY.xattr.com.apple.x=1",
		"SCHILY.xattr.system.posix_acl_access=acl",
		big,
	};
	size_t lens[8];

	memset(big, 'B', sizeof(big) - 1);
	memcpy(big, "SCHILY.xattr.user.big=", 22);
	for (int i = 0; i < 8; i++)
		lens[i] = strlen(records[i]);
	lens[2] += 3;
	tar_make_pax(&tar, records, lens, 8);
	ADD("f", .size = 5000);
	index_whole();
	ck_assert_uint_eq(find_with("f", "user.a")->xattr_len, 5);
	ck_assert_int_eq(memcmp(find_with("f", "user.a")->xattr, "value", 5), 0);
	ck_assert_uint_eq(find_with("f", "security.capability")->xattr_len, 4);
	ck_assert_uint_eq(find_with("f", "user.b%")->xattr_len, 5);
	ck_assert_int_eq(memcmp(find_with("f", "user.b%")->xattr, "hello", 5), 0);
	ck_assert_uint_eq(find_with("f", "system.posix_acl_access")->xattr_len, 3);
	ck_assert_uint_eq(find_with("f", "user.big")->xattr_len, sizeof(big) - 1 - 22);
	ck_assert_uint_eq(find_with("f", "trusted.overlay.redirect")->xattr_len, SIZE_MAX);
	ck_assert_uint_eq(result.n_xattrs_left_out, 2);
	check_content("f", (const char *)tar.bytes + tar.len - 1024 - 5120, 5000);
}
END_TEST

/* Directories of many blocks, with names that sort around the dots. */
START_TEST(large_directories)
{
	char name[300], long_name[256];

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "big/%c%0*d", "!-.0Az~\xff"[i % 8], i % 80 + 1, i);
		ADD(name, .size = (uint64_t)i % 3);
	}
	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	ADD("././@LongLink", .type = 'L', .data = long_name, .size = 256);
	ADD("cut", .size = 1);
	index_whole();
	ck_assert_uint_eq(result.n_inodes, 5003);
	ck_assert_ptr_nonnull(find(long_name));
}
END_TEST

START_TEST(files_of_many_chunks)
{
	struct tarindex *index;
	static uint8_t zeros[1 << 20];
	uint64_t size = (5ull << 30) + 1;
	int image_fd = memfd_create("image", MFD_CLOEXEC), map_fd = memfd_create("map", 0);

	tar_make_header(&tar, (struct tar_make_entry){ "huge", .size = size });
	ck_assert_int_eq(tarindex_new(&index), 0);
	ck_assert_int_eq(tarindex_write(index, tar.bytes, tar.len), 0);
	for (uint64_t at = 0; at < size + 511; at += sizeof(zeros))
		ck_assert_int_eq(tarindex_write(index, zeros, sizeof(zeros)), 0);
	ck_assert_int_eq(tarindex_finish(index, VALIDATOR, image_fd, map_fd, &result), 0);
	tarindex_free(index);
	image = slurp(image_fd);
	map_file = slurp(map_fd);
	ck_assert_uint_eq(find("huge")->file.size, size);
	ck_assert_uint_eq(result.device_size, (size + 4095) / 4096 * 4096);
}
END_TEST

START_TEST(an_archive_may_end_without_its_zeros)
{
	ADD("f", .size = 1);
	ck_assert_int_eq(index_in_steps(512), 0);
}
END_TEST

START_TEST(what_follows_the_end_is_not_looked_at)
{
	ADD("f", .size = 1);
	tar_make_end(&tar);
	tar_make_raw(&tar, NULL, 5000);
	ck_assert_int_eq(index_in_steps(700), 0);
	ck_assert_uint_eq(result.archive_size, tar.len);
}
END_TEST

/* ---- much ------------------------------------------------------------------------------- */

/* Entries that are all one name, and a chain of hard links: the tree does not grow with them. */
START_TEST(many_links_to_one)
{
	char name[32];

	ADD("0", .size = 1);
	for (int i = 1; i < 20000; i++) {
		char link[32];

		snprintf(name, sizeof(name), "%d", i);
		snprintf(link, sizeof(link), "%d", i - 1);
		ADD(name, .type = '1', .link = link);
	}
	index_whole();
	ck_assert_uint_eq(find("0")->file.nlink, 20000);
	ck_assert_uint_eq(find("19999")->file.nid, find("0")->file.nid);
	ck_assert_uint_eq(result.n_inodes, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tarindex");
	TCase *good = tcase_create("good");

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_set_timeout(good, 100);
	tcase_add_test(good, a_file);
	tcase_add_test(good, nothing_at_all);
	tcase_add_test(good, any_steps_make_the_same);
	tcase_add_test(good, names_from_everywhere_end_below_the_root);
	tcase_add_test(good, a_prefix_is_in_front_of_the_name);
	tcase_add_test(good, numbers_of_base_256);
	tcase_add_test(good, extended_headers);
	tcase_add_test(good, hard_links_are_one_file);
	tcase_add_test(good, devices_and_links);
	tcase_add_test(good, the_last_entry_of_a_name_counts);
	tcase_add_test(good, whiteouts);
	tcase_add_test(good, extended_attributes);
	tcase_add_test(good, large_directories);
	tcase_add_test(good, files_of_many_chunks);
	tcase_add_test(good, an_archive_may_end_without_its_zeros);
	tcase_add_test(good, what_follows_the_end_is_not_looked_at);
	tcase_add_test(good, many_links_to_one);
	suite_add_tcase(s, good);
	return run_suite(s);
}
