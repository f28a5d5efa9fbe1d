/* SPDX-License-Identifier: MIT */
#include "tests/unit/tarindex-fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct tar_make tar;
struct tarindex_result result;
struct tarmap map;
struct bytes image, map_file;
char index_error[TARINDEX_ERROR_MAX];

void setup(void)
{
	memset(&tar, 0, sizeof(tar));
}

void teardown(void)
{
	tar_make_free(&tar);
	free((void *)image.data);
	free((void *)map_file.data);
	image = map_file = bytes_of(NULL, 0);
}

struct bytes slurp(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *p = malloc((size_t)size + 1);

	ck_assert_int_eq(pread(fd, p, (size_t)size, 0), size);
	close(fd);
	return bytes_of(p, (size_t)size);
}

int index_in_steps(size_t step)
{
	int image_fd = memfd_create("image", MFD_CLOEXEC), map_fd = memfd_create("map", 0);
	struct tarindex *index;
	int r = 0;

	free((void *)image.data);
	free((void *)map_file.data);
	ck_assert_int_eq(tarindex_new(&index), 0);
	for (size_t at = 0; at < tar.len && r == 0; at += step)
		r = tarindex_write(index, tar.bytes + at,
				   tar.len - at < step ? tar.len - at : step);
	if (r == 0)
		r = tarindex_finish(index, VALIDATOR, image_fd, map_fd, &result);
	snprintf(index_error, sizeof(index_error), "%s", tarindex_error(index));
	tarindex_free(index);
	image = slurp(image_fd);
	map_file = slurp(map_fd);
	if (r == 0)
		ck_assert_int_eq(tarmap_parse(&map, map_file), TARMAP_OK);
	else
		ck_assert_str_ne(index_error, "");
	return r;
}

void index_whole(void)
{
	int r;

	tar_make_end(&tar);
	r = index_in_steps(tar.len);
	ck_assert_msg(r == 0, "%s", index_error);
}
