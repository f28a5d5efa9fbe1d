/* SPDX-License-Identifier: MIT */
#include "tests/lib/registry.h"

#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/server.h"
#include "tests/lib/temporary.h"

#define DOORS_MAX 8

/* Where the open door is: "data" there leads to that of the present test. */
static char top[TEMPORARY_MAX];
static pid_t open_door, second_door;
static unsigned int open_port, second_port;

static char dir[TEMPORARY_MAX];
static pid_t doors[DOORS_MAX];
static unsigned int n_doors;

bool registry_installed(void)
{
	return system("command -v docker-registry > /dev/null") == 0;
}

const char *registry_dir(void)
{
	return dir;
}

unsigned int registry_port(void)
{
	return open_port;
}

unsigned int registry_second_port(void)
{
	return second_port;
}

/* ---- processes -------------------------------------------------------------------------- */

static void write_config(const char *path, const char *place, unsigned int port, const char *http,
			 const char *auth, const char *middleware)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	fprintf(f,
		"version: 0.1\n"
		"log: {level: error, accesslog: {disabled: false}}\n"
		"storage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\n"
		"http: {addr: \"127.0.0.1:%u\", secret: s%s%s}\n",
		place, port, http ? ", " : "", http ? http : "");
	if (auth)
		fprintf(f, "auth: %s\n", auth);
	if (middleware)
		fprintf(f, "middleware: %s\n", middleware);
	fclose(f);
}

static pid_t run_door(const char *conf, const char *log)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	/* Not to outlive a test that dies. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), STDOUT_FILENO);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	execlp("docker-registry", "docker-registry", "serve", conf, (char *)NULL);
	_exit(127);
}

static pid_t open_at(const char *place, const char *name, unsigned int *ret_port, const char *http,
		     const char *auth, const char *middleware)
{
	char conf[TEMPORARY_MAX + 64], log[TEMPORARY_MAX + 64];
	pid_t pid;

	snprintf(conf, sizeof(conf), "%s/%s.yml", place, name);
	snprintf(log, sizeof(log), "%s/%s.log", place, name);
	do {
		*ret_port = server_free_port();
		write_config(conf, place, *ret_port, http, auth, middleware);
		pid = run_door(conf, log);
	} while (!server_listens(pid, *ret_port));
	return pid;
}

static void end_door(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

unsigned int registry_open(const char *name, const char *http, const char *auth,
			   const char *middleware)
{
	unsigned int port;

	ck_assert_uint_lt(n_doors, DOORS_MAX);
	doors[n_doors] = open_at(dir, name, &port, http, auth, middleware);
	n_doors++;
	return port;
}

void registry_shut(void)
{
	while (n_doors > 0)
		end_door(doors[--n_doors]);
}

void registry_begin(void)
{
	temporary_dir(top, TEMPORARY_MEMORY);
	open_door = open_at(top, "open", &open_port, NULL, NULL, NULL);
}

void registry_begin_two(void)
{
	registry_begin();
	second_door = open_at(top, "second", &second_port, NULL, NULL, NULL);
}

void registry_end(void)
{
	end_door(open_door);
	if (second_door > 0)
		end_door(second_door);
	second_door = 0;
	temporary_remove(top);
}

/* ---- one test --------------------------------------------------------------------------- */

