/* SPDX-License-Identifier: MIT */
#include "proto/cachefiles.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<linux/cachefiles.h>)
/* The system's own names, beside our mirror of them. */
#define cachefiles_opcode   linux_opcode
#define CACHEFILES_OP_OPEN  LINUX_OP_OPEN
#define CACHEFILES_OP_CLOSE LINUX_OP_CLOSE
#define CACHEFILES_OP_READ  LINUX_OP_READ
#pragma push_macro("CACHEFILES_MSG_MAX_SIZE")
#undef CACHEFILES_MSG_MAX_SIZE
#include <linux/cachefiles.h>

#include "tests/lib/run-suite.h"
enum { LINUX_MSG_MAX_SIZE = CACHEFILES_MSG_MAX_SIZE };
#undef CACHEFILES_MSG_MAX_SIZE
#pragma pop_macro("CACHEFILES_MSG_MAX_SIZE")
#undef CACHEFILES_OP_OPEN
#undef CACHEFILES_OP_CLOSE
#undef CACHEFILES_OP_READ
#undef cachefiles_opcode
#define HAVE_LINUX_HEADER 1
#else
#define HAVE_LINUX_HEADER 0
#endif

#define HEADER	sizeof(struct cachefiles_msg_header)
#define PAYLOAD 16

/* A message under construction; parsed from a heap copy of exactly n bytes, so that a memory
 * checker sees any byte read past the end. */
struct message {
	struct cachefiles_msg_header header;
	union {
		struct cachefiles_open_payload open;
		struct cachefiles_read_payload read;
	};
	char keys[1200];
};

static enum cf_verdict parse(const struct message *m, size_t n, struct cf_msg *ret)
{
	static void *copy;

	free(copy);
	copy = malloc(n ? n : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, m, n);
	return cf_parse(ret, copy, n);
}

static struct message open_message(const void *volume, size_t volume_size, const void *cookie,
				   size_t cookie_size, size_t *ret_n)
{
	struct message m = {
		.header = { .msg_id = 7, .opcode = CACHEFILES_OP_OPEN, .object_id = 3 },
		.open = { .volume_key_size = (uint32_t)volume_size,
			  .cookie_key_size = (uint32_t)cookie_size,
			  .fd = 5 },
	};

	memcpy(m.keys, volume, volume_size);
	memcpy(m.keys + volume_size, cookie, cookie_size);
	*ret_n = HEADER + PAYLOAD + volume_size + cookie_size;
	m.header.len = (uint32_t)*ret_n;
	return m;
}

/* The OPEN of `mount -o fsid=plain.erofs`. */
static struct message plain_open(size_t *ret_n)
{
	return open_message("erofs,plain.erofs", 18, "plain.erofs", 11, ret_n);
}

static struct message read_message(uint64_t off, uint64_t len)
{
	return (struct message){
		.header = { .msg_id = 9,
			    .opcode = CACHEFILES_OP_READ,
			    .len = HEADER + PAYLOAD,
			    .object_id = 4 },
		.read = { .off = off, .len = len },
	};
}

/* ---- layout ------------------------------------------------------------------------------ */

START_TEST(test_mirror_agrees_with_the_system_header)
{
#if HAVE_LINUX_HEADER
	struct cachefiles_msg_header mirror = { 1, 2, 3, 4 };
	struct cachefiles_open_payload open = { 5, 6, 7, 8 };
	struct cachefiles_read_payload read = { 9, 10 };
	struct cachefiles_msg m;
	struct cachefiles_open o;
	struct cachefiles_read r;

	ck_assert_uint_eq(sizeof(mirror), sizeof(m));
	ck_assert_uint_eq(sizeof(open), sizeof(o));
	ck_assert_uint_eq(sizeof(read), sizeof(r));
	memcpy(&m, &mirror, sizeof(m));
	memcpy(&o, &open, sizeof(o));
	memcpy(&r, &read, sizeof(r));
	ck_assert(m.msg_id == 1 && m.opcode == 2 && m.len == 3 && m.object_id == 4);
	ck_assert(o.volume_key_size == 5 && o.cookie_key_size == 6 && o.fd == 7 && o.flags == 8);
	ck_assert(r.off == 9 && r.len == 10);
	ck_assert_int_eq(CACHEFILES_OP_OPEN, (int)LINUX_OP_OPEN);
	ck_assert_int_eq(CACHEFILES_OP_CLOSE, (int)LINUX_OP_CLOSE);
	ck_assert_int_eq(CACHEFILES_OP_READ, (int)LINUX_OP_READ);
	ck_assert_int_eq(CACHEFILES_MSG_MAX_SIZE, LINUX_MSG_MAX_SIZE);
	ck_assert_uint_eq(CACHEFILES_READ_COMPLETE, CACHEFILES_IOC_READ_COMPLETE);
#endif
}
END_TEST

