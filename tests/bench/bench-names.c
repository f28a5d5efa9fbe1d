/* SPDX-License-Identifier: MIT */
/*
 * What remembering a name costs: lookups and inserts per second and memory per name, of the name
 * cache and of a uthash table (daemon/util/table.h) with a list of uses that holds the same,
 * without ways back and without a bound. Usage: bench-names [NAMES...]    (default 1000 100000
 * 1000000)
 *
 * Each table is made in a process of its own: memory is what that one grows by, all included. Names
 * are looked up in random order. Figures of time are the best of ROUNDS.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/names/names.h"
#include "daemon/util/table.h"

#define ROUNDS	 3
#define LOOKUPS	 2000000
#define KEY_TEXT 32
#define VOLUME	 "erofs,images.example"

static size_t n_names;
static char (*keys)[KEY_TEXT]; /* cookies: twice as many as are put */
static char locator[64], validator[32];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	if (!f || fscanf(f, "%*u %zu", &pages) != 1)
		err(1, "/proc/self/statm");
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void make_keys(void)
{
	keys = calloc(2 * n_names, sizeof(*keys));
	if (!keys)
		err(1, "keys");
	for (size_t i = 0; i < 2 * n_names; i++)
		snprintf(keys[i], KEY_TEXT, "app-%08zu.img", i);
}

static void make_value(size_t i)
{
	snprintf(locator, sizeof(locator), "https://images.example/store/app-%08zu.img", i);
	snprintf(validator, sizeof(validator), "etag:\"%016zx\"", i * 0x9e3779b97f4a7c15);
}

static struct bytes volume(void)
{
	return bytes_of(VOLUME, sizeof(VOLUME) - 1);
}

/* ---- the name cache ----------------------------------------------------------------------- */

static struct names *names;

static void names_begin(void)
{
	if (names_new(&names, n_names * 320 + 4096, (uint64_t)getpid()) < 0)
		err(1, "names");
}

static void names_insert(size_t i)
{
	struct name name = {
		.volume = volume(),
		.cookie = bytes_str(keys[i]),
		.size = i,
		.locator = locator,
		.validator = validator,
	};

	if (names_put(names, 1, 1000, &name) < 0)
		errx(1, "a name cannot be put");
}

static bool names_lookup(size_t i)
{
	struct name name;

	return names_find(names, 2, volume(), bytes_str(keys[i]), &name);
}

static void names_end(void)
{
	if (names_stats(names).entries != n_names)
		errx(1, "names were evicted");
	names_free(names);
}

/* ---- uthash ------------------------------------------------------------------------------- */

struct entry {
	UT_hash_handle hh;
	TAILQ_ENTRY(entry) link;
	uint64_t expires, size;
	uint32_t source, hits;
	bool absent, whole;
	size_t key_len;
	char text[]; /* volume, NUL, cookie, locator, NUL, validator, NUL */
};

static struct entry *table;
static TAILQ_HEAD(, entry) uses = TAILQ_HEAD_INITIALIZER(uses);

static size_t table_key(char to[64], size_t i)
{
	size_t len = strlen(keys[i]);

	memcpy(to, VOLUME, sizeof(VOLUME));
	memcpy(to + sizeof(VOLUME), keys[i], len);
	return sizeof(VOLUME) + len;
}

static void table_begin(void)
{
}

static void table_insert(size_t i)
{
	size_t l = strlen(locator) + 1, v = strlen(validator) + 1;
	char key[64];
	size_t n = table_key(key, i);
	struct entry *e = malloc(sizeof(*e) + n + l + v);

	if (!e)
		err(1, "entry");
	*e = (struct entry){ .expires = 1001, .size = i, .key_len = n };
	memcpy(e->text, key, n);
	memcpy(e->text + n, locator, l);
	memcpy(e->text + n + l, validator, v);
	HASH_ADD_KEYPTR(hh, table, e->text, n, e);
	TAILQ_INSERT_HEAD(&uses, e, link);
}

