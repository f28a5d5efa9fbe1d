/* SPDX-License-Identifier: MIT */
#include "tests/lib/token-server.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/registry.h"
#include "tests/lib/temporary.h"

#define REQUEST_MAX 8192

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static int listener = -1;
static EVP_PKEY *key;
static char *certificate; /* base64 of its DER form */
static struct token_server_options options;
static char last[REQUEST_MAX];
static unsigned int asked;

/* ---- tokens ----------------------------------------------------------------------------- */

static char *base64(const void *bytes, size_t len, bool url)
{
	char *text = malloc(4 * (len + 2) / 3 + 4);

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
	for (char *c = text; url && *c; c++) {
		if (*c == '=')
			*c = '\0';
		else if (*c == '+')
			*c = '-';
		else if (*c == '/')
			*c = '_';
	}
	return text;
}

static char *sign(const char *text)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t n = sizeof(signature);

	ck_assert_int_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	ck_assert_int_eq(
		EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	return base64(signature, n, true);
}

/* RFC 7519, with the claims of the registry. */
static char *make_token(const char *repository, int life)
{
	char claims[1024], *head, *middle, *signature, *text, *token;
	long now = time(NULL);

	ck_assert_int_gt(asprintf(&text, "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5c\":[\"%s\"]}",
				  certificate),
			 0);
	head = base64(text, strlen(text), true);
	free(text);
	snprintf(claims, sizeof(claims),
		 "{\"iss\":\"tokend\",\"sub\":\"\",\"aud\":\"reg\",\"exp\":%ld,\"nbf\":%ld,"
		 "\"iat\":%ld,\"jti\":\"%u\",\"access\":[{\"type\":\"repository\",\"name\":\"%s\","
		 "\"actions\":[\"pull\"%s]}]}",
		 now + life, now - 600, now - 600, asked, repository,
		 strstr(last, "push") && !options.read_only ? ",\"push\"" : "");
	middle = base64(claims, strlen(claims), true);
	ck_assert_int_gt(asprintf(&text, "%s.%s", head, middle), 0);
	signature = sign(text);
	ck_assert_int_gt(asprintf(&token, "%s.%s", text, signature), 0);
	free(head);
	free(middle);
	free(signature);
	free(text);
	return token;
}

/* ---- requests --------------------------------------------------------------------------- */

/* The repository of "scope=repository%3ANAME%3Apull", still encoded but for the slashes. */
static void scope_of(char *ret, size_t n)
{
	const char *at = strstr(last, "scope=repository%3A");
	size_t i = 0;

	for (at = at ? at + 19 : ""; *at && strncmp(at, "%3A", 3) != 0 && i < n - 1;) {
		if (strncmp(at, "%2F", 3) == 0) {
			ret[i++] = '/';
			at += 3;
		} else {
			ret[i++] = *at++;
		}
	}
	ret[i] = '\0';
}

static bool let_in(void)
{
	char pair[256], *encoded, field[512];

	if (strncmp(last, "POST ", 5) == 0) {
		snprintf(field, sizeof(field), "refresh_token=%s",
			 options.identity_token ? options.identity_token : "\n");
		return strstr(last, field) != NULL;
	}
	if (!options.user)
		return true;
	snprintf(pair, sizeof(pair), "%s:%s", options.user, options.password);
	encoded = base64(pair, strlen(pair), false);
	snprintf(field, sizeof(field), "Authorization: Basic %s\r\n", encoded);
	free(encoded);
	return strstr(last, field) != NULL;
}

