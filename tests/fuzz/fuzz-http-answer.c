/* SPDX-License-Identifier: MIT */
/*
 * The head of a response, line by line, as a server that wants to be believed would write it. The
 * read asked for [100, 200) of 1000 bytes that are known by "v1".
 */
#include <string.h>

#include "fetchers/http-answer.h"
#include "tests/fuzz/fuzz.h"

#define OFF  100
#define LEN  100
#define SIZE 1000

static void check_read(const struct http_answer *answer)
{
	struct fetch_identity pinned = { .size = SIZE, .validator = "etag:\"v1\"" };
	const char *why = NULL;

	if (http_answer_read(answer, &pinned, OFF, LEN, &why) < 0) {
		FUZZ_CHECK(why && *why);
		return;
	}
	FUZZ_CHECK(answer->status == 206 && !answer->bad && !answer->encoded && !answer->multipart);
	FUZZ_CHECK(answer->range.first == OFF && answer->range.last == OFF + LEN - 1);
	FUZZ_CHECK(answer->range.total == SIZE && strcmp(answer->etag, "\"v1\"") == 0);
	FUZZ_CHECK(!answer->length_known || answer->length == LEN);
}

static void check_look(const struct http_answer *answer, size_t head_len)
{
	struct fetch_identity identity = { .size = 7 };
	char condition[HTTP_CONDITION_MAX];
	const char *why = NULL;
	uint64_t body = 7;

	if (http_answer_look(answer, head_len, &identity, &body, &why) < 0) {
		FUZZ_CHECK(why && *why && identity.size == 7 && body == 7);
		return;
	}
	/* One byte is asked for where none is wanted, and no object has less than its head. */
	FUZZ_CHECK(body <= (head_len > 0 ? head_len : 1) && body <= identity.size);
	FUZZ_CHECK(identity.size <= INT64_MAX);
	FUZZ_CHECK(body == identity.size || body == (head_len > 0 ? head_len : 1));
	/* What we pin can be sent, in one line. */
	FUZZ_CHECK(http_condition_print(condition, &identity) == 0);
	FUZZ_CHECK(!strpbrk(condition, "\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_answer answer;
	const char *line = (const char *)data, *end = line + n;

	http_answer_reset(&answer);
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *next = newline ? newline + 1 : end;

		http_answer_line(&answer, line, (size_t)(next - line));
		line = next;
	}
	FUZZ_CHECK(http_answer_wait(&answer, 1700000000) <= HTTP_WAIT_MAX);
	if (!answer.complete || http_answer_redirects(&answer))
		return 0;
	check_read(&answer);
	check_look(&answer, 0);
	check_look(&answer, 4096);
	return 0;
}
