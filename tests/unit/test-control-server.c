/* SPDX-License-Identifier: MIT */
/*
 * The control socket and those who use it badly: slow, many, gone. Its place in the file system, and
 * who may use it: test-control-socket.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/events.h"
#include "daemon/control/server.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/control-fixture.h"

#define METRICS	 "GET /metrics HTTP/1.1\r\nHost: c\r\n\r\n"
#define PATIENCE (SERVER_PATIENCE_SECONDS * SEC)

static unsigned int clients(void)
{
	return server_clients(control->server);
}

static int connect_client(void)
{
	return control_client_connect(control, rig.loop);
}

static void send_text(int fd, const char *text)
{
	control_client_send(fd, text, strlen(text));
}

static bool is_closed(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* Somebody who behaves is answered. */
static void ask_status(void)
{
	struct client_answer answer;

	control_client_ask(control, rig.loop, "GET", "/v1/status", NULL, &answer);
	ck_assert_int_eq(answer.status, 200);
	control_client_end(&answer);
}

/* ---- slow ones ---------------------------------------------------------------------------- */

START_TEST(a_request_has_to_come_in_time)
{
	int silent = connect_client(), slow = connect_client();

	send_text(slow, "GET /v1/status HT");
	rig_run(PATIENCE - SEC);
	ck_assert(!is_closed(silent) && !is_closed(slow));
	rig_run(2 * SEC);
	ck_assert(is_closed(silent) && is_closed(slow));
	ck_assert_uint_eq(clients(), 0);
	close(silent);
	close(slow);
}
END_TEST

/* A byte a second would keep a time-out of inactivity at bay for ever. */
START_TEST(a_byte_a_second_does_not_help)
{
	static const char text[] = "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n";
	int fd = connect_client();
	unsigned int i = 0;

	while (clients() > 0 && i < sizeof(text) - 1) {
		(void)!send(fd, &text[i++], 1, MSG_NOSIGNAL);
		rig_run(SEC);
	}
	ck_assert_uint_le(i, SERVER_PATIENCE_SECONDS + 1);
	ck_assert(is_closed(fd));
	close(fd);
}
END_TEST

START_TEST(a_body_has_to_come_in_time)
{
	int fd = connect_client();

	send_text(fd, "POST /v1/purge HTTP/1.1\r\nHost: c\r\nContent-Length: 100\r\n\r\n{");
	rig_run(PATIENCE + SEC);
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(clients(), 0);
	close(fd);
}
END_TEST

START_TEST(an_answer_has_to_be_taken_in_time)
{
	int fd = connect_client(), small = 4096;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (unsigned int i = 0; i < 200; i++)
		(void)!send(fd, METRICS, sizeof(METRICS) - 1, MSG_NOSIGNAL);
	rig_run(PATIENCE - SEC);
	ck_assert_uint_eq(clients(), 1);
	ask_status();
	rig_run(10 * PATIENCE);
	ck_assert_uint_eq(clients(), 0);
	close(fd);
}
END_TEST

START_TEST(a_connection_is_used_again)
{
	struct client_answer answer;
	int fd = connect_client();

	for (unsigned int i = 0; i < 3; i++) {
		send_text(fd, "GET /v1/log-level HTTP/1.1\r\nHost: c\r\n\r\n");
		control_client_receive(fd, rig.loop, &answer);
		ck_assert_int_eq(answer.status, 200);
		control_client_end(&answer);
		rig_run(PATIENCE - SEC);
	}
	rig_run(2 * SEC);
	ck_assert(is_closed(fd));
	close(fd);
}
END_TEST

/* ---- bad ones ----------------------------------------------------------------------------- */

START_TEST(what_is_no_http_is_refused)
{
	static const char *const texts[] = {
		"\r\n\r\n\r\n\r\n",
		"hello\r\n\r\n",
		"GET\r\n\r\n",
		"GET / FTP/1.1\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/purge HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET * HTTP/1.1\r\nHost: c\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int fd = connect_client();

		send_text(fd, texts[i]);
		rig_run(PATIENCE + SEC);
		ck_assert_msg(is_closed(fd), "%zu", i);
		close(fd);
	}
	ck_assert_uint_eq(clients(), 0);
	ask_status();
}
END_TEST

