/* SPDX-License-Identifier: MIT */
/*
 * What watching a daemon costs it, and how long who watches has to wait:
 *
 *	bench-control [ROUNDS]		(5)
 *
 * Cold reads of 4 KiB by 8 readers at once, on the emulated kernel, without a client; then with one
 * that takes /metrics each second and one that is told of events; the same with each request as an
 * event. They take turns; each figure is the median of the rounds. Then calls, one after the other,
 * while nobody waits, while 1000 readers wait for a stalled origin, and while others are served
 * besides.
 */
#include <check.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "tests/lib/rig.h"
#include "tests/lib/temporary.h"

#define READERS	   8
#define READS	   (READERS * 16384)
#define WAITING	   1000
#define CALLS	   500
#define ROUNDS_MAX 99

static struct control *control;
static char socket_path[TEMPORARY_MAX + 8];

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* ---- the daemon ----------------------------------------------------------------------------- */

static void begin(void)
{
	struct control_config config = { .cache_dir = "/cache", .state_dir = "/state" };
	char dir[TEMPORARY_MAX], error[CONTROL_ERROR_MAX];

	rig_setup();
	rig.backend = LOOP_POLL;
	rig.kernel.in_memory = true;
	rig.kernel.read_deadline = 0;
	rig.source.read_deadline = 3600 * SEC;
	rig.config.readahead_max = 4 * KIB;
	rig.others[0] = rig.source; /* so that who waits there holds up nobody else */
	rig.others[0].name = "stalled";
	rig.others[0].rule.cookie = "stalled";
	rig.n_others = 1;
	rig_begin();
	config.loop = rig.loop;
	config.engine = rig.engine;
	ck_assert_int_eq(control_new(&control, &config), 0);
	temporary_dir(dir, TEMPORARY_ANY);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	ck_assert_int_eq(control_listen(control, socket_path, "root", error), 0);
}

static void end(void)
{
	control = control_free(control);
	rig_end();
}

/* ---- clients, each a process ---------------------------------------------------------------- */

static int connected(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, socket_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", socket_path);
	return fd;
}

/* Until the server closes. */
static void call(const char *path)
{
	static char answer[1 << 20];
	int fd = connected();

	dprintf(fd, "GET %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", path);
	while (read(fd, answer, sizeof(answer)) > 0)
		;
	close(fd);
}

static pid_t client(void (*run)(const char *path), const char *path)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		run(path);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

