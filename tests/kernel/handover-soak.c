/* SPDX-License-Identifier: MIT */
/*
 * Kills a daemon again and again while eight readers read what it serves:
 *
 *	handover-soak KEEPER MOUNTED SOURCE KILLS SPAN SEED
 *
 * KEEPER is the process whose child is killed, each one at a random moment of its first SPAN ms.
 *Every byte that is read below MOUNTED is compared with SOURCE. Ends with 0 when nothing went
 *wrong, and says how long readers waited: from a kill to the end of the last read that was under
 *way then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READERS	  8
#define FILES_MAX 30000
#define KILLS_MAX 10000
#define PAGE	  4096
#define PATIENCE  120000 /* ms in which everything has to go on */

struct shared {
	_Atomic unsigned int kills; /* so far */
	_Atomic bool stop;
	_Atomic uint64_t reads, bytes;
	uint64_t at[KILLS_MAX];		    /* ms */
	_Atomic uint64_t waited[KILLS_MAX]; /* ms; 0: no read was under way */
};

static struct shared *shared;
static const char *mounted, *source;
static char *files[FILES_MAX];
static size_t n_files, source_len;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- readers ------------------------------------------------------------------------------- */

static int add_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	if (kind == FTW_F && st->st_size > 0 && n_files < FILES_MAX)
		files[n_files++] = strdup(path + source_len);
	return 0;
}

/* A read that was under way at a kill has ended. */
static void note(uint64_t begun, uint64_t ended)
{
	unsigned int n = shared->kills;

	for (unsigned int k = n; k > 0 && shared->at[k - 1] > begun; k--) {
		uint64_t took = ended - shared->at[k - 1];

		/* The other way round: the kill came when this one had ended. */
		if (ended >= shared->at[k - 1] && shared->waited[k - 1] < took)
			shared->waited[k - 1] = took;
	}
}

static void fail(const char *file, off_t at, const char *what)
{
	fprintf(stderr, "handover-soak: %s at %lld: %s\n", file, (long long)at, what);
	_exit(1);
}

static void read_piece(const char *file, unsigned int *seed)
{
	char is[8 * PAGE], wanted[8 * PAGE], path[4096];
	uint64_t begun = now_ms();
	ssize_t n, m;
	off_t at;
	int fd, other;
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", source, file);
	other = open(path, O_RDONLY);
	if (other < 0 || fstat(other, &st) < 0)
		fail(file, 0, strerror(errno));
	at = (off_t)rand_r(seed) % (st.st_size / PAGE + 1) * PAGE;
	m = pread(other, wanted, (size_t)(1 + rand_r(seed) % 8) * PAGE, at);
	close(other);
	snprintf(path, sizeof(path), "%s%s", mounted, file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		fail(file, at, strerror(errno));
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	n = pread(fd, is, (size_t)m, at);
	if (n < 0)
		fail(file, at, strerror(errno));
	note(begun, now_ms());
	if (n != m || memcmp(is, wanted, (size_t)n) != 0)
		fail(file, at, "other bytes than in the source");
	shared->reads++;
	shared->bytes += (uint64_t)n;
	close(fd);
}

static pid_t start_reader(unsigned int seed)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (!shared->stop) {
		read_piece(files[(size_t)rand_r(&seed) % n_files], &seed);
		sleep_ms((unsigned int)rand_r(&seed) % 40);
	}
	_exit(0);
}

/* ---- the kills ----------------------------------------------------------------------------- */

static pid_t child_of(pid_t parent)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (!found && (entry = readdir(proc))) {
		char path[300], state;
		int pid = atoi(entry->d_name), ppid;
		FILE *stat;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		stat = pid > 0 ? fopen(path, "re") : NULL;
		if (!stat)
			continue;
		if (fscanf(stat, "%*d (%*[^)]) %c %d", &state, &ppid) == 2 && ppid == parent &&
		    state != 'Z')
			found = pid;
		fclose(stat);
	}
	closedir(proc);
	return found;
}

static bool any_reader_ended(void)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* false: there is no other one for too long. */
static bool kill_next(pid_t keeper, pid_t *last, unsigned int wait)
{
	uint64_t until = now_ms() + PATIENCE;
	unsigned int n = shared->kills;
	pid_t pid;

	while ((pid = child_of(keeper)) == 0 || pid == *last) {
		if (now_ms() > until || any_reader_ended())
			return false;
		sleep_ms(5);
	}
	sleep_ms(wait);
	shared->at[n] = now_ms();
	shared->kills = n + 1;
	kill(pid, SIGKILL);
	*last = pid;
	return true;
}

static int end_readers(const pid_t *readers)
{
	uint64_t until = now_ms() + PATIENCE;
	int status, bad = 0;

	shared->stop = true;
	for (unsigned int i = 0; i < READERS; i++) {
		pid_t r;

		while ((r = waitpid(readers[i], &status, WNOHANG)) == 0 && now_ms() < until)
			sleep_ms(20);
		if (r == readers[i] && status == 0)
			continue;
		fprintf(stderr, "handover-soak: reader %u %s\n", i,
			r == readers[i] ? "failed" : "hangs");
		bad = 1;
	}
	return bad;
}

static void report(void)
{
	uint64_t sum = 0, worst = 0;
	unsigned int n = 0;

	for (unsigned int k = 0; k < shared->kills; k++) {
		uint64_t waited = shared->waited[k];

		n += waited > 0;
		sum += waited;
		worst = waited > worst ? waited : worst;
	}
	printf("%u kills, %u with reads under way; %llu reads of %llu bytes\n", shared->kills, n,
	       (unsigned long long)shared->reads, (unsigned long long)shared->bytes);
	if (n > 0)
		printf("from a kill to the end of these reads: %llu ms on average, %llu ms at "
		       "most\n",
		       (unsigned long long)(sum / n), (unsigned long long)worst);
}

int main(int argc, char *argv[])
{
	unsigned int kills, span, seed;
	pid_t readers[READERS], keeper, last = 0;
	bool on = true;
	int bad;

	if (argc != 7)
		return 2;
	keeper = atoi(argv[1]);
	mounted = argv[2];
	source = argv[3];
	kills = (unsigned int)atoi(argv[4]);
	span = (unsigned int)atoi(argv[5]);
	seed = (unsigned int)atoi(argv[6]);
	source_len = strlen(source);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || kills > KILLS_MAX ||
	    nftw(source, add_file, 20, FTW_PHYS) != 0 || n_files == 0)
		return 2;
	for (unsigned int i = 0; i < READERS; i++)
		readers[i] = start_reader(seed + i);
	while (on && shared->kills < kills)
		on = kill_next(keeper, &last, (unsigned int)rand_r(&seed) % (span + 1));
	if (on)
		sleep_ms(1000);
	bad = end_readers(readers);
	report();
	return bad || !on;
}