START_TEST(a_head_without_an_end_is_refused)
{
	char line[1024];
	int fd = connect_client();

	memset(line, 'x', sizeof(line));
	memcpy(line, "X-A: ", 5);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	send_text(fd, "GET /v1/status HTTP/1.1\r\nHost: c\r\n");
	for (unsigned int i = 0; i < 100; i++)
		if (send(fd, line, sizeof(line), MSG_NOSIGNAL) < 0)
			break;
	rig_run(SEC);
	ck_assert(is_closed(fd));
	close(fd);
}
END_TEST

START_TEST(whoever_goes_is_forgotten)
{
	static const char *const texts[] = {
		"",
		"GET",
		"GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n",
		"POST /v1/purge HTTP/1.1\r\nHost: c\r\nContent-Length: 9\r\n\r\n{",
		"GET /v1/events HTTP/1.1\r\nHost: c\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int fd = connect_client();

		send_text(fd, texts[i]);
		close(fd);
	}
	rig_run(SEC);
	ck_assert_uint_eq(clients(), 0);
}
END_TEST

/* ---- many --------------------------------------------------------------------------------- */

#define CROWD 1000

START_TEST(a_thousand_clients_are_all_answered)
{
	static int fds[CROWD];
	struct rlimit limit = { 4096, 4096 };
	unsigned int left = 0, answered = 0, most = 0;

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	listen_here();
	for (unsigned int i = 0; i < CROWD; i++) {
		fds[i] = connect_to(path);
		if (fds[i] < 0)
			continue; /* net.core.somaxconn */
		left++;
		send_text(fds[i], "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n");
	}
	ck_assert_uint_ge(left, SERVER_CLIENTS_MAX + 1);
	while (left > 0) {
		ck_assert_int_eq(loop_turn(rig.loop), 0);
		most = clients() > most ? clients() : most;
		for (unsigned int i = 0; i < CROWD; i++) {
			char buf[4096];
			ssize_t n = fds[i] < 0 ? -1 : recv(fds[i], buf, sizeof(buf), 0);

			if (n < 0)
				continue;
			answered += n > 12 && memcmp(buf, "HTTP/1.1 200", 12) == 0;
			close(fds[i]);
			fds[i] = -1;
			left--;
		}
	}
	ck_assert_uint_ge(answered, SERVER_CLIENTS_MAX + 1);
	ck_assert_uint_eq(most, SERVER_CLIENTS_MAX);
}
END_TEST

/* All places are taken by those who say nothing; after their time the others come in. */
START_TEST(silent_ones_make_room)
{
	static int fds[SERVER_CLIENTS_MAX];
	struct client_answer answer;
	int fd;

	listen_here();
	for (unsigned int i = 0; i < SERVER_CLIENTS_MAX; i++)
		fds[i] = connect_to(path);
	rig_run(SEC);
	ck_assert_uint_eq(clients(), SERVER_CLIENTS_MAX);
	fd = connect_to(path);
	send_text(fd, "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n");
	control_client_receive(fd, rig.loop, &answer);
	ck_assert_int_eq(answer.status, 200);
	control_client_end(&answer);
	close(fd);
	for (unsigned int i = 0; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
}
END_TEST

START_TEST(readers_are_served_while_clients_shout)
{
	struct emu_mount *mount = rig_mount(rig_serve("blob", 16 * MIB));
	int fds[SERVER_CLIENTS_MAX / 2];
	size_t n = sizeof(fds) / sizeof(fds[0]);

	for (size_t i = 0; i < n; i++)
		fds[i] = connect_client();
	for (uint64_t off = 0; off < 16 * MIB; off += 2 * MIB) {
		for (size_t i = 0; i < n; i++)
			(void)!send(fds[i], METRICS, sizeof(METRICS) - 1, MSG_NOSIGNAL);
		ck_assert_int_eq(rig_read(mount, off, 64 * KIB), 0);
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	rig_umount(mount);
}
END_TEST

/* ---- events ------------------------------------------------------------------------------- */

static int listen_to_events(void)
{
	int fd = connect_client();

	send_text(fd, "GET /v1/events?slow-ms=500 HTTP/1.1\r\nHost: c\r\n\r\n");
	rig_run(SEC / 10);
	return fd;
}

/* Appends what has come. */
static void collect(int fd, char *text, size_t max)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len < max - 1 && (n = recv(fd, text + len, max - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

START_TEST(events_are_told)
{
	struct fake_origin *origin = rig_serve("blob", 4 * MIB);
	static char text[65536];
	int fd = listen_to_events();
	struct emu_mount *mount = rig_mount(origin);

	origin->delay = SEC;
	ck_assert_int_eq(rig_read(mount, 2 * MIB, 4 * KIB), 0);
	origin->fail_always = true;
	origin->read_error = -EIO;
	ck_assert_int_ne(rig_read(mount, 3 * MIB + 512 * KIB, 4 * KIB), 0);
	rig_umount(mount);
	rig_run(SEC);
	text[0] = '\0';
	collect(fd, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "application/x-ndjson"));
	ck_assert_ptr_nonnull(strstr(text, "{\"event\":\"listening\"}"));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"opened\""));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"read-slow\""));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"fetch-failed\""));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"read-failed\""));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"closed\""));
	close(fd);
}
END_TEST

