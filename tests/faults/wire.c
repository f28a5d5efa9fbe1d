/* SPDX-License-Identifier: MIT */
#include "tests/faults/wire.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/image-catalog.h"
#include "daemon/origins.h"
#include "daemon/replay/pattern.h"
#include "daemon/util/log.h"
#include "tests/faults/clock.h"
#include "tests/lib/nginx.h"
#include "tests/lib/server.h"
#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"

/* Real time that everything has before virtual time goes on: the network of this host, threads of
 * libcurl's. */
#define PATIENCE MS

#define VERSIONS 4

struct proxy *wire_proxy;

static char dir[TEMPORARY_MAX];
static pid_t nginx;
static uint16_t nginx_port;

static struct {
	enum wire_scheme scheme;
	bool alternative;
	const char *settings;
	struct config *config;
	struct origins *origins;
	int log, stderr_was;
} wire;

/* ---- nginx ---------------------------------------------------------------------------------- */

static void start_nginx(void)
{
	do {
		nginx_port = (uint16_t)server_free_port();
		nginx = nginx_start(dir, "nginx",
				    "access_log off; sendfile off;\n"
				    "server { listen 127.0.0.1:%u; root %s/www; }\n",
				    nginx_port, dir);
	} while (!server_listens(nginx, nginx_port));
}

const char *wire_missing(void)
{
	const char *why = nginx_missing();

	return why || have("openssl") ? why : "no openssl here";
}

void wire_start(void)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "all_proxy",
					       "HTTPS_PROXY", "ALL_PROXY" };

	for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
		unsetenv(proxies[i]);
	temporary_dir(dir, TEMPORARY_ANY);
	sh("mkdir %s/www", dir);
	sh("%s %s", CERTIFICATES, dir);
	start_nginx();
	wire_put(1, WIRE_SIZE);
}

void wire_stop(void)
{
	nginx_stop(nginx);
	temporary_remove(dir);
}

/* ---- the object ------------------------------------------------------------------------------ */

struct version {
	struct emu_origin origin;
	uint64_t key;
};

static uint8_t byte_of(const struct emu_origin *origin, uint64_t off)
{
	return pattern_byte(container_of(origin, struct version, origin)->key, off);
}

static void fill_of(const struct emu_origin *origin, void *buf, uint64_t off, size_t n)
{
	pattern_fill(buf, n, container_of(origin, struct version, origin)->key, off);
}

const struct emu_origin *wire_origin(unsigned int version, uint64_t size)
{
	static struct version versions[VERSIONS];
	struct version *v = &versions[version % VERSIONS];

	*v = (struct version){ .origin = { .size = size, .byte = byte_of, .fill = fill_of },
			       .key = pattern_key(WIRE_OBJECT) + version };
	return &v->origin;
}

void wire_put(unsigned int version, uint64_t size)
{
	nginx_put(dir, WIRE_OBJECT, size, version);
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static void write_source(char *buf, size_t n)
{
	static const char *const urls[] = { "http://127.0.0.1", "https://127.0.0.1",
					    ("http://" CLOCK_NAME) };
	char ca[TEMPORARY_MAX + 32] = "", alternative[128] = "";

	if (wire.scheme == WIRE_HTTPS)
		snprintf(ca, sizeof(ca), "\tca-file = \"%s/ca.pem\"\n", dir);
	if (wire.alternative)
		snprintf(alternative, sizeof(alternative),
			 "\talternative = \"http://127.0.0.1:%u/{cookie}\"\n"
			 "\ttrust-alternatives = yes\n",
			 nginx_port);
	snprintf(buf, n, "source " WIRE_SOURCE " {\n\turl = \"%s:%u/{cookie}\"\n%s%s%s}\n",
		 urls[wire.scheme], proxy_port(wire_proxy), ca, alternative,
		 wire.settings ? wire.settings : "");
}

static void source_begin(struct engine_source_config *ret, struct loop *loop)
{
	const struct proxy_options options = {
		.upstream = nginx_port,
		.seed = 1,
		.certificates = wire.scheme == WIRE_HTTPS ? dir : NULL,
	};
	char text[1024], error[CONFIG_ERROR_MAX] = "";
	struct origin origin;

	loop_set_patience(loop, wire.scheme == WIRE_NAMED ? 10 * PATIENCE : PATIENCE);
	clock_of(loop);
	ck_assert_int_eq(proxy_new(&wire_proxy, loop, &options), 0);
	write_source(text, sizeof(text));
	ck_assert_int_eq(config_new(&wire.config), 0);
	ck_assert_msg(config_parse(wire.config, "test", text, strlen(text), error) == 0, "%s",
		      error);
	ck_assert_msg(config_finish(wire.config, error) == 0, "%s", error);
	ck_assert_int_eq(origins_new(&wire.origins, loop, wire.config), 0);
	ck_assert_msg(origins_get(wire.origins, 0, &origin, error) == 0, "%s", error);
	*ret = image_catalog_source(&origin);
}

static bool alone(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n <= 3; /* with "." and ".." */
}

static void source_end(void)
{
	/* Threads that libcurl has left behind have descriptors. */
	wire_resolver(WIRE_RESOLVES);
	while (wire.scheme == WIRE_NAMED && !alone())
		usleep(1000);
	origins_free(wire.origins);
	config_free(wire.config);
	wire_proxy = proxy_free(wire_proxy);
	clock_of(NULL);
}

void wire_begin(enum wire_scheme scheme, bool alternative, const char *settings,
		uint64_t readahead_max)
{
	wire.scheme = scheme;
	wire.alternative = alternative;
	wire.settings = settings;
	wire.log = memfd_create("log", MFD_CLOEXEC);
	wire.stderr_was = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(wire.log, STDERR_FILENO), 0);
	rig_setup();
	log_set_level(LOG_INFO);
	rig.kernel.in_memory = true;
	rig.kernel.open_deadline = rig.kernel.read_deadline = 30 * SEC;
	rig.config.readahead_max = readahead_max;
	rig.source_begin = source_begin;
	rig.source_end = source_end;
	rig_begin();
}

char *wire_end(void)
{
	char *verdict = rig_end_verdict();

	dup2(wire.stderr_was, STDERR_FILENO);
	close(wire.stderr_was);
	close(wire.log);
	return verdict;
}

char *wire_log(void)
{
	off_t len = lseek(wire.log, 0, SEEK_END);
	char *text = calloc(1, (size_t)len + 1);

	ck_assert_int_eq(pread(wire.log, text, (size_t)len, 0), len);
	ck_assert_int_eq(ftruncate(wire.log, 0), 0);
	lseek(wire.log, 0, SEEK_SET);
	return text;
}

/* ---- mounts ---------------------------------------------------------------------------------- */

struct emu_mount *wire_open(const struct emu_origin *origin)
{
	return emu_open(rig.emu, RIG_VOLUME, WIRE_OBJECT, origin);
}

bool wire_opened(struct emu_mount *mount)
{
	rig_wait(emu_mount_state(mount) != EMU_MOUNT_OPENING &&
		 emu_mount_state(mount) != EMU_MOUNT_BLOCKED);
	return emu_mount_state(mount) == EMU_MOUNT_OPEN;
}
