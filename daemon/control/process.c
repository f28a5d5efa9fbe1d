/* SPDX-License-Identifier: MIT */
#include "daemon/control/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"

static size_t read_file(const char *path, char *buf, size_t n)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, buf, n - 1);

	buf[len < 0 ? 0 : len] = '\0';
	return len < 0 ? 0 : (size_t)len;
}

static double clock_seconds(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Field 22 of proc_pid_stat(5), ticks since boot; the name before it may hold anything. */
static double start_time(void)
{
	unsigned long long ticks = 0;
	char buf[1024], *at;

	read_file("/proc/self/stat", buf, sizeof(buf));
	at = strrchr(buf, ')');
	if (!at || sscanf(at + 1,
			  " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			  "%*d %*d %llu",
			  &ticks) != 1)
		return 0;
	return clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_BOOTTIME) +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void process_look(struct process *ret)
{
	unsigned long long size = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct rlimit limit = { 0 };
	struct stat st = { 0 };
	char buf[256];

	read_file("/proc/self/statm", buf, sizeof(buf));
	if (sscanf(buf, "%llu %llu", &size, &resident) != 2)
		size = resident = 0;
	/* Since 6.2 its size is how many there are: 100000 need not be counted one by one. */
	(void)stat("/proc/self/fd", &st);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	*ret = (struct process){
		.cpu_seconds = clock_seconds(CLOCK_PROCESS_CPUTIME_ID),
		.start_time = start_time(),
		.resident = resident * page,
		.virtual = size * page,
		.fds = (uint64_t)st.st_size,
		.max_fds = limit.rlim_cur,
	};
}
