/* SPDX-License-Identifier: MIT */
/*
 * Reads single blocks of one file, each once, 128 KiB apart, in a scrambled order, and prints the
 * mean and the median time of one in microseconds:
 *
 *	random-read FILE COUNT [BYTES [READERS [TRUTH]]]	(4096 1)
 *
 * READERS share the blocks. Afterwards each block is compared with the file TRUTH.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STRIDE	    (128 * 1024)
#define READERS_MAX 64

static int fd;
static char *blocks;
static uint64_t n, block = 4096, readers = 1, *slots, *times;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void scramble(uint64_t of)
{
	uint64_t seed = 88172645463325252u;

	for (uint64_t i = 0; i < of; i++)
		slots[i] = i;
	for (uint64_t i = of - 1; i > 0; i--) {
		uint64_t j, keep = slots[i];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		j = seed % (i + 1);
		slots[i] = slots[j];
		slots[j] = keep;
	}
}

static void get(int from, uint64_t i, char *to)
{
	ssize_t got = pread(from, to, block, (off_t)(slots[i] * STRIDE));

	if (got == (ssize_t)block)
		return;
	if (got < 0)
		perror("pread");
	else
		fprintf(stderr, "random-read: %zd bytes of %llu\n", got, (unsigned long long)block);
	exit(1);
}

static void *reader(void *arg)
{
	for (uint64_t i = (uintptr_t)arg; i < n; i += readers) {
		uint64_t start = now();

		get(fd, i, blocks + i * block);
		times[i] = now() - start;
	}
	return NULL;
}

static void read_all(void)
{
	pthread_t threads[READERS_MAX];

	for (uintptr_t i = 1; i < readers; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)i) != 0)
			exit(1);
	reader(NULL);
	for (uint64_t i = 1; i < readers; i++)
		pthread_join(threads[i], NULL);
}

static void check(const char *truth)
{
	int from = open(truth, O_RDONLY | O_CLOEXEC);
	char *right = malloc(block);

	for (uint64_t i = 0; i < n; i++) {
		get(from, i, right);
		if (memcmp(right, blocks + i * block, block) != 0) {
			fprintf(stderr, "random-read: wrong bytes at %llu\n",
				(unsigned long long)(slots[i] * STRIDE));
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t of, sum = 0;
	struct stat st;

	fd = argc >= 3 && argc <= 6 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "usage: random-read FILE COUNT [BYTES [READERS [TRUTH]]]\n");
		return 2;
	}
	of = (uint64_t)st.st_size / STRIDE;
	n = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		block = strtoull(argv[3], NULL, 10);
	if (argc > 4)
		readers = strtoull(argv[4], NULL, 10);
	slots = calloc(of, sizeof(*slots));
	times = calloc(n, sizeof(*times));
	blocks = malloc(n * block);
	if (!slots || !times || !blocks || n == 0 || n > of || block > STRIDE || readers == 0 ||
	    readers > READERS_MAX) {
		fprintf(stderr, "random-read: at most %llu reads in this file\n",
			(unsigned long long)of);
		return 2;
	}
	memset(blocks, 0xff,
	       n * block); /* so that no page of it is touched first while it counts */
	scramble(of);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	read_all();
	if (argc > 5)
		check(argv[5]);
	for (uint64_t i = 0; i < n; i++)
		sum += times[i];
	qsort(times, n, sizeof(*times), compare);
	printf("%.1f %.1f\n", (double)sum / (double)n / 1000, (double)times[n / 2] / 1000);
	return 0;
}