static void no_proxies(void)
{
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("all_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("ALL_PROXY");
}

/* What is put by the open door is in the directory of this test. */
static void lead_to_data(void)
{
	char data[TEMPORARY_MAX + 16], link[TEMPORARY_MAX + 16], fresh[TEMPORARY_MAX + 32];

	snprintf(data, sizeof(data), "%s/data", dir);
	ck_assert_int_eq(mkdir(data, 0700), 0);
	snprintf(link, sizeof(link), "%s/data", top);
	snprintf(fresh, sizeof(fresh), "%s.new", link);
	ck_assert_int_eq(symlink(data, fresh), 0);
	ck_assert_int_eq(rename(fresh, link), 0);
}

/* The log of the open door, which begins anew. */
static void lead_to_log(void)
{
	char log[TEMPORARY_MAX + 16], link[TEMPORARY_MAX + 16];

	snprintf(log, sizeof(log), "%s/open.log", top);
	ck_assert_int_eq(truncate(log, 0), 0);
	snprintf(link, sizeof(link), "%s/open.log", dir);
	ck_assert_int_eq(symlink(log, link), 0);
}

void registry_start(void)
{
	ck_assert_msg(open_door > 0, "without registry_begin()");
	no_proxies();
	temporary_dir(dir, TEMPORARY_MEMORY);
	n_doors = 0;
	lead_to_data();
	lead_to_log();
}

void registry_stop(void)
{
	registry_shut();
	temporary_remove(dir);
}

/* ---- blobs and manifests ---------------------------------------------------------------- */

void registry_digest(const void *bytes, size_t len, char digest[REGISTRY_DIGEST_MAX])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n;
	int at = snprintf(digest, REGISTRY_DIGEST_MAX, "sha256:");

	ck_assert_int_eq(EVP_Digest(bytes, len, hash, &n, EVP_sha256(), NULL), 1);
	for (unsigned int i = 0; i < n; i++)
		at += snprintf(digest + at, REGISTRY_DIGEST_MAX - (size_t)at, "%02x", hash[i]);
}

static size_t swallow(char *bytes, size_t one, size_t len, void *userp)
{
	return len;
}

/* One request; location gets where the answer points to, if it is asked for. */
static void request(const char *method, const char *url, const char *type, const void *body,
		    size_t len, char location[1024])
{
	char field[160];
	struct curl_slist *fields = NULL;
	struct curl_header *header;
	CURL *e = curl_easy_init();
	long status = 0;

	snprintf(field, sizeof(field), "Content-Type: %s",
		 type ? type : "application/octet-stream");
	fields = curl_slist_append(fields, field);
	fields = curl_slist_append(fields, "Expect:");
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, swallow);
	if (strcmp(method, "DELETE") != 0) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, body ? body : "");
	}
	ck_assert_int_eq(curl_easy_perform(e), CURLE_OK);
	curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
	ck_assert_msg(status >= 200 && status < 300, "%s %s: %ld", method, url, status);
	if (location) {
		ck_assert_int_eq(curl_easy_header(e, "Location", 0, CURLH_HEADER, -1, &header), 0);
		snprintf(location, 1024, "%s", header->value);
	}
	curl_slist_free_all(fields);
	curl_easy_cleanup(e);
}

void registry_put_blob(const char *repository, const void *bytes, size_t len,
		       char digest[REGISTRY_DIGEST_MAX])
{
	char url[256], location[1024], end[1200], own[REGISTRY_DIGEST_MAX];

	registry_digest(bytes, len, own);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/v2/%s/blobs/uploads/", open_port,
		 repository);
	request("POST", url, NULL, NULL, 0, location);
	snprintf(end, sizeof(end), "%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?',
		 own);
	request("PUT", end, NULL, bytes, len, NULL);
	if (digest)
		strcpy(digest, own);
}

void registry_remove_blob(const char *repository, const char *digest)
{
	char url[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/v2/%s/blobs/%s", open_port, repository,
		 digest);
	request("DELETE", url, NULL, NULL, 0, NULL);
}

void registry_put_manifest(const char *repository, const char *tag, const char *type,
			   const char *text, char digest[REGISTRY_DIGEST_MAX])
{
	char url[256];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/v2/%s/manifests/%s", open_port, repository,
		 tag);
	request("PUT", url, type, text, strlen(text), NULL);
	if (digest)
		registry_digest(text, strlen(text), digest);
}

const char *registry_file(const char *digest)
{
	static char path[TEMPORARY_MAX + 160];

	snprintf(path, sizeof(path), "%s/data/docker/registry/v2/blobs/sha256/%.2s/%s/data", dir,
		 digest + 7, digest + 7);
	return path;
}

static unsigned int count_logged(const char *name, const char *word, const char *other)
{
	char path[TEMPORARY_MAX + 64], line[4096];
	unsigned int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.log", dir, name);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, word) && strstr(line, other);
	fclose(f);
	return n;
}

void registry_expect_logged(const char *name, const char *word, const char *other, unsigned int n)
{
	/* Some seconds, even on a busy machine. */
	for (int tries = 0; tries < 2000 && count_logged(name, word, other) < n; tries++)
		usleep(5000);
	ck_assert_uint_eq(count_logged(name, word, other), n);
}
