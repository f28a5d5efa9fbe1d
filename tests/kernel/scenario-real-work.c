/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "daemon/util/cleanup.h"
#include "tests/kernel/scenario-real.h"
#include "tests/lib/superblock.h"

/* ---- mount ------------------------------------------------------------------------------- */

/* fsconfig(2) and not mount(2), whose options cannot have commas in them. */
static int configure(int fs, char **argv)
{
	for (; *argv; argv++) {
		char *equals = strchr(*argv, '=');

		*equals = '\0';
		if (fsconfig(fs, FSCONFIG_SET_STRING, *argv, equals + 1, 0) < 0)
			return -errno;
	}
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

/* DIR KEY=VALUE... */
int real_work_mount(int argc, char **argv)
{
	_cleanup_close_ int fs = fsopen("erofs", FSOPEN_CLOEXEC);
	_cleanup_close_ int mount = -1;
	int r = fs < 0 ? -errno : configure(fs, argv + 1);

	if (r < 0)
		return -r;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0 || move_mount(mount, "", AT_FDCWD, argv[0], MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return errno;
	return 0;
}

/* ---- read -------------------------------------------------------------------------------- */

#define CALL_MAX (1u << 20)

/* One piece after the other, until one is not as the first should be; or each in a thread. */
struct work {
	int fd;
	uint64_t key, size;
	bool compressed, pages, fails;
	uint64_t off, len, by, every;
	size_t n_pieces;
};

struct piece {
	const struct work *work;
	uint32_t number;
};

static bool right(const struct work *w, const uint8_t *buf, size_t n, uint64_t off)
{
	size_t start = 0;

	for (; w->compressed && start < n && off + start < SUPERBLOCK_LEN; start++)
		if (buf[start] != superblock_byte(off + start))
			return false;
	return pattern_check(buf + start, n - start, w->key, off + start) == n - start;
}

static int32_t read_range(const struct work *w, uint64_t off, uint64_t end)
{
	_cleanup_free_ char *buf = malloc(CALL_MAX);

	if (!buf)
		return -ENOMEM;
	while (off < end) {
		size_t want = w->pages ? REAL_BLOCK - off % REAL_BLOCK : CALL_MAX;
		ssize_t n = pread(w->fd, buf, want < end - off ? want : (size_t)(end - off),
				  (off_t)off);

		if (n < 0)
			return -errno;
		if (n == 0 || !right(w, (uint8_t *)buf, (size_t)n, off)) {
			fprintf(stderr, "wrong bytes in %ju+%zd\n", (uintmax_t)off, n);
			return REAL_WRONG;
		}
		off += (uint64_t)n;
	}
	return 0;
}

static int32_t read_piece(const struct work *w, uint32_t number)
{
	uint64_t off = w->off + number * w->every, end = off + w->by;
	struct real_piece piece = { .number = number };

	if (end > w->off + w->len)
		end = w->off + w->len;
	piece.error = read_range(w, off, end < w->size ? end : w->size);
	if (write(STDOUT_FILENO, &piece, sizeof(piece)) != sizeof(piece))
		exit(EXIT_FAILURE);
	return piece.error;
}

static void *piece_main(void *arg)
{
	const struct piece *piece = arg;

	read_piece(piece->work, piece->number);
	return NULL;
}

static int read_all_at_once(const struct work *w)
{
	pthread_t *threads = calloc(w->n_pieces, sizeof(*threads));
	struct piece *pieces = calloc(w->n_pieces, sizeof(*pieces));
	pthread_attr_t attr;

	if (!threads || !pieces)
		return EXIT_FAILURE;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	for (size_t i = 0; i < w->n_pieces; i++) {
		pieces[i] = (struct piece){ w, (uint32_t)i };
		if (pthread_create(&threads[i], &attr, piece_main, &pieces[i]) != 0)
			return EXIT_FAILURE;
	}
	for (size_t i = 0; i < w->n_pieces; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	free(pieces);
	return EXIT_SUCCESS;
}

static int read_in_order(const struct work *w)
{
	for (uint32_t i = 0; i < w->n_pieces; i++)
		if ((read_piece(w, i) != 0) != w->fails)
			break;
	return EXIT_SUCCESS;
}

/* PATH KEY FLAGS OFF LEN BY EVERY PIECES; FLAGS: c compressed, p page by page, a all at once, f
 * expected to fail. */
int real_work_read(int argc, char **argv)
{
	const char *flags = argv[2];
	struct work w = {
		.fd = open(argv[0], O_RDONLY | O_CLOEXEC),
		.key = strtoull(argv[1], NULL, 10),
		.compressed = strchr(flags, 'c'),
		.pages = strchr(flags, 'p'),
		.fails = strchr(flags, 'f'),
		.off = strtoull(argv[3], NULL, 10),
		.len = strtoull(argv[4], NULL, 10),
		.by = strtoull(argv[5], NULL, 10),
		.every = strtoull(argv[6], NULL, 10),
		.n_pieces = (size_t)strtoull(argv[7], NULL, 10),
	};
	struct stat st;

	if (w.fd < 0 || fstat(w.fd, &st) < 0) {
		perror(argv[0]);
		return EXIT_FAILURE;
	}
	w.size = (uint64_t)st.st_size;
	/* The kernel then asks for what is read and no more. */
	posix_fadvise(w.fd, 0, 0, POSIX_FADV_RANDOM);
	return strchr(flags, 'a') ? read_all_at_once(&w) : read_in_order(&w);
}
