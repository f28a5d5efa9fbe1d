/* SPDX-License-Identifier: MIT */
/*
 * What is stored in a registry: docker-registry(1) with passwords and tokens, and a server with
 * prepared answers for what no registry would say.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/oci.h"
#include "tests/lib/run-suite.h"
#include "tests/lib/shell.h"
#include "tests/lib/token-server.h"

#define LARGE (5u << 20) /* more than a server has to take before it says yes */

static struct host_put put;

static void start(void)
{
	static const char *const places[] = { "REGISTRY_AUTH_FILE", "DOCKER_CONFIG",
					      "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY", "HOME" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		unsetenv(places[i]);
	put = (struct host_put){ .fails_at = UINT64_MAX };
	registry_start();
}

static void stop(void)
{
	token_server_stop();
	registry_stop();
}

static const char *blob_locator(unsigned int port, const char *digest)
{
	char rest[REGISTRY_DIGEST_MAX + 16];

	snprintf(rest, sizeof(rest), "@%s?blob", digest);
	return locator(port, rest);
}

static void expect_put(unsigned int port, const char *digest, const void *bytes, size_t len,
		       int err, const char *word)
{
	int r = host_put(&host, &put, blob_locator(port, digest), NULL, bytes, len);

	ck_assert_msg(r == err, "%d instead of %d: %s", r, err, put.put.error);
	if (err < 0)
		ck_assert_msg(strstr(put.put.error, word), "%s", put.put.error);
}

static uint8_t *make(const char *name, size_t size, char digest[REGISTRY_DIGEST_MAX])
{
	uint8_t *bytes = malloc(size + 1);

	ck_assert_ptr_nonnull(bytes);
	pattern_fill(bytes, size, pattern_key(name), 0);
	registry_digest(bytes, size, digest);
	return bytes;
}

/* Puts a blob of that name and reads it again. */
static void put_and_read(unsigned int port, const char *name, size_t size)
{
	char digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make(name, size, digest);

	expect_put(port, digest, bytes, size, 0, "");
	ck_assert(!put.put.existed);
	ck_assert_uint_eq(put.off, size);
	if (size > 0)
		expect_bytes(blob_locator(port, digest), name, size, 3);
	free(bytes);
}

/* ---- a registry ------------------------------------------------------------------------- */

START_TEST(blobs_of_all_sizes)
{
	static const size_t sizes[] = { 0, 1, 4096, SIZE, LARGE };
	char name[16];

	host_for(registry_port(), NULL, NULL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "b%zu", i);
		put_and_read(registry_port(), name, sizes[i]);
	}
	host_stop(&host);
}
END_TEST

START_TEST(what_is_there_is_not_sent)
{
	char digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make("there", SIZE, digest);

	registry_put_blob(REPOSITORY, bytes, SIZE, NULL);
	host_for(registry_port(), NULL, NULL);
	expect_put(registry_port(), digest, bytes, SIZE, 0, "");
	ck_assert(put.put.existed);
	ck_assert_uint_eq(put.n_begun, 0);
	host_stop(&host);
	free(bytes);
}
END_TEST

START_TEST(image_that_was_put_can_be_listed)
{
	static const char *const refs[] = { ":v1", ":other.tag" };
	char layer[REGISTRY_DIGEST_MAX], config[REGISTRY_DIGEST_MAX], text[1024];
	uint8_t *bytes = make("layer", SIZE, layer);
	struct host_list list;

	registry_digest("{}", 2, config);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		 "\"mediaType\":\"application/vnd.oci.empty.v1+json\",\"digest\":\"%s\","
		 "\"size\":2},\"layers\":[{\"mediaType\":\"application/vnd.erofs.layer.v1\","
		 "\"digest\":\"%s\",\"size\":%u}]}",
		 config, layer, SIZE);
	host_for(registry_port(), NULL, NULL);
	expect_put(registry_port(), config, "{}", 2, 0, "");
	expect_put(registry_port(), layer, bytes, SIZE, 0, "");
	for (int i = 0; i < 2; i++) {
		const char *where = locator(registry_port(), refs[i]);

		ck_assert_msg(host_put(&host, &put, where, REGISTRY_MANIFEST, text, strlen(text)) ==
				      0,
			      "%s", put.put.error);
		ck_assert_msg(host_list(&host, &list, where) == 0, "%s", list.list.error);
		ck_assert_str_eq(list.list.manifest, text);
		ck_assert_str_eq(list.list.parts[0].digest, layer);
		fetch_list_end(&list.list);
	}
	host_stop(&host);
	free(bytes);
}
END_TEST

