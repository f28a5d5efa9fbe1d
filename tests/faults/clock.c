/* SPDX-License-Identifier: MIT */
/*
 * Functions of libc as libcurl finds them in this program: its clocks are the loop's, and names are
 * looked up by a resolver of ours.
 */
#include "tests/faults/clock.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop/loop.h"

static const struct loop *clock_loop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static enum wire_resolver resolver;

void clock_of(const struct loop *loop)
{
	clock_loop = loop;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t now;

	if (id != CLOCK_MONOTONIC || !clock_loop)
		return (int)syscall(SYS_clock_gettime, id, ts);
	now = loop_now(clock_loop);
	ts->tv_sec = (time_t)(now / NSEC_PER_SEC);
	ts->tv_nsec = (long)(now % NSEC_PER_SEC);
	return 0;
}

/* Of the machine, and what has gone by on the loop: libcurl remembers addresses by this one. */
time_t time(time_t *ret)
{
	struct timespec ts;
	time_t now;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
	now = ts.tv_sec + (clock_loop ? (time_t)(loop_now(clock_loop) / NSEC_PER_SEC) : 0);
	if (ret)
		*ret = now;
	return now;
}

/* Chance, of the jitter of tries too, is the same each time. */
ssize_t getrandom(void *buf, size_t n, unsigned int flags)
{
	static uint64_t state = 1;
	uint8_t *p = buf;

	for (size_t i = 0; i < n; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(state >> 56);
	}
	return (ssize_t)n;
}

void wire_resolver(enum wire_resolver next)
{
	pthread_mutex_lock(&lock);
	resolver = next;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* In a thread of libcurl's. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");
	bool unknown;

	if (!name || strcmp(name, CLOCK_NAME) != 0)
		return real(name, service, hints, ret);
	pthread_mutex_lock(&lock);
	while (resolver == WIRE_MUTE)
		pthread_cond_wait(&changed, &lock);
	unknown = resolver == WIRE_UNKNOWN;
	pthread_mutex_unlock(&lock);
	return unknown ? EAI_NONAME : real("127.0.0.1", service, hints, ret);
}
