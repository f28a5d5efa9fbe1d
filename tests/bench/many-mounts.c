/* SPDX-License-Identifier: MIT */
/*
 * Many objects and many sleeping readers at once:
 *
 *	many-mounts MOUNTS READERS DIR FILE
 *
 * Mounts the images image-0, image-1, ... (one domain) below DIR and prints "mounted". For each
 *line on standard input it goes a step further: the first makes READERS threads read FILE of as
 *many mounts ("reading" is printed when all have begun), the second waits for them and prints how
 *many got their bytes. At the end of the input it unmounts everything.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir, *file;
static sem_t begun;
static atomic_int served;

static void *reader(void *arg)
{
	char path[512], block[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%ld/%s", dir, (long)(intptr_t)arg, file);
	sem_post(&begun);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, block, sizeof(block)) == sizeof(block))
		served++;
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int mount_one(long i)
{
	char path[512], options[64];

	snprintf(path, sizeof(path), "%s/%ld", dir, i);
	snprintf(options, sizeof(options), "fsid=image-%ld,domain_id=bench", i);
	mkdir(path, 0755);
	if (mount("none", path, "erofs", MS_RDONLY, options) == 0)
		return 0;
	perror(path);
	return -1;
}

static void read_all(pthread_t *threads, long readers)
{
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (long i = 0; i < readers; i++) {
		if (pthread_create(&threads[i], &small, reader, (void *)(intptr_t)i) != 0) {
			perror("pthread_create");
			exit(1);
		}
		sem_wait(&begun);
	}
}

int main(int argc, char **argv)
{
	long mounts = argc == 5 ? atol(argv[1]) : 0, readers = mounts ? atol(argv[2]) : 0;
	pthread_t *threads = calloc((size_t)readers + 1, sizeof(*threads));

	if (mounts <= 0 || !threads || readers > mounts) {
		fprintf(stderr, "usage: many-mounts MOUNTS READERS DIR FILE\n");
		return 2;
	}
	dir = argv[3];
	file = argv[4];
	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&begun, 0, 0);
	for (long i = 0; i < mounts; i++)
		if (mount_one(i) < 0)
			return 1;
	puts("mounted");
	getchar();
	read_all(threads, readers);
	puts("reading");
	getchar();
	for (long i = 0; i < readers; i++)
		pthread_join(threads[i], NULL);
	printf("served %d\n", served);
	for (long i = 0; i < mounts; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%ld", dir, i);
		umount(path);
	}
	return 0;
}
