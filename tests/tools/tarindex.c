/* SPDX-License-Identifier: MIT */
/*
 * Indexes a tar archive, for tests:
 *
 *	tarindex ARCHIVE VALIDATOR IMAGE MAP	writes both files, prints sizes, names, and the time
 *	tarindex --device ARCHIVE MAP DEVICE	writes what the virtual device holds
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
	if (argc == 5)
		return make_index(argv + 1);
	fprintf(stderr, "usage: tarindex ARCHIVE VALIDATOR IMAGE MAP\n"
			"       tarindex --device ARCHIVE MAP DEVICE\n");
	return 2;
}