/* ---- messages ---------------------------------------------------------------------------- */

START_TEST(test_open)
{
	struct cf_msg msg;
	size_t n;
	struct message m = plain_open(&n);

	ck_assert_uint_eq(n, 61);
	ck_assert_int_eq(parse(&m, n, &msg), CF_OK);
	ck_assert_uint_eq(msg.msg_id, 7);
	ck_assert_uint_eq(msg.opcode, CACHEFILES_OP_OPEN);
	ck_assert_uint_eq(msg.object_id, 3);
	ck_assert_int_eq(msg.open.fd, 5);
	ck_assert(bytes_equal(msg.open.volume, bytes_str("erofs,plain.erofs")));
	ck_assert(bytes_equal(msg.open.cookie, bytes_str("plain.erofs")));

	/* 0 is a message id like any other, and a descriptor like any other. */
	m.header.msg_id = 0;
	m.open.fd = 0;
	ck_assert_int_eq(parse(&m, n, &msg), CF_OK);
	ck_assert_uint_eq(msg.msg_id, 0);
	ck_assert_int_eq(msg.open.fd, 0);

	m.header.msg_id = UINT32_MAX;
	m.open.fd = INT_MAX;
	ck_assert_int_eq(parse(&m, n, &msg), CF_OK);
	ck_assert_uint_eq(msg.msg_id, UINT32_MAX);
	ck_assert_int_eq(msg.open.fd, INT_MAX);
}
END_TEST

START_TEST(test_cookie_key_is_binary)
{
	static const char key[] = "\0a/\xff\0\n\0";
	struct cf_msg msg;
	size_t n;
	struct message m = open_message("v", 2, key, sizeof(key), &n);

	ck_assert_int_eq(parse(&m, n, &msg), CF_OK);
	ck_assert(bytes_equal(msg.open.cookie, bytes_of(key, sizeof(key))));
	ck_assert(bytes_equal(msg.open.volume, bytes_str("v")));
}
END_TEST

/* The largest keys that fscache can register make a message that the constant covers. */
START_TEST(test_largest_open)
{
	char volume[256], cookie[255];
	struct cf_msg msg;
	struct message m;
	size_t n;

	memset(volume, 'v', 255);
	volume[255] = 0;
	memset(cookie, 0xff, sizeof(cookie));
	m = open_message(volume, 256, cookie, 255, &n);
	ck_assert_uint_le(n, CACHEFILES_MSG_MAX_SIZE);
	ck_assert_int_eq(parse(&m, n, &msg), CF_OK);
	ck_assert_uint_eq(msg.open.volume.len, 255);
	ck_assert_uint_eq(msg.open.cookie.len, 255);
}
END_TEST

START_TEST(test_read)
{
	struct message m = read_message(4096, 262144);
	struct cf_msg msg;

	ck_assert_int_eq(parse(&m, 32, &msg), CF_OK);
	ck_assert_uint_eq(msg.msg_id, 9);
	ck_assert_uint_eq(msg.object_id, 4);
	ck_assert_uint_eq(msg.read.off, 4096);
	ck_assert_uint_eq(msg.read.len, 262144);

	/* The last byte that a file can have, and one beyond. */
	m = read_message(INT64_MAX - 1, 1);
	ck_assert_int_eq(parse(&m, 32, &msg), CF_OK);
	m = read_message(INT64_MAX, 1);
	ck_assert_int_eq(parse(&m, 32, &msg), CF_BAD_RANGE);
}
END_TEST

