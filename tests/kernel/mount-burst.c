/* SPDX-License-Identifier: MIT */
/*
 * Mounts and umounts as fast as it can:
 *
 *	mount-burst ROUNDS OPTIONS DIR SOURCES FSID...
 *
 * For each image a process mounts it at DIR/FSID, with these further options, and unmounts it again,
 * ROUNDS times. Each time a file is read, another one in each round, and compared with that below
 * SOURCES/N, where N is what follows the last "-" of FSID. Ends with 0 when nothing went wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES_MAX 1000
#define PIECE	  65536

static const char *fsid;
static char source[2048], mounted[2048], options[256];
static char *files[FILES_MAX];
static size_t n_files;

static void fail(int round, const char *what)
{
	fprintf(stderr, "mount-burst: %s, round %d: %s\n", fsid, round, what);
	_exit(1);
}

static int add_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	if (kind == FTW_F && n_files < FILES_MAX)
		files[n_files++] = strdup(path + strlen(source));
	return 0;
}

static ssize_t read_file(const char *top, const char *file, char *buf)
{
	char path[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s%s", top, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, PIECE);
	close(fd);
	return n;
}

static void run_round(int round)
{
	static char is[PIECE], wanted[PIECE];
	const char *file = files[(size_t)round % n_files];
	ssize_t n, m;

	if (mount("none", mounted, "erofs", MS_RDONLY, options) < 0)
		fail(round, strerror(errno));
	m = read_file(source, file, wanted);
	n = read_file(mounted, file, is);
	if (n < 0)
		fail(round, strerror(errno));
	if (n != m || memcmp(is, wanted, (size_t)n) != 0)
		fail(round, "other bytes than in the source");
	if (umount(mounted) < 0)
		fail(round, strerror(errno));
}

static void run(int rounds, char **argv)
{
	const char *number = strrchr(fsid, '-');

	snprintf(options, sizeof(options), "fsid=%s%s%s", fsid, *argv[2] ? "," : "", argv[2]);
	snprintf(mounted, sizeof(mounted), "%s/%s", argv[3], fsid);
	snprintf(source, sizeof(source), "%s/%s", argv[4], number ? number + 1 : fsid);
	if ((mkdir(mounted, 0755) < 0 && errno != EEXIST) ||
	    nftw(source, add_file, 8, FTW_PHYS) < 0 || n_files == 0)
		fail(0, "no files");
	for (int round = 0; round < rounds; round++)
		run_round(round);
	_exit(0);
}

int main(int argc, char **argv)
{
	int rounds = argc > 5 ? atoi(argv[1]) : 0, status, failed = 0;

	if (rounds <= 0) {
		fprintf(stderr, "usage: mount-burst ROUNDS OPTIONS DIR SOURCES FSID...\n");
		return 2;
	}
	for (int i = 5; i < argc; i++) {
		fsid = argv[i];
		if (fork() == 0)
			run(rounds, argv);
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
