/* SPDX-License-Identifier: MIT */
/*
 * The contract of cancel, at any moment, and of what done() and progress() may call.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract-fixture.h"

START_TEST(look_canceled)
{
	struct host_look look;

	kind->put("blob", SIZE);
	for (int turns = 0; turns < 6; turns++) {
		int err;

		host_look_start(&host, &look, locator_of("blob"), SIZE);
		for (int i = 0; i < turns && look.n_done == 0; i++)
			host_turn(&host);
		if (look.n_done == 0) {
			host_look_cancel(&look);
			host_look_cancel(&look);
		}
		err = host_look_wait(&look);
		ck_assert(err == 0 || err == -ECANCELED);
		host_look_free(&look);
	}
}
END_TEST

START_TEST(read_canceled)
{
	struct fetch_object *object = attach_new("blob", LARGE);

	for (int turns = 0; turns < 12; turns++) {
		struct host_read read = { 0 };
		int err;

		host_read_start(&host, &read, object, 0, LARGE);
		for (int i = 0; i < turns && read.n_done == 0; i++)
			host_turn(&host);
		if (read.n_done == 0) {
			host_read_cancel(&read, object);
			host_read_cancel(&read, object);
		}
		err = host_read_wait(&read);
		ck_assert(err == 0 || err == -ECANCELED);
		if (err == 0)
			check_bytes(&read, "blob", LARGE);
		else
			check_bytes(&read, "blob", read.progress);
		host_read_free(&read);
	}
	detach(object);
}
END_TEST

static struct fetch_object *cancel_object;

static void cancel_in_progress(struct host_read *read)
{
	host_read_cancel(read, cancel_object);
}

START_TEST(read_canceled_by_its_progress)
{
	struct host_read read = { .on_progress = cancel_in_progress };
	int err;

	cancel_object = attach_new("blob", LARGE);
	err = host_read(&host, &read, cancel_object, 0, LARGE);
	ck_assert(err == 0 || err == -ECANCELED);
	host_read_free(&read);
	detach(cancel_object);
}
END_TEST

/* One canceled, its neighbours not. */
START_TEST(cancel_is_only_for_one)
{
	static struct host_read reads[MANY];
	struct fetch_object *object = attach_new("blob", SIZE);

	for (int i = 0; i < MANY; i++)
		host_read_start(&host, &reads[i], object, (uint64_t)i * 4096, 4096);
	host_turn(&host);
	for (int i = 0; i < MANY; i += 2)
		if (reads[i].n_done == 0)
			host_read_cancel(&reads[i], object);
	host_wait_all(&host);
	for (int i = 0; i < MANY; i++) {
		ck_assert(reads[i].err == 0 || (i % 2 == 0 && reads[i].err == -ECANCELED));
		if (reads[i].err == 0)
			check_bytes(&reads[i], "blob", 4096);
		host_read_free(&reads[i]);
	}
	detach(object);
}
END_TEST

static struct fetch_object *chain_object;
static unsigned int chain_left;

static void start_next(struct host_read *read)
{
	uint64_t off = read->read.off + 4096;

	check_bytes(read, "blob", 4096);
	host_read_free(read);
	/* The same request again, from inside its own done(). */
	if (--chain_left > 0)
		host_read_start(read->host, read, chain_object, off, 4096);
}

START_TEST(done_may_start_the_next)
{
	struct host_read read = { .then = start_next };

	chain_object = attach_new("blob", SIZE);
	chain_left = 20;
	host_read_start(&host, &read, chain_object, 0, 4096);
	while (chain_left > 0)
		host_turn(&host);
	detach(chain_object);
}
END_TEST

struct last_words {
	struct host_read read;
	struct fetch_object *object;
};

static bool freed;

/* Everything goes: the request, its object, the fetcher. */
static void free_all(struct host_read *read)
{
	struct last_words *last = container_of(read, struct last_words, read);

	detach(last->object);
	read->host->fetcher->ops->free(read->host->fetcher);
	read->host->fetcher = NULL;
	host_read_free(read);
	memset(last, 0xa5, sizeof(*last));
	free(last);
	freed = true;
}

START_TEST(done_may_free_everything)
{
	struct last_words *last = calloc(1, sizeof(*last));
	static const struct fetcher_param none[1];
	char error[FETCH_ERROR_MAX];

	freed = false;
	last->read.then = free_all;
	last->object = attach_new("blob", SIZE);
	host_read_start(&host, &last->read, last->object, 0, 4096);
	while (!freed)
		host_turn(&host);
	/* A second instance on the same loop, for the fixture to free. */
	ck_assert_int_eq(kind_class(kind)->create(&host.fetcher, host.loop, kind->template(),
						  kind->params ? kind->params : none, error),
			 0);
}
END_TEST

void contract_cancel(TCase *tc)
{
	tcase_add_test(tc, look_canceled);
	tcase_add_test(tc, read_canceled);
	tcase_add_test(tc, read_canceled_by_its_progress);
	tcase_add_test(tc, cancel_is_only_for_one);
	tcase_add_test(tc, done_may_start_the_next);
	tcase_add_test(tc, done_may_free_everything);
}
