/* SPDX-License-Identifier: MIT */
/*
 * The plainest correct answer to the kernel: one thread, one buffer, a local directory or one
 * connection to a web server, exactly the bytes that were asked for, and nothing else meanwhile. It
 * proves the test guest without cachefilld, shows what the kernel does with naive answers, and is
 * the baseline of the benchmarks.
 *
 *	simple-daemon --cache-dir DIR --source file:DIR/{cookie}|http://HOST/{cookie} [--notify-fd
 *N]
 *
 * Runs in the foreground, exits 0 on SIGTERM. Other long options are taken with their value and
 * ignored, so that it can stand in for cachefilld on the same command line.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK	      4096u /* offset, length and address of every write are multiples of it */
#define BUFFER	      (1u << 20)
#define OBJECTS	      65536u
#define READ_COMPLETE _IOW(0x98, 1, int)

enum { OPEN, CLOSE, READ };

/* include/uapi/linux/cachefiles.h; OPEN carries the two keys behind it. */
struct message {
	uint32_t id, opcode, len, object;
	union {
		struct {
			uint32_t volume_len, cookie_len;
			int32_t fd;
			uint32_t flags;
			char keys[1024];
		} open;
		struct {
			uint64_t off, len;
		} read;
	};
};

/* Indexed by the kernel's object id, which starts at 1 and is never used again. */
static struct object {
	int sink, source;
	char *url; /* there is no source */
} objects[OBJECTS];

static int device = -1, origin = -1;
static char prefix[PATH_MAX]; /* of URLs; empty: the origin is a directory */
static CURL *curl;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "simple-daemon: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void command(const char *text)
{
	if (write(device, text, strlen(text)) < 0)
		die(text);
}

static void object_free(struct object *o)
{
	close(o->sink);
	if (o->source >= 0)
		close(o->source);
	free(o->url);
	*o = (struct object){ -1, -1, NULL };
}

/* ---- where the bytes come from ---------------------------------------------------------- */

/* The size, or a negative errno. */
static long long file_look(struct object *o, const char *name)
{
	struct stat st;

	o->source = openat(origin, name, O_RDONLY | O_CLOEXEC);
	return o->source < 0 || fstat(o->source, &st) < 0 ? -errno : st.st_size;
}

/* Fewer bytes than wanted are the end of the file. */
static ssize_t file_get(const struct object *o, char *buffer, size_t want, uint64_t off)
{
	size_t have = 0;
	ssize_t n;

	while ((n = pread(o->source, buffer + have, want - have, off + have)) != 0) {
		if (n < 0)
			return -errno;
		have += n;
	}
	return have;
}

struct body {
	char *buffer;
	size_t have, want;
};

static size_t take(char *bytes, size_t one, size_t n, void *arg)
{
	struct body *body = arg;

	if (n > body->want - body->have)
		return 0;
	memcpy(body->buffer + body->have, bytes, n);
	body->have += n;
	return n;
}

static long long http_look(struct object *o, const char *name)
{
	curl_off_t size = -1;

	if (asprintf(&o->url, "%s%s", prefix, name) < 0)
		return -ENOMEM;
	curl_easy_reset(curl); /* which keeps the connection */
	curl_easy_setopt(curl, CURLOPT_URL, o->url);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	if (curl_easy_perform(curl) != CURLE_OK)
		return -ENOENT;
	curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	return size < 0 ? -EIO : size;
}

static ssize_t http_get(const struct object *o, char *buffer, size_t want, uint64_t off)
{
	struct body body = { buffer, 0, want };
	char range[64];

	snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, off, off + want - 1);
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, o->url);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_RANGE, range);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	return curl_easy_perform(curl) == CURLE_OK ? (ssize_t)body.have : -EIO;
}

/* ---- messages --------------------------------------------------------------------------- */

/* Answers with the size of the object, or with the error of looking at it; after a refusal no CLOSE
 * will come. */