START_TEST(manifest_of_blobs_that_are_not_there)
{
	char text[1024], digest[REGISTRY_DIGEST_MAX];

	registry_digest("nobody has it", 13, digest);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"mediaType\":\"" REGISTRY_MANIFEST "\",\"config\":{"
		 "\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":13},\"layers\":[]}",
		 digest);
	host_for(registry_port(), NULL, NULL);
	ck_assert_int_eq(host_put(&host, &put, locator(registry_port(), ":v1"), REGISTRY_MANIFEST,
				  text, strlen(text)),
			 -EIO);
	ck_assert_msg(strstr(put.put.error, "BLOB_UNKNOWN"), "%s", put.put.error);
	ck_assert_msg(strstr(put.put.error, REPOSITORY ":v1"), "%s", put.put.error);
	host_stop(&host);
}
END_TEST

/* The registry looks at what it gets: nothing is there afterwards. */
START_TEST(other_bytes_than_the_digest_says)
{
	char digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make("honest", LARGE, digest);

	bytes[LARGE / 2] ^= 1;
	host_for(registry_port(), NULL, NULL);
	expect_put(registry_port(), digest, bytes, LARGE, -EIO, "DIGEST_INVALID");
	expect_look(blob_locator(registry_port(), digest), -ENOENT, "");
	/* And the right ones can still be put. */
	bytes[LARGE / 2] ^= 1;
	expect_put(registry_port(), digest, bytes, LARGE, 0, "");
	host_stop(&host);
	free(bytes);
}
END_TEST

START_TEST(bytes_that_cannot_be_read)
{
	char digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make("hidden", LARGE, digest);

	host_for(registry_port(), NULL, NULL);
	put.fails_at = LARGE - 5000;
	put.fails_with = -ENOSPC;
	expect_put(registry_port(), digest, bytes, LARGE, -ENOSPC, "No space left");
	put.fails_with = 0;
	expect_put(registry_port(), digest, bytes, LARGE, -EIO, "shorter");
	expect_look(blob_locator(registry_port(), digest), -ENOENT, "");
	put.fails_at = UINT64_MAX;
	expect_put(registry_port(), digest, bytes, LARGE, 0, "");
	host_stop(&host);
	free(bytes);
}
END_TEST

START_TEST(locators_that_nothing_can_be_put_at)
{
	host_for(registry_port(), NULL, NULL);
	ck_assert_int_eq(
		host_put(&host, &put, locator(registry_port(), ":v1?layer=0"), NULL, "x", 1),
		-EINVAL);
	ck_assert_int_eq(host_put(&host, &put, "oci://elsewhere.example/a:b", NULL, "x", 1),
			 -EACCES);
	ck_assert_int_eq(host_put(&host, &put, "oci://nothing", NULL, "x", 1), -EINVAL);
	host_stop(&host);
}
END_TEST

/* Wherever it is: done() comes, and everything is freed. */
START_TEST(cancel_at_any_time)
{
	char digest[REGISTRY_DIGEST_MAX], name[32];

	host_for(registry_port(), NULL, NULL);
	for (int turns = 0; turns < 24; turns++) {
		/* A registry that still moves the last one fails when it is asked for that. */
		uint8_t *bytes;

		snprintf(name, sizeof(name), "canceled %d", turns);
		bytes = make(name, LARGE, digest);
		host_put_start(&host, &put, blob_locator(registry_port(), digest), NULL, bytes,
			       LARGE);
		for (int i = 0; i < turns && put.n_done == 0; i++)
			host_turn(&host);
		if (put.n_done == 0)
			host_put_cancel(&put);
		host_put_wait(&put);
		ck_assert_msg(put.err == 0 || put.err == -ECANCELED, "after %d turns: %d: %s",
			      turns, put.err, put.put.error);
		free(bytes);
	}
	host_stop(&host);
}
END_TEST

/* ---- who may ---------------------------------------------------------------------------- */

#define ALADDIN "\"auth\":\"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\"" /* Aladdin:open sesame */
#define ALI	"\"auth\":\"QWxpOm9wZW4gc2VzYW1l\""	    /* Ali:open sesame */

static const char *auth_for(unsigned int port, const char *member)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%u\":{%s}}}", port, member);
	return put_file("auth.json", text);
}

START_TEST(with_a_password)
{
	char auth[TEMPORARY_MAX + 64], command[256], digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make("refused", LARGE, digest);
	unsigned int port;

	snprintf(command, sizeof(command), "htpasswd -Bbn Aladdin 'open sesame' > %s/htpasswd",
		 registry_dir());
	ck_assert_int_eq(system(command), 0);
	snprintf(auth, sizeof(auth), "{htpasswd: {realm: t, path: %s/htpasswd}}", registry_dir());
	port = registry_open("door", NULL, auth, NULL);

	host_for(port, "auth-file", auth_for(port, ALADDIN));
	put_and_read(port, "known", LARGE);
	host_stop(&host);
	host_for(port, "auth-file", auth_for(port, ALI));
	expect_put(port, digest, bytes, LARGE, -EACCES, "refused");
	host_stop(&host);
	host_for(port, NULL, NULL);
	expect_put(port, digest, bytes, LARGE, -EACCES, "password");
	ck_assert_uint_eq(put.n_begun, 0);
	host_stop(&host);
	free(bytes);
}
END_TEST

