/* SPDX-License-Identifier: MIT */
/*
 * Reads single blocks of one file, each once, 128 KiB apart, in a scrambled order, and prints the
 * mean and the median time of one, and the time of all divided by their number, in microseconds:
 *
 *	random-read [-a OFFSET] [-p PID] FILE COUNT [BYTES [READERS [TRUTH]]]	(4096 1)
 *
 * READERS share the blocks. Afterwards each block is compared with the file TRUTH. The blocks lie
 * anywhere, or, with -a, one behind the other from OFFSET on. With -p, process PID is stopped until
 * all readers have begun and a line has come on standard input; time begins when it goes on.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STRIDE	    (128 * 1024)
#define READERS_MAX 8192
#define STACK	    65536

static int fd;
static char *blocks;
static uint64_t n, block = 4096, readers = 1, *slots, *times;
static uint64_t first;	 /* of the slots: bytes */
static uint64_t resumed; /* ns; 0: nobody was stopped */

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
	ssize_t got = pread(from, to, block, (off_t)(first + slots[i] * STRIDE));

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
		times[i] = now() - (resumed > start ? resumed : start);
	}
	return NULL;
}

/* The last one is ourselves, unless somebody has to let the others go on. */
static void read_all(pid_t pid)
{
	static pthread_t threads[READERS_MAX];
	uint64_t others = pid ? readers : readers - 1;
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	if (pid)
		kill(pid, SIGSTOP);
	for (uintptr_t i = 0; i < others; i++)
		if (pthread_create(&threads[i], &small, reader, (void *)i) != 0) {
			perror("pthread_create");
			exit(1);
		}
	if (pid) {
		getchar();
		resumed = now();
		kill(pid, SIGCONT);
	} else {
		reader((void *)(uintptr_t)others);
	}
	for (uint64_t i = 0; i < others; i++)
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
				(unsigned long long)(first + slots[i] * STRIDE));
			exit(1);
		}
	}
}

static void print_times(uint64_t took)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += times[i];
	qsort(times, n, sizeof(*times), compare);
	printf("%.1f %.1f %.1f\n", (double)sum / (double)n / 1000, (double)times[n / 2] / 1000,
	       (double)took / (double)n / 1000);
}

static int usage(void)
{
	fprintf(stderr, "usage: random-read [-a OFFSET] [-p PID] FILE COUNT"
			" [BYTES [READERS [TRUTH]]]\n");
	return 2;
}

/* The slots of a file of so many bytes. */
static bool make_slots(uint64_t size, bool anywhere)
{
	uint64_t of = anywhere ? size / STRIDE : n;

	slots = calloc(of, sizeof(*slots));
	times = calloc(n, sizeof(*times));
	blocks = malloc(n * block);
	if (!slots || !times || !blocks || n == 0 || n > of || block > STRIDE || readers == 0 ||
	    readers > READERS_MAX) {
		fprintf(stderr, "random-read: at most %llu reads in this file\n",
			(unsigned long long)of);
		return false;
	}
	/* No page of it is touched first while it counts. */
	memset(blocks, 0xff, n * block);
	scramble(of);
	return true;
}

static int run(int argc, char **argv, bool anywhere, pid_t pid)
{
	uint64_t start, took;
	struct stat st;

	fd = argc >= 2 && argc <= 5 ? open(argv[0], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return usage();
	n = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		block = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		readers = strtoull(argv[3], NULL, 10);
	if (!make_slots((uint64_t)st.st_size, anywhere))
		return 2;
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	start = now();
	read_all(pid);
	took = now() - (resumed ? resumed : start);
	if (argc > 4)
		check(argv[4]);
	print_times(took);
	return 0;
}

int main(int argc, char **argv)
{
	bool anywhere = true;
	pid_t pid = 0;
	int opt;

	while ((opt = getopt(argc, argv, "a:p:")) != -1) {
		if (opt == 'p') {
			pid = atoi(optarg);
		} else if (opt == 'a') {
			first = strtoull(optarg, NULL, 10);
			anywhere = false;
		} else {
			return usage();
		}
	}
	return run(argc - optind, argv + optind, anywhere, pid);
}