START_TEST(test_read_out_of_range)
{
	static const uint64_t bad[][2] = {
		{ 0, 0 },
		{ 4096, 0 },
		{ UINT64_MAX, 1 },
		{ 4096, UINT64_MAX },
		{ 1, INT64_MAX },
		{ UINT64_MAX, UINT64_MAX },
		{ 0, UINT64_C(1) << 63 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct message m = read_message(bad[i][0], bad[i][1]);
		struct cf_msg msg;

		ck_assert_int_eq(parse(&m, 32, &msg), CF_BAD_RANGE);
		/* Enough to complete it, which is how a READ fails. */
		ck_assert_uint_eq(msg.msg_id, 9);
		ck_assert_uint_eq(msg.opcode, CACHEFILES_OP_READ);
		ck_assert_uint_eq(msg.object_id, 4);
	}
}
END_TEST

START_TEST(test_close)
{
	struct message m = { .header = { 1, CACHEFILES_OP_CLOSE, HEADER, 2 } };
	struct cf_msg msg;

	ck_assert_int_eq(parse(&m, HEADER, &msg), CF_OK);
	ck_assert_uint_eq(msg.opcode, CACHEFILES_OP_CLOSE);
	ck_assert_uint_eq(msg.object_id, 2);

	m.header.len = HEADER + 1;
	ck_assert_int_eq(parse(&m, HEADER, &msg), CF_BAD_LENGTH);
	ck_assert_int_eq(parse(&m, HEADER + 1, &msg), CF_BAD_LENGTH);
}
END_TEST

/* Each length below that of a whole message, whatever the header claims. */
START_TEST(test_every_shorter_length_is_refused)
{
	size_t n;
	const struct message whole[] = { plain_open(&n), read_message(0, 4096) };
	const size_t lengths[] = { n, HEADER + PAYLOAD };

	for (int i = 0; i < 2; i++)
		for (size_t cut = 0; cut < lengths[i]; cut++) {
			struct message m = whole[i];
			struct cf_msg msg;
			bool fixed = cut >= HEADER + PAYLOAD;

			ck_assert_int_eq(parse(&m, cut, &msg),
					 fixed ? CF_BAD_LENGTH : CF_TRUNCATED);
			if (cut >= HEADER) {
				ck_assert_uint_eq(msg.msg_id, m.header.msg_id);
				ck_assert_uint_eq(msg.opcode, m.header.opcode);
				ck_assert_uint_eq(msg.object_id, m.header.object_id);
			} else {
				ck_assert_uint_eq(msg.opcode, UINT32_MAX);
			}
			if (i == 0 && cut >= HEADER)
				ck_assert_int_eq(msg.open.fd, cut >= HEADER + 12 ? 5 : -1);

			m.header.len = (uint32_t)cut;
			ck_assert_int_ne(parse(&m, cut, &msg), CF_OK);
		}
}
END_TEST

START_TEST(test_wrong_length)
{
	static const int delta[] = { -1, 1, 4096, INT_MIN };
	struct cf_msg msg;
	size_t n;

	for (size_t i = 0; i < sizeof(delta) / sizeof(delta[0]); i++) {
		struct message m = plain_open(&n);

		m.header.len += (uint32_t)delta[i];
		ck_assert_int_eq(parse(&m, n, &msg), CF_BAD_LENGTH);
		ck_assert_int_eq(msg.open.fd, 5);
		m = read_message(0, 1);
		m.header.len += (uint32_t)delta[i];
		ck_assert_int_eq(parse(&m, 32, &msg), CF_BAD_LENGTH);
	}

	/* One byte more in the buffer than the message says, and than its opcode has. */
	struct message m = read_message(0, 1);
	ck_assert_int_eq(parse(&m, 33, &msg), CF_BAD_LENGTH);
	m.header.len = 33;
	ck_assert_int_eq(parse(&m, 33, &msg), CF_BAD_LENGTH);
}
END_TEST

START_TEST(test_key_sizes)
{
	/* Added to the right sizes; the message itself keeps its length. */
	static const struct {
		uint32_t volume, cookie;
	} wrong[] = {
		{ -18u, 0 },	      { 0, -11u },
		{ -18u, -11u },	      { 0, 1 },
		{ 0, -1u },	      { 1, 0 },
		{ -18u, 18 },	      { 11, -11u },
		{ 1, -1u },	      { 0x80000000, 0x80000000 },
		{ -18u - 1, 18 + 1 }, { -18u - 2, 18 + 2 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct cf_msg msg;
		size_t n;
		struct message m = plain_open(&n);

		m.open.volume_key_size += wrong[i].volume;
		m.open.cookie_key_size += wrong[i].cookie;
		ck_assert_int_eq(parse(&m, n, &msg), CF_BAD_KEY);
		ck_assert_int_eq(msg.open.fd, 5);
	}
}
END_TEST

START_TEST(test_volume_key_ends_in_its_only_nul)
{
	struct cf_msg msg;
	size_t n;
	struct message m = plain_open(&n);

	m.keys[17] = 'x';
	ck_assert_int_eq(parse(&m, n, &msg), CF_BAD_KEY);
	m = plain_open(&n);
	m.keys[0] = 0;
	ck_assert_int_eq(parse(&m, n, &msg), CF_BAD_KEY);
	m = plain_open(&n);
	m.keys[16] = 0;
	ck_assert_int_eq(parse(&m, n, &msg), CF_BAD_KEY);
	/* Empty but terminated: odd, yet what the kernel would send for it. */
	m = open_message("", 1, "c", 1, &n);
	ck_assert_int_eq(parse(&m, n, &msg), CF_OK);
	ck_assert_uint_eq(msg.open.volume.len, 0);
}
END_TEST

START_TEST(test_descriptor_that_is_none)
{
	static const uint32_t bad[] = { (uint32_t)INT_MAX + 1, UINT32_MAX };

	for (size_t i = 0; i < 2; i++) {
		struct cf_msg msg;
		size_t n;
		struct message m = plain_open(&n);

		m.open.fd = bad[i];
		ck_assert_int_eq(parse(&m, n, &msg), CF_BAD_RANGE);
		ck_assert_int_eq(msg.open.fd, -1);
		ck_assert_uint_eq(msg.msg_id, 7);
	}
}
END_TEST

START_TEST(test_unknown_opcode)
{
	static const uint32_t opcodes[] = { 3, 255, 0x02000000, UINT32_MAX };

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		struct message m = read_message(0, 4096);
		struct cf_msg msg;

		m.header.opcode = opcodes[i];
		ck_assert_int_eq(parse(&m, 32, &msg), CF_UNKNOWN_OP);
		ck_assert_uint_eq(msg.opcode, opcodes[i]);
		ck_assert_uint_eq(msg.msg_id, 9);
	}
}
END_TEST

START_TEST(test_verdicts_have_sentences_of_their_own)
{
	for (int a = CF_OK; a <= CF_UNKNOWN_OP; a++)
		for (int b = CF_OK; b < a; b++)
			ck_assert_str_ne(cf_verdict_text(a), cf_verdict_text(b));
}
END_TEST

/* ---- commands ---------------------------------------------------------------------------- */

#define ASSERT_COMMAND(call, text)                         \
	do {                                               \
		ck_assert_int_eq(call, (int)strlen(text)); \
		ck_assert_str_eq(buf, text);               \
	} while (0)

START_TEST(test_commands)
{
	char buf[CF_COMMAND_MAX];

	ASSERT_COMMAND(cf_format_dir(buf, "/var/cache/a b "), "dir /var/cache/a b ");
	ASSERT_COMMAND(cf_format_tag(buf, "cachefilld"), "tag cachefilld");
	ASSERT_COMMAND(cf_format_secctx(buf, "system_u:object_r:x:s0"),
		       "secctx system_u:object_r:x:s0");
	ASSERT_COMMAND(cf_format_bind_ondemand(buf), "bind ondemand");
	ASSERT_COMMAND(cf_format_restore(buf), "restore");
	ASSERT_COMMAND(cf_format_inuse(buf, "Dplain.erofs"), "inuse Dplain.erofs");
	ASSERT_COMMAND(cf_format_cull(buf, "D..."), "cull D...");
}
END_TEST

START_TEST(test_arguments_that_would_change)
{
	static const char *const bad[] = {
		"", " a", "\ta", "\v", "\f", "\r", "\xa0z", "a\nb", "\n", "a\n",
	};
	char buf[CF_COMMAND_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(cf_format_dir(buf, bad[i]), -EINVAL);
		ck_assert_int_eq(cf_format_tag(buf, bad[i]), -EINVAL);
		ck_assert_int_eq(cf_format_secctx(buf, bad[i]), -EINVAL);
		ck_assert_int_eq(cf_format_inuse(buf, bad[i]), -EINVAL);
		ck_assert_int_eq(cf_format_cull(buf, bad[i]), -EINVAL);
	}
}
END_TEST

START_TEST(test_entries_are_one_component)
{
	static const char *const bad[] = { ".", "..", "/", "a/b", "../x", "x/" };
	char buf[CF_COMMAND_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(cf_format_inuse(buf, bad[i]), -EINVAL);
		ck_assert_int_eq(cf_format_cull(buf, bad[i]), -EINVAL);
	}
}
END_TEST

/* 4095 bytes are the most that cachefiles_daemon_write() takes where pages have 4096. */
START_TEST(test_longest_command)
{
	char buf[CF_COMMAND_MAX], path[CF_COMMAND_MAX];

	memset(path, '/', sizeof(path));
	path[4091] = 0;
	ck_assert_int_eq(cf_format_dir(buf, path), 4095);
	path[4091] = '/';
	path[4092] = 0;
	ck_assert_int_eq(cf_format_dir(buf, path), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_copen)
{
	char buf[CF_COMMAND_MAX];

	ASSERT_COMMAND(cf_format_copen(buf, 0, 0), "copen 0,0");
	ASSERT_COMMAND(cf_format_copen(buf, 10, 8), "copen 10,8");
	ASSERT_COMMAND(cf_format_copen(buf, UINT32_MAX, INT64_MAX),
		       "copen 4294967295,9223372036854775807");
	ck_assert_int_eq(cf_format_copen(buf, 1, (uint64_t)INT64_MAX + 1), -EINVAL);
	ck_assert_int_eq(cf_format_copen(buf, 1, UINT64_MAX), -EINVAL);
}
END_TEST

START_TEST(test_copen_error)
{
	static const int odd[] = { 0, 1, EIO, -4096, INT_MIN, INT_MAX };
	char buf[CF_COMMAND_MAX];

	ASSERT_COMMAND(cf_format_copen_error(buf, 3, -ENOENT), "copen 3,-2");
	ASSERT_COMMAND(cf_format_copen_error(buf, 3, -1), "copen 3,-1");
	ASSERT_COMMAND(cf_format_copen_error(buf, 3, -4095), "copen 3,-4095");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		ASSERT_COMMAND(cf_format_copen_error(buf, 3, odd[i]), "copen 3,-5");
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------ */

/* What the kernel keeps of one class, and its rule: each command by itself must hold. */
struct model {
	unsigned int run, cull, stop;
};

static bool model_command(struct model *model, const char *name, unsigned int percent)
{
	if (strcmp(name, "run") == 0) {
		if (percent <= model->cull || percent >= 100)
			return false;
		model->run = percent;
	} else if (strcmp(name, "cull") == 0) {
		if (percent <= model->stop || percent >= model->run)
			return false;
		model->cull = percent;
	} else if (strcmp(name, "stop") == 0) {
		if (percent >= model->cull)
			return false;
		model->stop = percent;
	} else {
		return false;
	}
	return true;
}

/* Plain returns: an assertion of the test library costs more than all the rest of a step. */
static bool kernel_takes(const struct cf_limits *limits)
{
	struct model blocks = { 7, 5, 1 }, files = { 7, 5, 1 };
	char buf[CF_COMMAND_MAX], name[8];
	unsigned int percent, i;
	int n, end;

	for (i = 0; (n = cf_format_limit(buf, limits, i)) > 0; i++) {
		if (n != (int)strlen(buf) ||
		    sscanf(buf, "%7[a-z] %u%%%n", name, &percent, &end) != 2 || end != n)
			return false;
		if (name[0] != 'b' && name[0] != 'f')
			return false;
		if (!model_command(name[0] == 'b' ? &blocks : &files, name + 1, percent))
			return false;
	}
	return n == 0 && i == 6 && blocks.run == limits->brun && blocks.cull == limits->bcull &&
	       blocks.stop == limits->bstop && files.run == limits->frun &&
	       files.cull == limits->fcull && files.stop == limits->fstop;
}

/* All 161700 triples, in both classes while the other one keeps the defaults. */
START_TEST(test_every_valid_limit_is_reached)
{
	unsigned int count = 0;

	for (uint8_t run = 2; run < 100; run++)
		for (uint8_t cull = 1; cull < run; cull++)
			for (uint8_t stop = 0; stop < cull; stop++, count++) {
				struct cf_limits b = { run, cull, stop, 7, 5, 1 };
				struct cf_limits f = { 7, 5, 1, run, cull, stop };

				if (cf_limits_check(&b) || cf_limits_check(&f) ||
				    !kernel_takes(&b) || !kernel_takes(&f))
					ck_abort_msg("run %u, cull %u, stop %u", run, cull, stop);
			}
	ck_assert_uint_eq(count, 161700);
}
END_TEST

START_TEST(test_limits_that_are_none)
{
	static const struct cf_limits bad[] = {
		{ 100, 5, 1, 7, 5, 1 }, { 5, 5, 1, 7, 5, 1 }, { 7, 5, 5, 7, 5, 1 },
		{ 7, 5, 1, 100, 5, 1 }, { 7, 5, 1, 5, 5, 1 }, { 7, 5, 1, 7, 5, 5 },
		{ 255, 5, 1, 7, 5, 1 }, { 7, 0, 0, 7, 5, 1 }, { 0, 0, 0, 0, 0, 0 },
	};
	const struct cf_limits normal = CF_LIMITS_DEFAULT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_ptr_nonnull(cf_limits_check(&bad[i]));
	ck_assert_ptr_null(cf_limits_check(&normal));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cachefiles");
	TCase *messages = tcase_create("messages");
	TCase *commands = tcase_create("commands");

	tcase_add_test(messages, test_mirror_agrees_with_the_system_header);
	tcase_add_test(messages, test_open);
	tcase_add_test(messages, test_cookie_key_is_binary);
	tcase_add_test(messages, test_largest_open);
	tcase_add_test(messages, test_read);
	tcase_add_test(messages, test_read_out_of_range);
	tcase_add_test(messages, test_close);
	tcase_add_test(messages, test_every_shorter_length_is_refused);
	tcase_add_test(messages, test_wrong_length);
	tcase_add_test(messages, test_key_sizes);
	tcase_add_test(messages, test_volume_key_ends_in_its_only_nul);
	tcase_add_test(messages, test_descriptor_that_is_none);
	tcase_add_test(messages, test_unknown_opcode);
	tcase_add_test(messages, test_verdicts_have_sentences_of_their_own);
	suite_add_tcase(s, messages);

	tcase_set_timeout(commands, 60); /* for valgrind */
	tcase_add_test(commands, test_commands);
	tcase_add_test(commands, test_arguments_that_would_change);
	tcase_add_test(commands, test_entries_are_one_component);
	tcase_add_test(commands, test_longest_command);
	tcase_add_test(commands, test_copen);
	tcase_add_test(commands, test_copen_error);
	tcase_add_test(commands, test_every_valid_limit_is_reached);
	tcase_add_test(commands, test_limits_that_are_none);
	suite_add_tcase(s, commands);

	return run_suite(s);
}
