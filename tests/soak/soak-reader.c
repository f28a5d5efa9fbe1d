/* SPDX-License-Identifier: MIT */
/*
 * Reads at random below a mount, and compares each byte with the tree that the image was made of:
 *
 *	soak-reader SOURCE MOUNT TROUBLE SEED READS
 *
 * Ends after READS pieces. TROUBLE is a file with a number: odd while the origin has a fault that
 * may last longer than a deadline. A read may fail with EIO if there was such a fault at some time
 * while it ran, and must not otherwise. What was read is right, or not read at all.
 *
 * Prints "PIECES BYTES EXCUSED LONGEST BEGUN": how long the longest took, and when it began by the
 * monotonic clock, which recordings have as well; both in milliseconds. Exit status: 0; 1 for a
 * byte or an error that should not have been, which is said; 2 when it could not begin.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

#define PIECE_MAX ((size_t)256 << 10)

struct file {
	char *name; /* below SOURCE and MOUNT */
	uint64_t size;
};

struct soak {
	int source, mount, trouble;
	uint64_t random;
	struct file *files;
	size_t n_files;
	uint64_t pieces, bytes, excused, longest, longest_begun;
	char want[PIECE_MAX], got[PIECE_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t below(struct soak *s, uint64_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random % n;
}

static bool is_file(const struct dirent *entry)
{
	return entry->d_type == DT_REG;
}

static int add_file(struct soak *s, int dir, const char *prefix, const char *name)
{
	struct file *grown = realloc(s->files, (s->n_files + 1) * sizeof(*grown));
	struct stat st;

	if (!grown)
		return -ENOMEM;
	s->files = grown;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (asprintf(&grown[s->n_files].name, "%s%s", prefix, name) < 0)
		return -ENOMEM;
	grown[s->n_files++].size = (uint64_t)st.st_size;
	return 0;
}

/* The files of the source: a mount is asked for nothing but what is compared. */
static int add_files(struct soak *s, int at, const char *prefix)
{
	DIR *dir = fdopendir(at);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (err == 0 && (entry = readdir(dir))) {
		char *below = NULL;
		int fd;

		if (is_file(entry)) {
			err = add_file(s, at, prefix, entry->d_name);
			continue;
		}
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 || asprintf(&below, "%s%s/", prefix, entry->d_name) < 0
			      ? -errno
			      : add_files(s, fd, below);
		free(below);
	}
	closedir(dir);
	return err;
}

static long long trouble_now(const struct soak *s)
{
	char text[32] = "";

	return pread(s->trouble, text, sizeof(text) - 1, 0) < 0 ? 0 : atoll(text);
}

/* As many as there are: a whole piece inside the file, or -errno. */
static ssize_t read_all(int dir, const char *name, void *buf, size_t n, uint64_t off)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < n) {
		ssize_t k = pread(fd, (char *)buf + done, n - done, (off_t)(off + done));

		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		done += (size_t)k;
	}
	return (ssize_t)done;
}

static int judge(const struct soak *s, const struct file *f, uint64_t off, ssize_t n)
{
	ssize_t wanted = read_all(s->source, f->name, (void *)s->want, (size_t)n, off);

	if (wanted != n || memcmp(s->want, s->got, (size_t)n) != 0) {
		printf("WRONG: %s: %zd bytes at %llu are not those of the source\n", f->name, n,
		       (unsigned long long)off);
		return -EBADMSG;
	}
	return 0;
}

static int soak_piece(struct soak *s)
{
	const struct file *f = &s->files[below(s, s->n_files)];
	uint64_t off = f->size ? below(s, f->size) : 0, begun = now_ms(), took;
	size_t len = 1 + (size_t)below(s, below(s, 4) ? 16384 : PIECE_MAX);
	long long before = trouble_now(s), after;
	ssize_t n;

	len = f->size - off < len ? (size_t)(f->size - off) : len;
	n = read_all(s->mount, f->name, s->got, len, off);
	after = trouble_now(s);
	took = now_ms() - begun;
	if (took > s->longest) {
		s->longest = took;
		s->longest_begun = begun;
	}
	s->pieces++;
	if (n < 0 && (before % 2 == 1 || before != after)) {
		s->excused++;
		return 0;
	}
	if (n < 0 || (size_t)n != len) {
		printf("FAILED: %s: %zu bytes at %llu, after %llu ms: %s\n", f->name, len,
		       (unsigned long long)off, (unsigned long long)took,
		       n < 0 ? strerror((int)-n) : "cut off");
		return -EIO;
	}
	s->bytes += len;
	return judge(s, f, off, n);
}

static int soak_begin(struct soak *s, char *argv[])
{
	int fd;

	s->source = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->mount = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->trouble = open(argv[3], O_RDONLY | O_CLOEXEC);
	s->random = strtoull(argv[4], NULL, 10) * 0x9E3779B97F4A7C15u | 1;
	if (s->source < 0 || s->mount < 0 || s->trouble < 0)
		return -errno;
	fd = openat(s->source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : add_files(s, fd, "");
}

int main(int argc, char *argv[])
{
	static struct soak s;
	int err = argc == 6 ? soak_begin(&s, argv) : -EINVAL;

	if (err < 0 || s.n_files == 0) {
		fprintf(stderr, "soak-reader SOURCE MOUNT TROUBLE SEED READS: %s\n",
			strerror(err < 0 ? -err : ENOENT));
		return 2;
	}
	for (uint64_t left = strtoull(argv[5], NULL, 10); left > 0 && err == 0; left--)
		err = soak_piece(&s);
	printf("%llu %llu %llu %llu %llu\n", (unsigned long long)s.pieces,
	       (unsigned long long)s.bytes, (unsigned long long)s.excused,
	       (unsigned long long)s.longest, (unsigned long long)s.longest_begun);
	return err < 0;
}
