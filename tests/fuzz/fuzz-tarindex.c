/* SPDX-License-Identifier: MIT */
/*
 * An archive, given in pieces whose length the first byte says. What is accepted makes an image
 * that a reader of other make accepts, too, and a map that is none but its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/tarindex/tarindex.h"
#include "proto/tarmap.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/erofs-list.h"

struct judge {
	const struct tarmap *map;
	uint64_t names;
};

static void judge_file(void *arg, const struct erofs_file *file)
{
	struct judge *judge = arg;

	judge->names++;
	FUZZ_CHECK(file->mtime_nsec < 1000000000);
	if (S_ISREG(file->mode) && file->size > 0) {
		uint64_t at = file->block * TARMAP_BLOCK, i = tarmap_find(judge->map, at);

		FUZZ_CHECK(i < judge->map->n);
		FUZZ_CHECK(tarmap_extent(judge->map, i).at == at);
		FUZZ_CHECK(tarmap_extent(judge->map, i).len == file->size);
	}
}

static struct bytes slurp(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *p = malloc((size_t)size + 1);

	FUZZ_CHECK(p && pread(fd, p, (size_t)size, 0) == size);
	return bytes_of(p, (size_t)size);
}

static void judge(int image_fd, int map_fd, const struct tarindex_result *result, size_t n)
{
	struct bytes image = slurp(image_fd), file = slurp(map_fd);
	struct tarmap map;
	struct judge j = { &map, 0 };
	const char *wrong;

	FUZZ_CHECK(tarmap_parse(&map, file) == TARMAP_OK);
	FUZZ_CHECK(map.inner_size == n && map.size == result->device_size);
	wrong = erofs_list(image, judge_file, &j);
	if (wrong)
		fprintf(stderr, "%s\n", wrong);
	FUZZ_CHECK(!wrong);
	FUZZ_CHECK(j.names >= result->n_inodes);
	free((void *)image.data);
	free((void *)file.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t step = n > 0 ? 1 + (size_t)data[0] * 4 : 1;
	struct tarindex_result result;
	struct tarindex *index;
	int r = 0;

	if (n == 0)
		return 0;
	data++;
	n--;
	FUZZ_CHECK(tarindex_new(&index) == 0);
	for (size_t at = 0; at < n && r == 0; at += step)
		r = tarindex_write(index, data + at, n - at < step ? n - at : step);
	if (r == 0) {
		int image_fd = memfd_create("image", MFD_CLOEXEC);
		int map_fd = memfd_create("map", MFD_CLOEXEC);

		r = tarindex_finish(index, "v", image_fd, map_fd, &result);
		if (r == 0)
			judge(image_fd, map_fd, &result, n);
		close(image_fd);
		close(map_fd);
	}
	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -EFBIG || r == -E2BIG);
	FUZZ_CHECK((r == 0) == (tarindex_error(index)[0] == '\0'));
	for (const char *c = tarindex_error(index); *c; c++)
		FUZZ_CHECK(*c >= ' ' && *c < 0x7f);
	tarindex_free(index);
	return 0;
}

#ifdef FUZZ_MUTATOR
/* Most changes break a checksum: mend all that look like ones. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned int seed)
{
	n = LLVMFuzzerMutate(data, n, max);
	for (size_t at = 1; at + 512 <= n; at += 512) {
		unsigned int sum = 8 * ' ';

		if (memcmp(data + at + 257, "ustar", 5) != 0)
			continue;
		for (size_t i = 0; i < 512; i++)
			sum += i >= 148 && i < 156 ? 0 : data[at + i];
		snprintf((char *)data + at + 148, 8, "%06o", sum);
	}
	return n;
}
#endif
