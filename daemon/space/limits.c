/* SPDX-License-Identifier: MIT */
#include "daemon/space/limits.h"

#include <errno.h>
#include <sys/statvfs.h>

/* Culling for the size goes on to this much below it: else each write would begin it anew. */
#define SIZE_SLACK(size) ((size) / 16)

/* As cachefiles_add_cache() does: the limit in units first, so that nothing overflows. */
static uint64_t part(uint64_t all, uint8_t percent)
{
	return all / 100 * percent + all % 100 * percent / 100;
}

static uint64_t missing(uint64_t all, uint64_t free, uint8_t run, uint8_t cull, bool culling)
{
	uint64_t want = part(all, run);

	if (free >= want || (!culling && free >= part(all, cull)))
		return 0;
	return want - free;
}

struct space_need space_need(const struct space_limits *limits, const struct space_disk *disk,
			     uint64_t used, bool culling)
{
	const struct cf_limits *k = &limits->kernel;
	struct space_need need = {
		.bytes = missing(disk->bytes, disk->bytes_free, k->brun, k->bcull, culling),
		.files = missing(disk->files, disk->files_free, k->frun, k->fcull, culling),
	};
	uint64_t low = limits->size - SIZE_SLACK(limits->size);

	if (limits->size > 0 && used > (culling ? low : limits->size))
		need.size = used - low;
	return need;
}

bool space_is_full(const struct space_limits *limits, const struct space_disk *disk)
{
	return disk->bytes_free <= part(disk->bytes, limits->kernel.bstop);
}

int space_disk_read(struct space_disk *ret, int fd)
{
	struct statvfs st;

	if (fstatvfs(fd, &st) < 0)
		return -errno;
	*ret = (struct space_disk){
		.bytes = st.f_blocks * st.f_frsize,
		.bytes_free = st.f_bavail * st.f_frsize,
		.files = st.f_files,
		.files_free = st.f_ffree,
	};
	return 0;
}