static void end_client(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void scrape(const char *path)
{
	for (;;) {
		call(path);
		sleep(1);
	}
}

static void measure(const char *path)
{
	static double took[CALLS];

	for (size_t i = 0; i < CALLS; i++) {
		double start = now(CLOCK_MONOTONIC);

		call(path);
		took[i] = now(CLOCK_MONOTONIC) - start;
	}
	qsort(took, CALLS, sizeof(*took), compare);
	printf("    %-12s median %.2f ms, 99 of 100 %.2f ms, longest %.2f ms\n", path,
	       took[CALLS / 2] * 1e3, took[CALLS * 99 / 100] * 1e3, took[CALLS - 1] * 1e3);
}

/* ---- load ----------------------------------------------------------------------------------- */

static struct emu_mount *mounts[READERS];
static struct emu_reader *readers[READERS];
static unsigned int generation;

/* Each reads an object that nobody has read from, in READs of 4 KiB. */
static void load_begin(void)
{
	generation++;
	for (size_t i = 0; i < READERS; i++) {
		char cookie[32];

		snprintf(cookie, sizeof(cookie), "blob%zu.%u", i, generation);
		mounts[i] = rig_mount(rig_serve(cookie, READS / READERS * 4 * KIB));
		readers[i] = emu_read_pages(mounts[i], 0, READS / READERS * 4 * KIB);
	}
}

/* false: all has been read. */
static bool load_turn(void)
{
	bool more = false;

	for (size_t i = 0; i < READERS; i++)
		more = more || rig_waiting(readers[i]);
	if (more)
		ck_assert_int_eq(loop_turn(rig.loop), 0);
	return more;
}

static void load_end(void)
{
	while (load_turn())
		;
	for (size_t i = 0; i < READERS; i++)
		rig_umount(mounts[i]);
}

/* ---- what it costs -------------------------------------------------------------------------- */

struct cost {
	const char *name, *events; /* NULL: no clients */
	double cpu[ROUNDS_MAX];	   /* us for each read */
	double wall[ROUNDS_MAX];
};

static void cost_once(struct cost *cost, size_t round)
{
	pid_t metrics = 0, events = 0;
	double cpu, wall;

	begin();
	if (cost->events) {
		metrics = client(scrape, "/metrics");
		events = client(call, cost->events);
	}
	load_begin();
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	wall = now(CLOCK_MONOTONIC);
	load_end();
	cost->cpu[round] = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / READS * 1e6;
	cost->wall[round] = (now(CLOCK_MONOTONIC) - wall) / READS * 1e6;
	if (cost->events) {
		end_client(metrics);
		end_client(events);
	}
	end();
}

static void costs(size_t rounds)
{
	static struct cost all[] = {
		{ "without clients", NULL },
		{ "/metrics each second, events", "/v1/events" },
		{ "and each request an event", "/v1/events?slow-ms=0" },
	};
	double base = 0;

	for (size_t i = 0; i < rounds; i++)
		for (size_t k = 0; k < 3; k++)
			cost_once(&all[k], i);
	for (size_t k = 0; k < 3; k++) {
		qsort(all[k].cpu, rounds, sizeof(double), compare);
		qsort(all[k].wall, rounds, sizeof(double), compare);
		base = k == 0 ? all[k].cpu[rounds / 2] : base;
		printf("%-30s %.2f us of processor for each read (%.3f x), %.2f us\n", all[k].name,
		       all[k].cpu[rounds / 2], all[k].cpu[rounds / 2] / base,
		       all[k].wall[rounds / 2]);
	}
}

/* ---- how long calls take -------------------------------------------------------------------- */

static void calls(bool loaded, const char *title)
{
	static const char *const paths[] = { "/v1/status", "/v1/objects", "/v1/flights",
					     "/v1/origins", "/metrics" };

	printf("calls, %s:\n", title);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		pid_t pid = client(measure, paths[i]);

		while (waitpid(pid, NULL, WNOHANG) == 0) {
			if (!loaded) {
				ck_assert_int_eq(loop_turn(rig.loop), 0);
			} else if (!load_turn()) {
				load_end();
				load_begin();
			}
		}
	}
}

static void tick(struct loop_timer *timer)
{
	loop_timer_set(rig.loop, timer, loop_now(rig.loop) + 10 * MS);
}

static void latencies(void)
{
	struct loop_timer beat = { .fire = tick }; /* to notice that the client has ended */
	struct fake_origin *stalled;
	struct emu_mount *mount;
	struct emu_reader *waiting[WAITING];
	struct engine_gauges gauges;

	begin();
	tick(&beat);
	calls(false, "while nobody waits");
	stalled = rig_serve("stalled", (WAITING + 2) * 64 * KIB);
	mount = rig_mount(stalled);
	stalled->stall_always = true;
	/* Its first 128 KiB came with the look. */
	for (size_t i = 0; i < WAITING; i++)
		waiting[i] = emu_read_pages(mount, (i + 2) * 64 * KIB, 4 * KIB);
	do {
		ck_assert_int_eq(loop_turn(rig.loop), 0);
		engine_gauges(rig.engine, &gauges);
	} while (gauges.demands < WAITING);
	calls(false, "while 1000 readers wait");
	load_begin();
	calls(true, "while 1000 readers wait and 8 are served");
	load_end();
	loop_timer_cancel(&beat);
	stalled->stall_always = false;
	fake_unstall(rig.fake, stalled);
	for (size_t i = 0; i < WAITING; i++)
		rig_finish(waiting[i]);
	rig_umount(mount);
	end();
}

int main(int argc, char *argv[])
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		errx(2, "usage: bench-control [ROUNDS]");
	temporary_begin();
	costs(rounds);
	latencies();
	return 0;
}
