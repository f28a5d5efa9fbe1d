/* SPDX-License-Identifier: MIT */
#include "tests/contract/mirrors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct layer layers[2];
char digest[REGISTRY_DIGEST_MAX];

static void start(void)
{
	static const char *const places[] = { "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
					      "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY", "HOME" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		unsetenv(places[i]);
	registry_start();
	layers[0] = (struct layer){ "one", SIZE };
	layers[1] = (struct layer){ "small", SMALL };
	push_image("v1", layers, 2, digest);
}

static void stop(void)
{
	registry_stop();
}

/* ---- mirrors ---------------------------------------------------------------------------- */

pid_t start_store_at(const char *name, unsigned int port, unsigned int status)
{
	char refusal[128] = "";

	if (status == 401)
		snprintf(refusal, sizeof(refusal),
			 "add_header WWW-Authenticate 'Basic realm=\"m\"' always; return 401;");
	else if (status)
		snprintf(refusal, sizeof(refusal), "add_header Retry-After 600 always; return %u;",
			 status);
	sh("mkdir -p %s/%s", registry_dir(), name);
	return nginx_start(registry_dir(), name,
			   "log_format t 'auth=[$http_authorization] x=[$http_x_secret] "
			   "y=[$http_y_mirror] $status $request';\n"
			   "access_log %1$s/%2$s.log t; root %1$s/%2$s;\n"
			   "default_type application/vnd.oci.image.manifest.v1+json;\n"
			   "server { listen 127.0.0.1:%3$u; %4$s }\n",
			   registry_dir(), name, port, refusal);
}

pid_t start_store(const char *name, unsigned int *ret_port, unsigned int status)
{
	pid_t pid;

	do {
		*ret_port = server_free_port();
		pid = start_store_at(name, *ret_port, status);
	} while (!server_listens(pid, *ret_port));
	return pid;
}

void copy(const char *name, const char *kind, const char *what, const char *of)
{
	sh("mkdir -p %1$s/%2$s/v2/" REPOSITORY "/%3$s && cp %4$s %1$s/%2$s/v2/" REPOSITORY
	   "/%3$s/%5$s",
	   registry_dir(), name, kind, registry_file(of), what);
}

void copy_all(const char *name)
{
	copy(name, "manifests", "v1", digest);
	copy(name, "manifests", digest, digest);
	for (int i = 0; i < 2; i++)
		copy(name, "blobs", layers[i].digest, layers[i].digest);
}

void corrupt(const char *name, const char *kind, const char *what, long where)
{
	char path[512];
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/%s/v2/" REPOSITORY "/%s/%s", registry_dir(), name, kind,
		 what);
	f = fopen(path, "r+e");
	ck_assert_ptr_nonnull(f);
	fseek(f, where, SEEK_SET);
	c = fgetc(f);
	fseek(f, where, SEEK_SET);
	fputc(c ^ 1, f);
	fclose(f);
}

/* ---- hosts.toml ------------------------------------------------------------------------- */

void hosts(unsigned int port, const char *fmt, ...)
{
	char name[64], text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sh("mkdir -p %s/hosts/127.0.0.1_%u_", registry_dir(), port);
	snprintf(name, sizeof(name), "hosts/127.0.0.1_%u_/hosts.toml", port);
	put_file(name, text);
}

const char *hosts_dir(void)
{
	static char path[TEMPORARY_MAX + 16];

	snprintf(path, sizeof(path), "%s/hosts", registry_dir());
	return path;
}

void host_with(unsigned int port, ...)
{
	struct fetcher_param params[8] = { { "hosts-dir", hosts_dir() } };
	char template[64];
	va_list ap;

	va_start(ap, port);
	for (int i = 1; i < 7; i++) {
		params[i].key = va_arg(ap, const char *);
		if (!params[i].key)
			break;
		params[i].value = va_arg(ap, const char *);
	}
	va_end(ap);
	snprintf(template, sizeof(template), "oci://127.0.0.1:%u/{cookie}", port);
	host_start(&host, LOOP_POLL, template, params);
}

const char *at(const char *rest)
{
	return locator(registry_port(), rest);
}

void host_for_mirrors(void)
{
	host_with(registry_port(), "plain-http", "yes", NULL);
}

/* ---- suites ----------------------------------------------------------------------------- */

TCase *mirrors_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 120);
	tcase_add_unchecked_fixture(tc, registry_begin, registry_end);
	tcase_add_checked_fixture(tc, start, stop);
	suite_add_tcase(s, tc);
	return tc;
}

const char *mirrors_missing(void)
{
	return !have("openssl") || nginx_missing() || !have("htpasswd") || !registry_installed()
		       ? "openssl, nginx, htpasswd or docker-registry is missing"
		       : NULL;
}