START_TEST(what_a_listener_does_not_take_is_counted)
{
	struct fake_origin *origin = rig_serve("a-name-that-is-rather-long-so-that-it-fills", MIB);
	static char text[4 << 20];
	int fd = listen_to_events();

	for (unsigned int i = 0; i < 3000; i++)
		rig_umount(rig_mount(origin));
	text[0] = '\0';
	for (unsigned int i = 0; i < 200; i++) {
		collect(fd, text, sizeof(text));
		rig_run(SEC / 100);
	}
	rig_umount(rig_mount(origin));
	rig_run(SEC);
	collect(fd, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "\"event\":\"dropped\""));
	close(fd);
}
END_TEST

START_TEST(a_listener_that_has_gone_is_noticed)
{
	int fd = listen_to_events();

	ck_assert_uint_eq(clients(), 1);
	close(fd);
	rig_run(60 * SEC);
	ck_assert_uint_eq(clients(), 0);
}
END_TEST

START_TEST(listeners_are_few)
{
	int fds[EVENTS_STREAMS_MAX];
	struct client_answer answer;

	for (unsigned int i = 0; i < EVENTS_STREAMS_MAX; i++)
		fds[i] = listen_to_events();
	control_client_ask(control, rig.loop, "GET", "/v1/events", NULL, &answer);
	ck_assert_int_eq(answer.status, 503);
	control_client_end(&answer);
	for (unsigned int i = 0; i < EVENTS_STREAMS_MAX; i++)
		close(fds[i]);
	rig_run(60 * SEC);
	fds[0] = listen_to_events();
	ck_assert_uint_eq(clients(), 1);
	close(fds[0]);
}
END_TEST

START_TEST(the_daemon_may_end_meanwhile)
{
	int events = listen_to_events(), half = connect_client(), whole = connect_client();

	send_text(half, "POST /v1/purge HTTP/1.1\r\nHost: c\r\nContent-Length: 9\r\n\r\n{");
	send_text(whole, "GET /v1/status HTTP/1.1\r\nHost: c\r\n\r\n");
	ck_assert_int_eq(loop_turn(rig.loop), 0);
	control = control_free(control);
	ck_assert(is_closed(events) && is_closed(half) && is_closed(whole));
	close(events);
	close(half);
	close(whole);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clients of the control socket");
	TCase *slow = tcase_create("slow and bad"), *many = tcase_create("many");
	TCase *events = tcase_create("events");

	tcase_add_checked_fixture(slow, setup, teardown);
	tcase_set_timeout(slow, 60);
	tcase_add_test(slow, a_request_has_to_come_in_time);
	tcase_add_test(slow, a_byte_a_second_does_not_help);
	tcase_add_test(slow, a_body_has_to_come_in_time);
	tcase_add_test(slow, an_answer_has_to_be_taken_in_time);
	tcase_add_test(slow, a_connection_is_used_again);
	tcase_add_test(slow, what_is_no_http_is_refused);
	tcase_add_test(slow, a_head_without_an_end_is_refused);
	tcase_add_test(slow, whoever_goes_is_forgotten);
	suite_add_tcase(suite, slow);
	tcase_add_checked_fixture(many, setup, teardown);
	tcase_set_timeout(many, 60);
	tcase_add_test(many, a_thousand_clients_are_all_answered);
	tcase_add_test(many, silent_ones_make_room);
	tcase_add_test(many, readers_are_served_while_clients_shout);
	suite_add_tcase(suite, many);
	tcase_add_checked_fixture(events, setup, teardown);
	tcase_set_timeout(events, 60);
	tcase_add_test(events, events_are_told);
	tcase_add_test(events, what_a_listener_does_not_take_is_counted);
	tcase_add_test(events, a_listener_that_has_gone_is_noticed);
	tcase_add_test(events, listeners_are_few);
	tcase_add_test(events, the_daemon_may_end_meanwhile);
	suite_add_tcase(suite, events);
	return run_suite(suite);
}
