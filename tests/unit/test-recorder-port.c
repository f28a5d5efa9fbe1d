/* SPDX-License-Identifier: MIT */
/*
 * The recorder's port around one of nobody, which only counts: what goes through is passed on and
 * written down, and which descriptor is of which object is known.
 */
#include "proto/cachefiles-abi.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/recording-faults.h"

static struct {
	struct cachefiles_msg_header header;
	struct cachefiles_open_payload open;
	char keys[8];
} message;
static int result;
static char calls[64];

static ssize_t stub_receive(struct port *port, void *buf, size_t n)
{
	memcpy(buf, &message, sizeof(message));
	return message.header.len;
}

static int stub_command(struct port *port, const char *text, size_t n)
{
	strcat(calls, "c");
	return result;
}

static int stub_complete(struct port *port, int object_fd, uint32_t msg_id)
{
	strcat(calls, "r");
	return result;
}

static int64_t stub_live(struct port *port, int object_fd)
{
	strcat(calls, "l");
	return result;
}

static void stub_release(struct port *port, int object_fd)
{
	strcat(calls, "x");
}

static void stub_free(struct port *port)
{
	strcat(calls, "f");
}

static const struct port_ops stub_ops = {
	stub_receive, stub_command, stub_complete, stub_live, stub_release, stub_free,
};

/* A recorder of its own, around a port that only counts. */
static struct port *begin_stub(struct recorder **r)
{
	static struct port stub = { .ops = &stub_ops, .fd = 17 };
	char error[RECORDER_ERROR_MAX];
	struct port *port;

	calls[0] = '\0';
	result = 0;
	ck_assert_int_eq(recorder_new(r, rig.loop), 0);
	ck_assert_int_eq(recorder_port(*r, &port, &stub), 0);
	ck_assert_int_eq(port->fd, 17);
	ck_assert_int_eq(recorder_start(*r, file, error), 0);
	return port;
}

static void end_stub(struct recorder *r, struct port *port)
{
	port->ops->free(port);
	stopped = false;
	recorder_stop(r, recorder_stopped, NULL);
	rig_wait(stopped);
	recorder_free(r);
	see_whole(file);
}

static void receive_open(struct port *port, uint32_t id, int fd)
{
	uint8_t buf[CACHEFILES_MSG_MAX_SIZE];

	message.header =
		(struct cachefiles_msg_header){ 1, CACHEFILES_OP_OPEN, sizeof(message), id };
	message.open = (struct cachefiles_open_payload){
		.volume_key_size = 5,
		.cookie_key_size = 3,
		.fd = (uint32_t)fd,
	};
	memcpy(message.keys, "vvvv\0ccc", 8);
	ck_assert_int_eq(port->ops->receive(port, buf, sizeof(buf)), sizeof(message));
	ck_assert_mem_eq(buf, &message, sizeof(message));
}

START_TEST(commands_other_than_copen_are_recorded_as_text)
{
	static const char *const texts[] = { "restore", "copen 1,2,3", "copen 1", "copen 1,x", "" };
	char longest[4096];
	struct recorder *r;
	struct port *port = begin_stub(&r);

	result = -EPERM;
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_int_eq(port->ops->command(port, texts[i], strlen(texts[i])), -EPERM);
	memset(longest, 'a', sizeof(longest));
	port->ops->command(port, longest, sizeof(longest));
	port->ops->command(port, "copen 4294967295,-95", 20);
	end_stub(r, port);
	ck_assert_str_eq(calls, "cccccccf");
	ck_assert_uint_eq(seen.counts[TRACE_COMMAND], 6);
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert(text_is(nth(TRACE_COMMAND, i)->text, texts[i]));
		ck_assert_int_eq(nth(TRACE_COMMAND, i)->result, -EPERM);
	}
	ck_assert_uint_eq(nth(TRACE_COMMAND, 5)->text.len, sizeof(longest));
	ck_assert_uint_eq(nth(TRACE_COPEN, 0)->msg, UINT32_MAX);
	ck_assert_int_eq(nth(TRACE_COPEN, 0)->error, -95);
	ck_assert_int_eq(nth(TRACE_COPEN, 0)->result, -EPERM);
}
END_TEST

START_TEST(descriptors_are_remembered_while_nothing_is_recorded_and_forgotten_at_release)
{
	struct recorder *r;
	struct port *port = begin_stub(&r);
	const uint32_t expected[] = { 70, 0, 71, 0, 90000, 0 };

	receive_open(port, 70, 7);
	receive_open(port, 90000, 900);
	port->ops->complete(port, 7, 1);
	port->ops->complete(port, 8, 2); /* nobody's */
	port->ops->release(port, 7);
	receive_open(port, 71, 7);
	port->ops->complete(port, 7, 3);
	port->ops->release(port, 7);
	port->ops->complete(port, 7, 4);
	port->ops->complete(port, 900, 5);
	port->ops->release(port, 1 << 20);
	port->ops->complete(port, -1, 6);
	end_stub(r, port);
	ck_assert_str_eq(calls, "rrxrxrrxrf");
	for (unsigned int i = 0; i < 6; i++) {
		ck_assert_uint_eq(nth(TRACE_COMPLETE, i)->msg, i + 1);
		ck_assert_uint_eq(nth(TRACE_COMPLETE, i)->id, expected[i]);
	}
	ck_assert_uint_eq(nth(TRACE_RELEASE, 1)->id, 71);
}
END_TEST

START_TEST(open_is_passed_on_without_memory_to_remember_it)
{
	struct recorder *r;
	struct port *port = begin_stub(&r);

	memory_lasts = 0;
	receive_open(port, 70, 7);
	ck_assert_uint_eq(memory_lasts, NEVER);
	port->ops->complete(port, 7, 1);
	receive_open(port, 71, 8);
	port->ops->complete(port, 8, 2);
	end_stub(r, port);
	ck_assert_uint_eq(nth(TRACE_OPEN, 0)->id, 70);
	ck_assert_uint_eq(nth(TRACE_COMPLETE, 0)->id, 0);
	ck_assert_uint_eq(nth(TRACE_COMPLETE, 1)->id, 71);
}
END_TEST

static TCase *tests(void)
{
	TCase *tcase = tcase_create("recorder-port");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up_and_begin, tear_down);
	tcase_add_test(tcase, commands_other_than_copen_are_recorded_as_text);
	tcase_add_test(
		tcase,
		descriptors_are_remembered_while_nothing_is_recorded_and_forgotten_at_release);
	tcase_add_test(tcase, open_is_passed_on_without_memory_to_remember_it);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("recorder-port");

	suite_add_tcase(suite, tests());
	return run_suite(suite);
}
