/* SPDX-License-Identifier: MIT */
/*
 * The device of a replay, with the test as its daemon: what a daemon does wrong is noticed.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/replay/port-replay.h"
#include "proto/cachefiles.h"
#include "tests/lib/run-suite.h"

#define SIZE 100000

static struct cachefiles *files;
static struct port_replay *replay;
static struct port *port;
static struct catalog_object object;
static struct catalog_version version;
static struct port_request open_request, read_request, close_request;
static struct cf_msg msg; /* the last that was received */
static unsigned int answered, released, breaches;
static char breach[256];

static void note_delivered(void *arg, struct port_request *request)
{
}

static void note_answered(void *arg, struct port_request *request)
{
	answered++;
}

static void note_released(void *arg, struct catalog_object *o)
{
	released++;
}

static void note_idle(void *arg)
{
}

static void note_breach(void *arg, const struct catalog_object *o, const char *what)
{
	breaches++;
	snprintf(breach, sizeof(breach), "%s", what);
}

static void setup(void)
{
	static const struct port_replay_events events = {
		.delivered = note_delivered,
		.answered = note_answered,
		.released = note_released,
		.idle = note_idle,
		.breach = note_breach,
	};
	char error[CATALOG_ERROR_MAX];

	object = (struct catalog_object){ .volume = bytes_str("v"), .cookie = bytes_str("c") };
	version = (struct catalog_version){ .size = SIZE };
	open_request = read_request = close_request = (struct port_request){ .len = 0 };
	answered = released = breaches = 0;
	ck_assert_int_eq(cachefiles_new(&files, "/var/tmp", error), 0);
	ck_assert_int_eq(port_replay_new(&replay, &port, files, &events, NULL), 0);
}