static void handle_open(const struct message *m)
{
	struct object *o = &objects[m->object % OBJECTS];
	char name[256] = "", reply[64];
	long long size = -ENAMETOOLONG;

	*o = (struct object){ m->open.fd, -1, NULL };
	if (m->open.cookie_len < sizeof(name)) {
		memcpy(name, m->open.keys + m->open.volume_len, m->open.cookie_len);
		size = *prefix ? http_look(o, name) : file_look(o, name);
	}
	fprintf(stderr, "open %s: %lld\n", name, size);
	if (size < 0)
		object_free(o);
	snprintf(reply, sizeof(reply), "copen %u,%lld", m->id, size);
	if (write(device, reply, strlen(reply)) < 0)
		perror(reply);
}

/* Copies [off, off + len) with zeros behind the end of the file. On failure the hole stays, which
 * is the reader's EIO. */
static int copy(const struct object *o, uint64_t off, uint64_t len)
{
	static _Alignas(BLOCK) char buffer[BUFFER];

	while (len > 0) {
		size_t want = len < BUFFER ? len : BUFFER;
		ssize_t n =
			o->url ? http_get(o, buffer, want, off) : file_get(o, buffer, want, off);

		if (n < 0)
			return n;
		memset(buffer + n, 0, want - n);
		n = pwrite(o->sink, buffer, want, off);
		if (n != (ssize_t)want)
			return n < 0 ? -errno : -EIO;
		off += want;
		len -= want;
	}
	return 0;
}

static void handle_read(const struct message *m)
{
	const struct object *o = &objects[m->object % OBJECTS];
	int r = copy(o, m->read.off, m->read.len);

	if (r < 0)
		fprintf(stderr, "read %" PRIu64 "+%" PRIu64 ": %s\n", m->read.off, m->read.len,
			strerror(-r));
	/* The argument is the message id itself. EINVAL: the reader was killed meanwhile. */
	if (ioctl(o->sink, READ_COMPLETE, (unsigned long)m->id) < 0 && errno != EINVAL)
		perror("READ_COMPLETE");
}

static void serve(void)
{
	static _Alignas(8) struct message m;
	struct pollfd p = { .fd = device, .events = POLLIN };

	while (!stop) {
		if (poll(&p, 1, -1) < 0)
			continue;
		while (!stop && read(device, &m, sizeof(m)) > 0) {
			if (m.opcode == OPEN)
				handle_open(&m);
			else if (m.opcode == READ)
				handle_read(&m);
			else
				object_free(&objects[m.object % OBJECTS]);
		}
	}
}

static void source(char *template)
{
	char *end = strstr(template, "/{cookie}");

	if (!end)
		die("--source must end in /{cookie}");
	if (strncmp(template, "file:", 5) == 0) {
		*end = 0;
		origin = open(template + 5, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		end[1] = 0;
		snprintf(prefix, sizeof(prefix), "%s", template);
		curl = curl_easy_init();
	}
}

int main(int argc, char **argv)
{
	/* No SA_RESTART: the signal has to end poll(). */
	struct sigaction term = { .sa_handler = on_term };
	struct rlimit files = { 65536, 65536 };
	char dir[PATH_MAX] = "", text[PATH_MAX + 8];
	int notify = -1;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--cache-dir") == 0)
			snprintf(dir, sizeof(dir), "%s", argv[i + 1]);
		else if (strcmp(argv[i], "--source") == 0) {
			source(argv[i + 1]);
		} else if (strcmp(argv[i], "--notify-fd") == 0)
			notify = atoi(argv[i + 1]);
	}
	if ((origin < 0 && !curl) || !*dir)
		die("--cache-dir and --source");
	setrlimit(RLIMIT_NOFILE, &files);
	sigaction(SIGTERM, &term, NULL);

	device = open("/dev/cachefiles", O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/cachefiles");
	snprintf(text, sizeof(text), "dir %s", dir);
	command(text);
	command("bind ondemand");
	if (notify >= 0 && write(notify, "READY=1\n", 8) < 0)
		die("notify");
	serve();
	return 0;
}
