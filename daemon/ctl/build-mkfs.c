/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build-mkfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/program.h"
#include "daemon/ctl/progress.h"
#include "daemon/ctl/tree.h"
#include "daemon/engine/erofs.h"
#include "daemon/util/cleanup.h"

#define BLOCK_BITS_AT (1024 + 12) /* blkszbits, struct erofs_super_block */
#define ENTRY_BYTES   96	  /* of an inode with its name, on average */

bool build_chunk_size_good(uint64_t size)
{
	return size >= 1u << 20 && size <= 1u << 30 && (size & (size - 1)) == 0;
}

bool build_compressor_good(const char *text)
{
	size_t n = strcspn(text, ",");

	if (!(n == 3 && strncmp(text, "lz4", n) == 0) &&
	    !(n == 5 && strncmp(text, "lz4hc", n) == 0))
		return false;
	return !text[n] || (text[n + 1] && strlen(text + n + 1) <= 2 &&
			    strspn(text + n + 1, "0123456789") == strlen(text + n + 1));
}

bool build_uuid_good(const char *text)
{
	if (strlen(text) != strlen(BUILD_UUID_NONE))
		return false;
	for (size_t i = 0; text[i]; i++)
		if (BUILD_UUID_NONE[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	return true;
}

/* ---- the program ------------------------------------------------------------------------ */

struct running {
	const char *out;
	struct progress progress;
};

static void tick(void *arg)
{
	struct running *running = arg;
	struct stat st;

	if (stat(running->out, &st) == 0)
		progress_update(&running->progress, (uint64_t)st.st_size);
}

static int run(const struct build_mkfs *m, const char *dir, const char *out, const char *what,
	       const struct tree_sum *sum)
{
	char epoch[48], chunk[48], compressor[32];
	const char *argv[10] = { "mkfs.erofs", "--quiet", "-U", m->uuid };
	const char *const env[] = { epoch, NULL };
	struct running running = { .out = out };
	struct program program = { .argv = argv, .env = env, .tick = tick, .arg = &running };
	size_t n = 4;
	int r;

	/*
	 * It keeps the time of everything that is older, where -T would give all files that one. A
	 * second later than all, because what is as old as that loses the parts of its second.
	 */
	snprintf(epoch, sizeof(epoch), "SOURCE_DATE_EPOCH=%" PRIi64,
		 (int64_t)(m->timed ? m->timestamp : sum->newest + 1));
	if (m->chunk_size > 0) {
		snprintf(chunk, sizeof(chunk), "--chunksize=%" PRIu64, m->chunk_size);
		argv[n++] = chunk;
	}
	if (m->compressor) {
		snprintf(compressor, sizeof(compressor), "-z%s", m->compressor);
		argv[n++] = compressor;
	}
	argv[n++] = out;
	argv[n] = dir;
	progress_begin(&running.progress, what, sum->bytes + sum->entries * ENTRY_BYTES, m->json);
	r = program_execute(&program);
	progress_end(&running.progress);
	if (r == 0)
		return CTL_OK;
	if (r == -EINTR)
		return CTL_FAILED;
	if (r == -ENOENT)
		return ctl_error("mkfs.erofs is not there: it comes with erofs-utils");
	if (r < 0)
		return ctl_error("mkfs.erofs: %s", strerror(-r));
	return ctl_error("%s: mkfs.erofs fails with status %d%s%s", what, r,
			 program.words[0] ? ": " : "", program.words);
}

/* ---- what it has made ------------------------------------------------------------------- */

/* The kernel takes only blocks of a page over fscache. */
static int check(const struct build_mkfs *m, const char *out, const char *what)
{
	_cleanup_close_ int fd = open(out, O_RDONLY | O_CLOEXEC);
	uint8_t head[EROFS_HEAD];
	enum erofs_kind kind;
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

	if (n < 0)
		return ctl_error("%s: %s: %s", what, out, strerror(errno));
	kind = erofs_look(head, (size_t)n);
	if (kind == EROFS_NONE)
		return ctl_error("%s: mkfs.erofs has made something else than an EROFS image",
				 what);
	if (head[BLOCK_BITS_AT] != 12)
		return ctl_error(
			"%s: mkfs.erofs has made blocks of %llu bytes, and 4096 are needed", what,
			1ull << (head[BLOCK_BITS_AT] & 63));
	if (kind == EROFS_COMPRESSED && !m->compressor)
		return ctl_error("%s: mkfs.erofs has made a compressed image", what);
	return CTL_OK;
}

/* A few bytes of an archive can be a file of any size: that is known before a disk is full of it.
 */
static int check_room(const struct build_mkfs *m, const struct tree_sum *sum, const char *out,
		      const char *what)
{
	char need[24], have[24];
	struct statvfs fs;
	uint64_t room;

	if (m->chunk_size || m->compressor || statvfs(out, &fs) < 0)
		return CTL_OK;
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (sum->bytes <= room)
		return CTL_OK;
	return ctl_error("%s: %s are needed for the image, and there are %s", what,
			 ctl_bytes(sum->bytes, need, sizeof(need)),
			 ctl_bytes(room, have, sizeof(have)));
}

int build_mkfs(const struct build_mkfs *m, const char *dir, const char *out, const char *what)
{
	struct tree_sum sum;
	int r = tree_sum(dir, &sum), status;

	if (r < 0)
		return ctl_error("%s: %s", dir, strerror(-r));
	status = check_room(m, &sum, out, what);
	if (status == CTL_OK)
		status = run(m, dir, out, what, &sum);
	return status == CTL_OK ? check(m, out, what) : status;
}