static bool is_readable(void)
{
	struct pollfd fd = { .fd = port->fd, .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void receive(void)
{
	_Alignas(8) static uint8_t buf[CACHEFILES_MSG_MAX_SIZE];
	ssize_t n;

	ck_assert(is_readable());
	n = port->ops->receive(port, buf, sizeof(buf));
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(cf_parse(&msg, buf, (size_t)n), CF_OK);
}

static int say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int say(const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return port->ops->command(port, text, (size_t)n);
}

/* An object that is open; returns the daemon's descriptor. */
static int open_object(void)
{
	ck_assert_int_eq(port_replay_open(replay, &open_request, &object, &version), 0);
	receive();
	ck_assert_int_eq(say("copen %u,%d", msg.msg_id, SIZE), 0);
	ck_assert_uint_eq(breaches, 0);
	return msg.open.fd;
}

static uint32_t ask_read(void)
{
	read_request.off = 4096;
	read_request.len = 4096;
	port_replay_read(replay, &read_request, open_request.handle);
	receive();
	ck_assert_uint_eq(msg.read.off, 4096);
	return msg.msg_id;
}

/* The device is closed as a daemon should, and nothing is left. */
static void finish(int fd)
{
	if (fd >= 0)
		port->ops->release(port, fd);
	port->ops->free(port);
	port_replay_close(replay, &close_request, open_request.handle);
	replay = port_replay_free(replay);
	files = cachefiles_free(files);
	ck_assert_ptr_null(object.file);
}

static void ck_breach(const char *what)
{
	ck_assert_uint_eq(breaches, 1);
	ck_assert_msg(strstr(breach, what), "%s", breach);
}

START_TEST(messages_are_those_of_the_kernel)
{
	int fd;

	ck_assert(!is_readable());
	ck_assert_int_eq(port_replay_open(replay, &open_request, &object, &version), 0);
	receive();
	ck_assert(!is_readable());
	ck_assert_uint_eq(msg.opcode, CACHEFILES_OP_OPEN);
	ck_assert(bytes_equal(msg.open.volume, object.volume));
	ck_assert(bytes_equal(msg.open.cookie, object.cookie));
	fd = msg.open.fd;
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 102400); /* whole blocks */
	ck_assert_int_eq(say("copen %u,%d", msg.msg_id, SIZE), 0);
	ck_assert_uint_eq(open_request.size, SIZE);
	ck_assert_uint_eq(answered, 1);
	ck_assert_int_eq(port->ops->complete(port, fd, ask_read()), 0);
	ck_assert_uint_eq(answered, 2);
	finish(fd);
	ck_assert_uint_eq(breaches, 0);
	ck_assert_uint_eq(released, 1);
}
END_TEST

START_TEST(a_missing_answer_is_noticed)
{
	int fd = open_object();

	ask_read();
	port->ops->release(port, fd);
	ck_breach("before a request of its object was answered");
	ck_assert(read_request.unanswered);
	ck_assert_uint_eq(answered, 2);
	finish(-1);
}
END_TEST

START_TEST(a_missing_copen_is_noticed)
{
	ck_assert_int_eq(port_replay_open(replay, &open_request, &object, &version), 0);
	receive();
	finish(msg.open.fd);
	ck_breach("before a request of its object was answered");
	ck_assert(open_request.unanswered);
}
END_TEST

START_TEST(a_message_that_was_never_read_is_not_answered)
{
	int fd = open_object();

	port_replay_read(replay, &read_request, open_request.handle);
	finish(fd);
	ck_assert(read_request.unanswered);
}
END_TEST

START_TEST(a_second_answer_is_noticed)
{
	int fd = open_object();
	uint32_t id = ask_read();

	ck_assert_int_eq(port->ops->complete(port, fd, id), 0);
	ck_assert_int_eq(port->ops->complete(port, fd, id), -EINVAL);
	ck_breach("no unanswered one of its object");
	finish(fd);
}
END_TEST

START_TEST(a_copen_for_a_read_is_noticed)
{
	int fd = open_object();

	ck_assert_int_eq(say("copen %u,5", ask_read()), -EINVAL);
	ck_breach("no unanswered OPEN");
	ck_assert_uint_eq(answered, 1);
	ck_assert_int_eq(port->ops->complete(port, fd, msg.msg_id), 0);
	finish(fd);
}
END_TEST

START_TEST(other_commands_are_noticed)
{
	int fd = open_object();

	ck_assert_int_eq(say("cull x"), -EINVAL);
	ck_breach("no copen");
	ck_assert_int_eq(say("copen %u,5 ", msg.msg_id), -EINVAL);
	ck_assert_uint_eq(breaches, 2);
	finish(fd);
}
END_TEST

START_TEST(a_wrong_descriptor_is_noticed)
{
	int fd = open_object();
	uint32_t id = ask_read();

	ck_assert_int_eq(port->ops->complete(port, 0, id), -EBADF);
	ck_breach("no descriptor of an object");
	ck_assert_int_eq(port->ops->complete(port, fd, id), 0);
	port->ops->release(port, 0);
	ck_assert_uint_eq(breaches, 2);
	finish(fd);
}
END_TEST

START_TEST(a_descriptor_that_is_left_is_noticed)
{
	int fd = open_object();

	finish(-1);
	ck_breach("the device closed before a descriptor");
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(a_read_that_is_closed_is_withdrawn)
{
	int fd = open_object();
	uint32_t id = ask_read();

	ck_assert(port_replay_close(replay, &close_request, open_request.handle));
	receive();
	ck_assert_uint_eq(msg.opcode, CACHEFILES_OP_CLOSE);
	ck_assert_int_eq(port->ops->complete(port, fd, id), -EINVAL);
	ck_assert_int_eq(read_request.error, -ECANCELED);
	ck_assert_uint_eq(object.closing, 1);
	port->ops->release(port, fd);
	ck_assert_uint_eq(object.closing, 0);
	port->ops->free(port);
	port_replay_free(replay);
	cachefiles_free(files);
	ck_assert_uint_eq(breaches, 0);
}
END_TEST

START_TEST(bytes_beyond_the_last_block_are_seen)
{
	static const char block[4096];
	int fd = open_object();

	ck_assert_uint_eq(cachefile_beyond(object.file), 0);
	ck_assert_int_eq(pwrite(fd, block, sizeof(block), 102400), sizeof(block));
	ck_assert_uint_eq(cachefile_beyond(object.file), 4096);
	ck_assert(!cachefile_present(object.file, 98304, 4096));
	ck_assert_int_eq(pwrite(fd, block, sizeof(block), 98304), sizeof(block));
	ck_assert(cachefile_present(object.file, 98304, 4096));
	ck_assert(!cachefile_present(object.file, 94208, 8192));
	ck_assert(!cachefile_present(object.file, 98304, 0));
	finish(fd);
}
END_TEST

START_TEST(keys_that_fit_no_message_are_refused)
{
	static const uint8_t key[1024];

	object.cookie = bytes_of(key, 1024 - 16 - 16 - 1 - 1);
	ck_assert_int_eq(port_replay_open(replay, &open_request, &object, &version), 0);
	object.volume = bytes_of(key, 2);
	ck_assert_int_eq(port_replay_open(replay, &close_request, &object, &version),
			 -ENAMETOOLONG);
	object.volume = bytes_str("v");
	receive();
	say("copen %u,-2", msg.msg_id);
	ck_assert_int_eq(open_request.error, -ENOENT);
	finish(msg.open.fd);
	ck_assert_uint_eq(breaches, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replay-port");
	TCase *t = tcase_create("port");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, messages_are_those_of_the_kernel);
	tcase_add_test(t, a_missing_answer_is_noticed);
	tcase_add_test(t, a_missing_copen_is_noticed);
	tcase_add_test(t, a_message_that_was_never_read_is_not_answered);
	tcase_add_test(t, a_second_answer_is_noticed);
	tcase_add_test(t, a_copen_for_a_read_is_noticed);
	tcase_add_test(t, other_commands_are_noticed);
	tcase_add_test(t, a_wrong_descriptor_is_noticed);
	tcase_add_test(t, a_descriptor_that_is_left_is_noticed);
	tcase_add_test(t, a_read_that_is_closed_is_withdrawn);
	tcase_add_test(t, bytes_beyond_the_last_block_are_seen);
	tcase_add_test(t, keys_that_fit_no_message_are_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