static void answer(FILE *f)
{
	char repository[256], expires[64] = "";
	unsigned int status = options.status ? options.status : let_in() ? 200 : 401;
	char *token, *body;

	if (options.location) {
		fprintf(f,
			"HTTP/1.1 307 There\r\nLocation: %s\r\nContent-Length: 0\r\n"
			"Connection: close\r\n\r\n",
			options.location);
		return;
	}
	if (status != 200) {
		fprintf(f, "HTTP/1.1 %u No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
			status);
		return;
	}
	scope_of(repository, sizeof(repository));
	if (options.size) {
		fprintf(f, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"token\":\"");
		for (unsigned int i = 0; i < options.size; i++)
			fputc('A', f);
		fprintf(f, "\"}");
		return;
	}
	token = make_token(options.repository ? options.repository : repository,
			   options.life ? options.life : 300);
	if (options.expires_in)
		snprintf(expires, sizeof(expires), ",\"expires_in\":%u", options.expires_in);
	ck_assert_int_gt(asprintf(&body, "{\"%s\":\"%s\"%s}",
				  options.access_token ? "access_token" : "token", token, expires),
			 0);
	fprintf(f,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n%s",
		strlen(body), body);
	free(token);
	free(body);
}

/* Head, and as much of a body as it tells. */
static void take_request(int fd)
{
	size_t len = 0, want = 0;
	ssize_t n;

	last[0] = '\0';
	while (len < sizeof(last) - 1 && (n = read(fd, last + len, sizeof(last) - 1 - len)) > 0) {
		const char *end, *length;

		len += (size_t)n;
		last[len] = '\0';
		end = strstr(last, "\r\n\r\n");
		length = strcasestr(last, "Content-Length: ");
		if (end)
			want = (size_t)(end + 4 - last) +
			       (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
		if (end && len >= want)
			break;
	}
}

static void *serve(void *userp)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		FILE *f = fdopen(fd, "r+");

		pthread_mutex_lock(&lock);
		take_request(fd);
		if (last[0]) {
			asked++;
			while (options.hang)
				pthread_cond_wait(&changed, &lock);
			answer(f);
		}
		pthread_mutex_unlock(&lock);
		fclose(f);
	}
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------- */

static void load_key(void)
{
	char path[TEMPORARY_MAX + 16], command[1024];
	X509 *x;
	unsigned char *der = NULL;
	FILE *f;
	int n;

	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/tok.key -out %s/tok.crt "
		 "-subj /CN=tokend > /dev/null 2>&1",
		 registry_dir(), registry_dir());
	ck_assert_int_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s/tok.key", registry_dir());
	f = fopen(path, "re");
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	snprintf(path, sizeof(path), "%s/tok.crt", registry_dir());
	f = fopen(path, "re");
	x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	n = i2d_X509(x, &der);
	ck_assert(key && n > 0);
	certificate = base64(der, (size_t)n, false);
	OPENSSL_free(der);
	X509_free(x);
}

const char *token_server_start(const struct token_server_options *o)
{
	static char auth[512];
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	char own[64];

	/* Whoever has heard enough closes. */
	signal(SIGPIPE, SIG_IGN);
	load_key();
	options = *o;
	asked = 0;
	last[0] = '\0';
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
	snprintf(own, sizeof(own), "http://127.0.0.1:%u/token", ntohs(in.sin_port));
	snprintf(auth, sizeof(auth),
		 "{token: {realm: \"%s\", service: reg, issuer: tokend, rootcertbundle: "
		 "%s/tok.crt}}",
		 own, registry_dir());
	return auth;
}

void token_server_stop(void)
{
	if (listener < 0)
		return;
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	listener = -1;
	EVP_PKEY_free(key);
	free(certificate);
}

void token_server_change(const struct token_server_options *o)
{
	pthread_mutex_lock(&lock);
	options = *o;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

unsigned int token_server_asked(void)
{
	unsigned int n;

	pthread_mutex_lock(&lock);
	n = asked;
	pthread_mutex_unlock(&lock);
	return n;
}

char *token_server_last(char *buf, unsigned int n)
{
	pthread_mutex_lock(&lock);
	snprintf(buf, n, "%s", last);
	pthread_mutex_unlock(&lock);
	return buf;
}
