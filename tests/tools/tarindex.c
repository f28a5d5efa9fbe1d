/* SPDX-License-Identifier: MIT */
/*
 * Indexes a tar archive, for tests:
 *
 *	tarindex ARCHIVE VALIDATOR IMAGE MAP	writes both files, prints sizes, names, and the time
 *	tarindex --device ARCHIVE MAP DEVICE	writes what the virtual device holds
 *	tarindex --list ARCHIVE MAP IMAGE	prints all names with what they are, as JSON
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/tarindex/tarindex.h"
#include "proto/tarmap.h"
#include "tests/lib/erofs-list.h"

#define PIECE ((size_t)1 << 20)

static int die(const char *what, const char *why)
{
	fprintf(stderr, "tarindex: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd >= 0 ? fd : die(path, strerror(errno));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct bytes map_file(const char *path)
{
	int fd = open_or_die(path, O_RDONLY);
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		die(path, strerror(errno));
	p = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (p == MAP_FAILED)
		die(path, strerror(errno));
	close(fd);
	return bytes_of(p, (size_t)st.st_size);
}

static int make_device(char **argv)
{
	struct bytes archive = map_file(argv[0]);
	struct tarmap map;
	int fd = open_or_die(argv[2], O_WRONLY | O_CREAT | O_TRUNC);

	if (tarmap_parse(&map, map_file(argv[1])) != TARMAP_OK)
		die(argv[1], "no map");
	if (ftruncate(fd, (off_t)map.size) < 0)
		die(argv[2], strerror(errno));
	for (uint64_t i = 0; i < map.n; i++) {
		struct tarmap_extent e = tarmap_extent(&map, i);

		if (e.from + e.len > archive.len ||
		    pwrite(fd, archive.data + e.from, e.len, (off_t)e.at) != (ssize_t)e.len)
			die(argv[2], "cannot be written");
	}
	close(fd);
	return EXIT_SUCCESS;
}

struct listing {
	struct bytes archive;
	struct tarmap map;
};

static void print_text(const char *key, const char *text)
{
	printf("\"%s\":\"", key);
	for (; *text; text++)
		printf("%02x", (uint8_t)*text);
	printf("\",");
}

/* Also through the map, piece by piece. */
static void print_content(const struct listing *l, const struct erofs_file *file)
{
	uint64_t at = file->block * TARMAP_BLOCK, end = at + file->size;
	char hex[SHA256_HEX];
	struct sha256 *sha;

	if (sha256_new(&sha) < 0)
		die("sha256", "no memory");
	for (uint64_t i = tarmap_find(&l->map, at); at < end && i < l->map.n; i++) {
		struct tarmap_extent e = tarmap_extent(&l->map, i);
		uint64_t n = e.at + e.len < end ? e.at + e.len - at : end - at;

		if (e.at > at)
			die(file->path, "a hole in a file");
		sha256_update(sha, l->archive.data + e.from + (at - e.at), n);
		at += n;
	}
	sha256_hex(sha, hex);
	sha256_free(sha);
	printf("\"sha256\":\"%s\",", at < end ? "short" : hex);
}

static void print_xattrs(struct bytes xattrs)
{
	const uint8_t *p = xattrs.data, *end = p + xattrs.len;

	printf("\"xattrs\":[");
	while (p < end) {
		size_t name = p[0], value = p[2] | (size_t)p[3] << 8;

		printf("%s[%u,\"", p == xattrs.data ? "" : ",", p[1]);
		for (size_t i = 0; i < name + value; i++)
			printf("%s%02x", i == name ? "\",\"" : "", p[4 + i]);
		printf("%s\"]", value == 0 ? "\",\"" : "");
		p += (4 + name + value + 3) / 4 * 4;
	}
	printf("]");
}

static void print_file(void *arg, const struct erofs_file *file)
{
	printf("{");
	print_text("path", file->path);
	if (S_ISLNK(file->mode))
		print_text("target", file->target);
	if (S_ISREG(file->mode))
		print_content(arg, file);
	printf("\"mode\":%u,\"uid\":%u,\"gid\":%u,\"nlink\":%u,\"rdev\":%u,\"size\":%llu,"
	       "\"nid\":%llu,\"mtime\":%lld,\"nsec\":%u,",
	       file->mode, file->uid, file->gid, file->nlink, file->rdev,
	       (unsigned long long)file->size, (unsigned long long)file->nid,
	       (long long)file->mtime, file->mtime_nsec);
	print_xattrs(file->xattrs);
	printf("}\n");
}

static int list(char **argv)
{
	struct listing l = { .archive = map_file(argv[0]) };
	const char *wrong;

	if (tarmap_parse(&l.map, map_file(argv[1])) != TARMAP_OK)
		die(argv[1], "no map");
	wrong = erofs_list(map_file(argv[2]), print_file, &l);
	if (wrong)
		die(argv[2], wrong);
	return EXIT_SUCCESS;
}

static int make_index(char **argv)
{
	int fd = strcmp(argv[0], "-") == 0 ? 0 : open_or_die(argv[0], O_RDONLY);
	int image = open_or_die(argv[2], O_WRONLY | O_CREAT | O_TRUNC);
	int map = open_or_die(argv[3], O_WRONLY | O_CREAT | O_TRUNC);
	struct tarindex_result result;
	struct tarindex *index;
	char *buf = malloc(PIECE);
	double begin = now();
	ssize_t n;

	if (!buf || tarindex_new(&index) < 0)
		die(argv[0], "no memory");
	while ((n = read(fd, buf, PIECE)) > 0)
		if (tarindex_write(index, buf, (size_t)n) < 0)
			die(argv[0], tarindex_error(index));
	if (tarindex_finish(index, argv[1], image, map, &result) < 0)
		die(argv[0], tarindex_error(index));
	printf("archive %llu\nimage %llu %s\nmap %llu %s\ndevice %llu\ninodes %llu\n"
	       "left-out %llu\nseconds %.3f\n",
	       (unsigned long long)result.archive_size, (unsigned long long)result.image_size,
	       result.image_sha256, (unsigned long long)result.map_size, result.map_sha256,
	       (unsigned long long)result.device_size, (unsigned long long)result.n_inodes,
	       (unsigned long long)result.n_xattrs_left_out, now() - begin);
	tarindex_free(index);
	free(buf);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "--device") == 0)
		return make_device(argv + 2);
	if (argc == 5 && strcmp(argv[1], "--list") == 0)
		return list(argv + 2);
	if (argc == 5)
		return make_index(argv + 1);
	fprintf(stderr, "usage: tarindex ARCHIVE VALIDATOR IMAGE MAP\n"
			"       tarindex --device ARCHIVE MAP DEVICE\n"
			"       tarindex --list ARCHIVE MAP IMAGE\n");
	return 2;
}
