/* SPDX-License-Identifier: MIT */
/*
 * Reads single 4 KiB blocks of one file, each once, 128 KiB apart, in a scrambled order, and prints
 * the mean and the median time of one in microseconds:
 *
 *	random-read FILE COUNT
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK  4096
#define STRIDE (128 * 1024)

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

static void scramble(uint64_t *slots, uint64_t n)
{
	uint64_t seed = 88172645463325252u;

	for (uint64_t i = 0; i < n; i++)
		slots[i] = i;
	for (uint64_t i = n - 1; i > 0; i--) {
		uint64_t j, keep = slots[i];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		j = seed % (i + 1);
		slots[i] = slots[j];
		slots[j] = keep;
	}
}

int main(int argc, char **argv)
{
	static char block[BLOCK];
	uint64_t n, slots_n, sum = 0, *slots, *times;
	struct stat st;
	int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "usage: random-read FILE COUNT\n");
		return 2;
	}
	slots_n = (uint64_t)st.st_size / STRIDE;
	n = strtoull(argv[2], NULL, 10);
	slots = calloc(slots_n, sizeof(*slots));
	times = calloc(n, sizeof(*times));
	if (!slots || !times || n == 0 || n > slots_n) {
		fprintf(stderr, "random-read: at most %llu reads in this file\n",
			(unsigned long long)slots_n);
		return 2;
	}
	scramble(slots, slots_n);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t start = now();

		if (pread(fd, block, BLOCK, (off_t)(slots[i] * STRIDE)) != BLOCK) {
			perror("pread");
			return 1;
		}
		times[i] = now() - start;
		sum += times[i];
	}
	qsort(times, n, sizeof(*times), compare);
	printf("%.1f %.1f\n", (double)sum / (double)n / 1000, (double)times[n / 2] / 1000);
	return 0;
}