START_TEST(with_a_token_for_both)
{
	unsigned int port;
	char last[4096];

	port = registry_open("door", NULL,
			     token_server_start(&(struct token_server_options){
				     .user = "Aladdin", .password = "open sesame" }),
			     NULL);
	host_for(port, "auth-file", auth_for(port, ALADDIN));
	put_and_read(port, "first", LARGE);
	put_and_read(port, "second", SIZE);
	/* One for all: it was asked for with the right scope at once. */
	ck_assert_uint_eq(token_server_asked(), 1);
	ck_assert_ptr_nonnull(
		strstr(token_server_last(last, sizeof(last)), "team%2Fimage%3Apull%2Cpush"));
	host_stop(&host);
}
END_TEST

START_TEST(after_reads_with_a_token)
{
	struct token_server_options options = { .user = NULL };
	unsigned int port = registry_open("door", NULL, token_server_start(&options), NULL);

	host_for(port, NULL, NULL);
	expect_look(locator(port, ":none"), -ENOENT, "");
	put_and_read(port, "first", LARGE);
	ck_assert_uint_eq(token_server_asked(), 2);
	host_stop(&host);
}
END_TEST

START_TEST(token_that_is_good_for_reading_only)
{
	struct token_server_options options = { .read_only = true };
	unsigned int port = registry_open("door", NULL, token_server_start(&options), NULL);
	char digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make("refused", LARGE, digest);

	host_for(port, NULL, NULL);
	expect_put(port, digest, bytes, LARGE, -EACCES, "UNAUTHORIZED");
	ck_assert_uint_eq(put.n_begun, 0);
	ck_assert_uint_le(token_server_asked(), 3);
	host_stop(&host);
	free(bytes);
}
END_TEST

/* ---- strange servers -------------------------------------------------------------------- */

/* One answer per connection, in their order; heads are kept. */
struct script {
	int listener;
	const char *const *answers; /* NULL ends; "": closes without one */
	char heads[8][4096];
	int n_heads;
	pthread_t thread;
};

static void *play(void *userp)
{
	struct script *s = userp;

	for (int i = 0; s->answers[i]; i++) {
		int fd = accept(s->listener, NULL, NULL);
		size_t len = 0;
		ssize_t n = 1;

		if (fd < 0)
			return NULL;
		while (n > 0 && !memmem(s->heads[i], len, "\r\n\r\n", 4)) {
			n = read(fd, s->heads[i] + len, sizeof(s->heads[i]) - 1 - len);
			len += n > 0 ? (size_t)n : 0;
		}
		s->n_heads = i + 1;
		ck_assert(write(fd, s->answers[i], strlen(s->answers[i])) >= 0);
		shutdown(fd, SHUT_WR);
		while (read(fd, (char[4096]){ 0 }, 4096) > 0)
			;
		close(fd);
	}
	return NULL;
}

static unsigned int script_start(struct script *s, const char *const *answers)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	*s = (struct script){ .answers = answers };
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(s->listener, 8), 0);
	ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
	pthread_create(&s->thread, NULL, play, s);
	return ntohs(in.sin_port);
}