static bool table_lookup(size_t i)
{
	struct entry *e;
	char key[64];
	size_t n = table_key(key, i);

	HASH_FIND(hh, table, key, n, e);
	if (!e || e->expires < 2)
		return false;
	TAILQ_REMOVE(&uses, e, link);
	TAILQ_INSERT_HEAD(&uses, e, link);
	e->hits++;
	return true;
}

static void table_end(void)
{
	struct entry *e;

	HASH_CLEAR(hh, table);
	while ((e = TAILQ_FIRST(&uses))) {
		TAILQ_REMOVE(&uses, e, link);
		free(e);
	}
}

/* ---- both --------------------------------------------------------------------------------- */

struct kind {
	const char *name;
	void (*begin)(void);
	void (*insert)(size_t i);
	bool (*lookup)(size_t i);
	void (*end)(void);
};

static const struct kind kinds[] = {
	{ "names", names_begin, names_insert, names_lookup, names_end },
	{ "uthash", table_begin, table_insert, table_lookup, table_end },
};

/* Of names [from, from + n_names). */
static double lookups(const struct kind *kind, size_t from, size_t wanted)
{
	size_t found = 0;
	uint64_t x = 1;
	double start = now();

	for (size_t i = 0; i < LOOKUPS; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		found += kind->lookup(from + (size_t)(x >> 33) % n_names);
	}
	if (found != wanted)
		errx(1, "%zu instead of %zu were found", found, wanted);
	return (double)LOOKUPS / (now() - start);
}

/* hit, miss, insert: per second; bytes: per name. */
struct figures {
	double hit, miss, insert, bytes;
};

static struct figures measure(const struct kind *kind)
{
	struct figures f = { 0 };
	double filling = 0, start;
	size_t before;

	make_keys();
	before = resident();
	kind->begin();
	for (size_t i = 0; i < n_names; i++) {
		make_value(i);
		start = now();
		kind->insert(i);
		filling += now() - start;
	}
	f.bytes = (double)(resident() - before) / (double)n_names;
	f.insert = (double)n_names / filling;
	f.hit = lookups(kind, 0, LOOKUPS);
	f.miss = lookups(kind, n_names, 0);
	kind->end();
	return f;
}

static struct figures measure_apart(const struct kind *kind)
{
	struct figures f;
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0 || (pid = fork()) < 0)
		err(1, "fork");
	if (pid == 0) {
		f = measure(kind);
		_exit(write(ends[1], &f, sizeof(f)) != sizeof(f));
	}
	close(ends[1]);
	if (read(ends[0], &f, sizeof(f)) != sizeof(f))
		errx(1, "%s: no figures", kind->name);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return f;
}

static void run(const struct kind *kind)
{
	struct figures best = measure_apart(kind), f;

	for (int i = 1; i < ROUNDS; i++) {
		f = measure_apart(kind);
		best.hit = f.hit > best.hit ? f.hit : best.hit;
		best.miss = f.miss > best.miss ? f.miss : best.miss;
		best.insert = f.insert > best.insert ? f.insert : best.insert;
		best.bytes = f.bytes < best.bytes ? f.bytes : best.bytes;
	}
	printf("%8zu  %-6s  %10.0f  %10.0f  %10.0f  %6.0f\n", n_names, kind->name, best.hit,
	       best.miss, best.insert, best.bytes);
}

int main(int argc, char *argv[])
{
	static const size_t sizes[] = { 1000, 100000, 1000000 };
	size_t n = argc > 1 ? (size_t)argc - 1 : sizeof(sizes) / sizeof(sizes[0]);

	make_value(0);
	printf("%zu bytes of text in each name\n", sizeof(VOLUME) - 1 + strlen("app-00000000.img") +
							   strlen(locator) + strlen(validator));
	printf("   names  table        hits/s    misses/s   inserts/s   bytes\n");
	for (size_t i = 0; i < n; i++) {
		n_names = argc > 1 ? strtoull(argv[i + 1], NULL, 10) : sizes[i];
		if (n_names == 0)
			errx(1, "how many names?");
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			fflush(stdout);
			run(&kinds[k]);
		}
	}
	return 0;
}
