/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/daemon.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/util/cleanup.h"

#define ANSWER_MAX ((size_t)16 << 20)

/* ---- options ------------------------------------------------------------------------------ */

bool daemon_option(struct daemon *d, int opt)
{
	if (opt == DAEMON_OPT_SOCKET)
		d->socket = optarg;
	else if (opt == DAEMON_OPT_JSON)
		d->json = true;
	else
		return false;
	return true;
}

bool daemon_options(struct daemon *d, const struct ctl_syntax *syntax, int argc, char *argv[],
		    int *ret_status)
{
	int opt;

	while ((opt = ctl_getopt(syntax, argc, argv, ret_status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return false;
		daemon_option(d, opt);
	}
	return true;
}

/* ---- what is wrong ------------------------------------------------------------------------ */

/* To whoever asked to be told, else to people. */
static int __attribute__((format(printf, 2, 3)))
complain(const struct daemon *d, const char *fmt, ...)
{
	char text[DAEMON_ERROR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!d->error)
		return ctl_error("%s", text);
	snprintf(d->error, DAEMON_ERROR_MAX, "%s", text);
	return CTL_FAILED;
}

/* ---- the socket --------------------------------------------------------------------------- */

/* Who may not read the configuration, or has a broken one, looks at the default place. */
static char *configured_socket(void)
{
	struct config *config;
	char error[CONFIG_ERROR_MAX];
	char *path;

	if (config_new(&config) < 0)
		return NULL;
	(void)config_load(config, CACHEFILLD_CONF, error);
	path = strdup(config->control_socket);
	config_free(config);
	return path;
}

static int say_denied(const struct daemon *d, const char *path)
{
	const struct group *group;
	struct stat st;

	if (stat(path, &st) < 0 || st.st_gid == 0 || !(st.st_mode & S_IWGRP)) {
		complain(d, "%s: permission denied: ask as root", path);
	} else {
		group = getgrgid(st.st_gid);
		complain(d, "%s: permission denied: ask as root, or as a member of the group %s",
			 path, group ? group->gr_name : "that it has");
	}
	return CTL_DENIED;
}

static int say_absent(const struct daemon *d, const char *path, int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return say_denied(d, path);
	case ENOENT:
		complain(d,
			 "%s: there is no such socket: cachefilld does not run (systemctl status "
			 "cachefilld), or listens elsewhere (--socket, or control-socket in "
			 "cachefilld.conf)",
			 path);
		return CTL_ABSENT;
	case ECONNREFUSED:
		complain(d,
			 "%s: nobody listens there: cachefilld has ended (systemctl status "
			 "cachefilld, journalctl -u cachefilld)",
			 path);
		return CTL_ABSENT;
	default:
		complain(d, "%s: %s", path, strerror(err));
		return CTL_ABSENT;
	}
}

/* libcurl does not say why it cannot connect, so it is tried before. An exit status. */
static int try_socket(const struct daemon *d, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return complain(d, "%s: a path of a socket has up to 107 bytes", path);
	strcpy(address.sun_path, path);
	if (fd < 0)
		return complain(d, "%s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return say_absent(d, path, errno);
	return CTL_OK;
}

/* *ret_path is the caller's. */
static int find_daemon(const struct daemon *d, char **ret_path)
{
	_cleanup_free_ char *path = d->socket ? strdup(d->socket) : configured_socket();
	int status;

	if (!path)
		return complain(d, "out of memory");
	if (strcmp(path, "none") == 0) {
		complain(d, "the configuration has `control-socket = none`: this daemon cannot be "
			    "asked");
		return CTL_ABSENT;
	}
	status = try_socket(d, path);
	if (status == CTL_OK)
		*ret_path = steal(&path);
	return status;
}

/* ---- a request ---------------------------------------------------------------------------- */

struct exchange {
	const struct daemon *daemon;
	CURL *curl;
	struct curl_slist *head;
	char *path; /* owned: of the socket */
	bool (*take)(void *arg, const char *data, size_t n);
	void *arg;
	char *text; /* owned: the answer, or what was wrong */
	size_t len;
	bool stopped; /* by take() */
};

static void exchange_end(struct exchange *x)
{
	curl_easy_cleanup(x->curl);
	curl_slist_free_all(x->head);
	free(x->path);
	free(x->text);
}

static size_t keep(struct exchange *x, const char *data, size_t n)
{
	char *text = x->len + n < ANSWER_MAX ? realloc(x->text, x->len + n + 1) : NULL;

	if (!text)
		return 0;
	memcpy(text + x->len, data, n);
	x->text = text;
	x->len += n;
	text[x->len] = '\0';
	return n;
}

static size_t receive(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	long status = 0;

	n *= size;
	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	if (!x->take || status >= 400)
		return keep(x, data, n);
	x->stopped = !x->take(x->arg, data, n);
	return x->stopped ? 0 : n;
}

/* Whatever the environment says: it is our own socket. */
static void prepare(struct exchange *x, const char *method, const char *url, const char *body)
{
	curl_easy_setopt(x->curl, CURLOPT_URL, url);
	curl_easy_setopt(x->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(x->curl, CURLOPT_UNIX_SOCKET_PATH, x->path);
	curl_easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(x->curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (!x->take)
		curl_easy_setopt(x->curl, CURLOPT_TIMEOUT,
				 x->daemon->seconds ? (long)x->daemon->seconds : 60L);
	if (strcmp(method, "GET") == 0)
		return;
	curl_easy_setopt(x->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, body ? body : "");
	x->head = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->head);
}

/* The daemon has said no. */
static int say_refused(const struct exchange *x, long status)
{
	json_t *answer = x->text ? json_loads(x->text, 0, NULL) : NULL;
	const char *error = daemon_text(answer, "error"), *hint = daemon_text(answer, "hint");

	if (*error)
		complain(x->daemon, "%s%s%s", error, *hint ? ". " : "", hint);
	else
		complain(x->daemon, "the daemon has answered with status %ld", status);
	json_decref(answer);
	return status == 403 ? CTL_DENIED : CTL_FAILED;
}

/* It was there when it was looked for, and is not any more: it may come back. */
static bool is_gone(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING ||
	       code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
}

static int perform(struct exchange *x)
{
	CURLcode code = curl_easy_perform(x->curl);
	long status = 0;

	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
	if (x->stopped)
		return CTL_OK;
	if (code != CURLE_OK && status == 0) {
		complain(x->daemon, "the daemon does not answer: %s", curl_easy_strerror(code));
		return is_gone(code) ? CTL_ABSENT : CTL_FAILED;
	}
	if (status >= 400)
		return say_refused(x, status);
	if (code != CURLE_OK)
		return complain(x->daemon, "the daemon has ended: %s", curl_easy_strerror(code));
	return CTL_OK;
}

static int exchange(const struct daemon *d, struct exchange *x, const char *method, const char *uri,
		    const char *body)
{
	_cleanup_free_ char *url = NULL;
	int status = find_daemon(d, &x->path);

	if (status != CTL_OK)
		return status;
	x->curl = curl_easy_init();
	if (!x->curl || asprintf(&url, "http://localhost%s", uri) < 0)
		return complain(d, "out of memory");
	prepare(x, method, url, body);
	return perform(x);
}

int daemon_ask(const struct daemon *d, const char *method, const char *uri, json_t *body,
	       json_t **ret)
{
	_cleanup_(exchange_end) struct exchange x = { .daemon = d };
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int status =
		body && !text ? complain(d, "out of memory") : exchange(d, &x, method, uri, text);

	json_decref(body);
	if (status != CTL_OK)
		return status;
	*ret = json_loads(x.text ? x.text : "", 0, NULL);
	return *ret ? CTL_OK : complain(d, "the daemon has answered what is no JSON");
}

int daemon_stream(const struct daemon *d, const char *uri,
		  bool (*take)(void *arg, const char *data, size_t n), void *arg)
{
	_cleanup_(exchange_end) struct exchange x = { .daemon = d, .take = take, .arg = arg };

	return exchange(d, &x, "GET", uri, NULL);
}

char *daemon_encode(const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	char *copy = escaped ? strdup(escaped) : NULL;

	curl_free(escaped);
	return copy;
}

/* ---- answers ------------------------------------------------------------------------------ */

uint64_t daemon_number(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value < 0 ? 0 : (uint64_t)value;
}

double daemon_real(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

const char *daemon_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}