static void script_stop(struct script *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

#define HEAD(status)   "HTTP/1.1 " status "\r\nConnection: close\r\n"
#define EMPTY(status)  HEAD(status) "Content-Length: 0\r\n\r\n"
#define NOT_THERE      EMPTY("404 Not Found")
#define ACCEPTED(rest) HEAD("202 Accepted") rest "Content-Length: 0\r\n\r\n"

START_TEST(servers_that_lose_their_way)
{
	static const struct {
		const char *answers[5];
		int err;
		const char *word;
	} cases[] = {
		{ { "" }, -ECONNRESET, "" },
		{ { EMPTY("500 No") }, -EAGAIN, "status 500" },
		{ { NOT_THERE, EMPTY("404 No") }, -EIO, "status 404" },
		{ { NOT_THERE, EMPTY("413 Too much") }, -EIO, "status 413" },
		{ { NOT_THERE, ACCEPTED("") }, -EPROTO, "where to send" },
		{ { NOT_THERE, ACCEPTED("Location: ftp://127.0.0.1/x\r\n") }, -EACCES, "no web" },
		{ { NOT_THERE, EMPTY("307 There\r\nLocation: /there") }, -EACCES, "to send" },
		{ { NOT_THERE, ACCEPTED("Location: /up?x=1\r\n"), EMPTY("307 T\r\nLocation: /y") },
		  -EACCES,
		  "to send" },
		{ { NOT_THERE, ACCEPTED("Location: /up\r\n"), "" }, -ECONNRESET, "" },
		{ { NOT_THERE, ACCEPTED("Location: up\r\n"), EMPTY("503 Full") },
		  -EAGAIN,
		  "status 503" },
		{ { NOT_THERE, ACCEPTED("Location: /up\r\n"),
		    HEAD("400 No") "Content-Length: 60\r\n\r\n{\"errors\":[{\"code\":\"SIZE_"
				   "INVALID\",\"message\":\"a\\u001bb\"}]}    " },
		  -EIO,
		  "SIZE_INVALID: a?b" },
		{ { NOT_THERE, ACCEPTED("Location: /up\r\n"),
		    HEAD("201 Made") "Docker-Content-Digest: sha256:00\r\n\r\n" },
		  -EPROTO,
		  "something else" },
		{ { NOT_THERE, ACCEPTED("Location: /up\r\n"), EMPTY("201 Made") }, 0, "" },
	};
	char digest[REGISTRY_DIGEST_MAX];
	uint8_t *bytes = make("lost", 1000, digest);
	struct script script;
	unsigned int port = script_start(&script, cases[_i].answers);

	host_for(port, NULL, NULL);
	expect_put(port, digest, bytes, 1000, cases[_i].err, cases[_i].word);
	host_stop(&host);
	script_stop(&script);
	free(bytes);
}
END_TEST

/* The bytes go where the registry wants them, our fields do not. */
START_TEST(uploads_that_are_elsewhere)
{
	static const char *const there_answers[] = { EMPTY("201 Made"), NULL };
	static char begin[512];
	const char *const here_answers[] = {
		HEAD("401 Who") "WWW-Authenticate: Basic realm=\"r\"\r\n\r\n", NOT_THERE, begin,
		NULL
	};
	char digest[REGISTRY_DIGEST_MAX], line[128];
	uint8_t *bytes = make("elsewhere", 1000, digest);
	struct script here, there;
	unsigned int port_there = script_start(&there, there_answers), port;

	snprintf(begin, sizeof(begin),
		 HEAD("202 Go") "Location: http://127.0.0.1:%u/up?a=b\r\nContent-Length: 0\r\n\r\n",
		 port_there);
	port = script_start(&here, here_answers);
	host_for(port, "auth-file", auth_for(port, ALADDIN));
	expect_put(port, digest, bytes, 1000, 0, "");
	host_stop(&host);
	script_stop(&here);
	script_stop(&there);
	ck_assert_ptr_nonnull(strstr(here.heads[2], "\r\nAuthorization: Basic "));
	ck_assert_ptr_null(strstr(there.heads[0], "Authorization"));
	snprintf(line, sizeof(line), "PUT /up?a=b&digest=%s HTTP/1.1\r\n", digest);
	ck_assert_msg(strncmp(there.heads[0], line, strlen(line)) == 0, "%s", there.heads[0]);
	ck_assert_ptr_nonnull(strstr(there.heads[0], "\r\nContent-Length: 1000\r\n"));
	free(bytes);
}
END_TEST

static void add_real(TCase *t)
{
	tcase_add_unchecked_fixture(t, registry_begin, registry_end);
	tcase_add_checked_fixture(t, start, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, blobs_of_all_sizes);
	tcase_add_test(t, what_is_there_is_not_sent);
	tcase_add_test(t, image_that_was_put_can_be_listed);
	tcase_add_test(t, manifest_of_blobs_that_are_not_there);
	tcase_add_test(t, other_bytes_than_the_digest_says);
	tcase_add_test(t, bytes_that_cannot_be_read);
	tcase_add_test(t, locators_that_nothing_can_be_put_at);
	tcase_add_test(t, cancel_at_any_time);
	tcase_add_test(t, with_a_token_for_both);
	tcase_add_test(t, after_reads_with_a_token);
	tcase_add_test(t, token_that_is_good_for_reading_only);
	if (have("htpasswd"))
		tcase_add_test(t, with_a_password);
	tcase_add_loop_test(t, servers_that_lose_their_way, 0, 13);
	tcase_add_test(t, uploads_that_are_elsewhere);
}

int main(void)
{
	Suite *s = suite_create("oci-put");
	TCase *t = tcase_create("put");

	if (!registry_installed() || !have("openssl"))
		return skip_all("docker-registry or openssl is not installed");
	add_real(t);
	suite_add_tcase(s, t);
	return run_suite(s);
}
