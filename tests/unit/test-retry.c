/* SPDX-License-Identifier: MIT */
/*
 * Retries in virtual time, in front of a fetcher that is a script; and then of one whose failures
 * are by chance, which no caller may notice but by the time that they take.
 */
#include "fetchers/retry.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/checked.h"
#include "tests/lib/fake-fetcher.h"
#include "tests/lib/run-suite.h"

#define SIZE ((uint64_t)1 << 20)

static struct loop *loop;
static struct fake *fake;
static struct fake_origin *origin;
static struct fetcher *fetcher;
static struct fetch_object *object;

static const struct retry_config config = {
	.retries = 5,
	.backoff = 200 * NSEC_PER_MSEC,
	.backoff_max = 5 * NSEC_PER_SEC,
	.seed = 1,
};

static void attach(void)
{
	struct fetch_identity identity = { .size = SIZE, .validator = "v1" };

	ck_assert_int_eq(fetcher->ops->attach(fetcher, &object, "blob", &identity), 0);
}

static void setup_with(const struct retry_config *c)
{
	ck_assert_int_eq(loop_new(&loop, LOOP_VIRTUAL), 0);
	fake = fake_new(loop);
	origin = fake_serve(fake, "blob", SIZE);
	ck_assert_int_eq(retry_new(&fetcher, loop, fake_fetcher(fake), c), 0);
	attach();
}

static void setup(void)
{
	setup_with(&config);
}

static void teardown(void)
{
	fetcher->ops->detach(object);
	fetcher->ops->free(fetcher);
	fake_free(fake);
	loop_free(loop);
}

/* ---- requests that watch ---------------------------------------------------------------- */

struct watched {
	struct fetch_look look;
	struct fetch_read read;
	unsigned int done;
	int err;
	size_t progress;
	uint64_t ended;
};

static void look_done(struct fetch_look *look, int err)
{
	struct watched *w = container_of(look, struct watched, look);

	w->done++;
	w->err = err;
	w->ended = loop_now(loop);
}

static void read_done(struct fetch_read *read, int err)
{
	struct watched *w = container_of(read, struct watched, read);

	w->done++;
	w->err = err;
	w->ended = loop_now(loop);
}

static void check_bytes(const struct watched *w, size_t n)
{
	const struct emu_origin *bytes = &origin->bytes;
	uint8_t *right = malloc(n + 1);

	bytes->fill(bytes, right, w->read.off, n);
	ck_assert_mem_eq(w->read.buf, right, n);
	free(right);
}

static void read_progress(struct fetch_read *read, size_t filled)
{
	struct watched *w = container_of(read, struct watched, read);

	ck_assert_uint_eq(w->done, 0);
	ck_assert_uint_ge(filled, w->progress);
	ck_assert_uint_le(filled, read->len);
	w->progress = filled;
}

static void start_look(struct watched *w, uint64_t patience)
{
	*w = (struct watched){ .look = { .locator = "blob", .done = look_done } };
	w->look.deadline = patience ? loop_now(loop) + patience : 0;
	fetcher->ops->look(fetcher, &w->look);
	ck_assert_uint_eq(w->done, 0);
}

static void start_read(struct watched *w, uint64_t off, size_t len, uint64_t patience)
{
	*w = (struct watched){ .read = { .off = off, .len = len, .done = read_done } };
	w->read.progress = read_progress;
	w->read.buf = malloc(len);
	w->read.deadline = patience ? loop_now(loop) + patience : 0;
	fetcher->ops->read(object, &w->read);
	ck_assert_uint_eq(w->done, 0);
}

static void wait_for(struct watched *w)
{
	while (!w->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	ck_assert_uint_eq(w->done, 1);
}

/* Nothing else happens, whatever time goes by. */
static void nothing_more(const struct watched *w)
{
	while (loop_turn(loop) == 0)
		;
	ck_assert_uint_eq(w->done, 1);
}

static void turn_until(uint64_t when)
{
	while (loop_now(loop) < when)
		ck_assert_int_eq(loop_turn(loop), 0);
}

/* Lets the origin recover after so many reads. */
struct recovery {
	struct loop_timer timer;
	unsigned int reads, looks;
};

static void recover(struct loop_timer *timer)
{
	struct recovery *r = container_of(timer, struct recovery, timer);

	if (origin->reads >= r->reads && origin->looks >= r->looks)
		origin->read_error = origin->look_error = 0;
	else
		loop_timer_set(loop, timer, loop_now(loop) + NSEC_PER_MSEC);
}

static void recover_after(struct recovery *r, unsigned int looks, unsigned int reads)
{
	*r = (struct recovery){ .timer.fire = recover, .looks = looks, .reads = reads };
	loop_timer_set(loop, &r->timer, loop_now(loop) + NSEC_PER_MSEC);
}

/* ---- looks ------------------------------------------------------------------------------ */

static const int may_pass[] = { -ETIMEDOUT,  -ECONNREFUSED, -EHOSTUNREACH,
				-ECONNRESET, -EAGAIN,	    -EMFILE };
static const int final[] = { -ENOENT, -EACCES, -ESTALE, -EPROTO, -EIO, -EOPNOTSUPP, -ENOMEM };

START_TEST(a_look_that_failed_is_tried_again)
{
	struct recovery recovery;
	struct watched w;

	origin->look_error = may_pass[_i];
	recover_after(&recovery, 3, 0);
	start_look(&w, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(w.look.identity.size, SIZE);
	ck_assert_uint_ge(origin->looks, 4);
}
END_TEST

START_TEST(what_cannot_pass_is_final)
{
	struct watched w;

	origin->look_error = origin->read_error = final[_i];
	origin->fail_always = true;
	start_look(&w, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, final[_i]);
	ck_assert_uint_eq(origin->looks, 1);
	ck_assert_str_eq(w.look.error, "the script says so");
	start_read(&w, 0, 4096, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, final[_i]);
	ck_assert_uint_eq(origin->reads, 1);
	free(w.read.buf);
}
END_TEST

START_TEST(so_many_retries_and_no_more)
{
	struct watched w;

	origin->look_error = -ECONNREFUSED;
	start_look(&w, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, -ECONNREFUSED);
	ck_assert_uint_eq(origin->looks, 6);
	ck_assert_ptr_nonnull(strstr(w.look.error, "the script says so; tried 6 times in "));
	/* Full jitter: at most 200 ms, 400 ms and so on. */
	ck_assert_uint_le(w.ended - NSEC_PER_SEC, 6200 * NSEC_PER_MSEC);
	nothing_more(&w);
}
END_TEST

START_TEST(no_try_begins_after_the_deadline)
{
	uint64_t begun = loop_now(loop);
	struct watched w;

	origin->look_error = -EAGAIN;
	origin->look_delay = 300 * NSEC_PER_MSEC;
	start_look(&w, NSEC_PER_SEC);
	wait_for(&w);
	ck_assert_int_eq(w.err, -EAGAIN);
	ck_assert_uint_lt(w.ended - begun, 1300 * NSEC_PER_MSEC);
	ck_assert_uint_ge(origin->looks, 2);
	ck_assert_uint_le(origin->looks, 4);
	nothing_more(&w);
}
END_TEST

START_TEST(a_deadline_may_be_moved)
{
	struct recovery recovery;
	struct watched w;

	origin->read_error = -EAGAIN;
	origin->fail_always = true;
	origin->delay = 100 * NSEC_PER_MSEC;
	recover_after(&recovery, 0, 3);
	start_read(&w, 0, 4096, 50 * NSEC_PER_MSEC);
	w.read.deadline += 20 * NSEC_PER_SEC;
	wait_for(&w);
	ck_assert_int_eq(w.err, 0);
	check_bytes(&w, 4096);
	free(w.read.buf);
}
END_TEST

/* ---- Retry-After ------------------------------------------------------------------------ */

START_TEST(an_origin_may_ask_for_patience)
{
	uint64_t begun = loop_now(loop);
	struct recovery recovery;
	struct watched w;

	origin->look_error = -EAGAIN;
	origin->retry_after = 3 * NSEC_PER_SEC;
	recover_after(&recovery, 1, 0);
	start_look(&w, 30 * NSEC_PER_SEC);
	wait_for(&w);
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(origin->looks, 2);
	ck_assert_uint_ge(w.ended - begun, 3 * NSEC_PER_SEC);
	ck_assert_uint_le(w.ended - begun, 3300 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(more_patience_than_there_is_fails_at_once)
{
	uint64_t begun = loop_now(loop);
	struct watched w;

	origin->look_error = origin->read_error = -EAGAIN;
	origin->fail_always = true;
	origin->retry_after = 120 * NSEC_PER_SEC;
	start_look(&w, 30 * NSEC_PER_SEC);
	wait_for(&w);
	ck_assert_int_eq(w.err, -EAGAIN);
	ck_assert_uint_eq(w.ended, begun);
	ck_assert_str_eq(w.look.error, "the script says so; it wants to be asked again in 120 s");
	ck_assert_uint_eq(w.look.retry_after, 120 * NSEC_PER_SEC);
	start_read(&w, 0, 4096, 0);
	wait_for(&w);
	ck_assert_uint_eq(w.read.retry_after, 120 * NSEC_PER_SEC);
	ck_assert_uint_eq(origin->looks + origin->reads, 2);
	free(w.read.buf);
}
END_TEST

/* What there is room for does not come in one piece, and what has to does. */
START_TEST(a_look_that_is_cut_off_asks_for_less)
{
	static const struct {
		size_t room, cut, filled;
		int err;
		unsigned int looks;
	} rows[] = {
		{ 128 << 10, 20000, 10000, 0, 2 },
		{ 128 << 10, 5000, 4096, 0, 2 },
		{ 128 << 10, 2000, 0, -ECONNRESET, 6 },
		{ 3000, 2000, 0, -ECONNRESET, 6 },
		{ 4096, 5000, 4096, 0, 1 },
	};
	uint8_t *head = malloc(128 << 10), *right = malloc(128 << 10);
	struct watched w;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		origin->looks = 0;
		origin->look_cut = rows[i].cut;
		w = (struct watched){ .look = { .locator = "blob", .done = look_done } };
		w.look.head = head;
		w.look.head_len = rows[i].room;
		fetcher->ops->look(fetcher, &w.look);
		wait_for(&w);
		ck_assert_int_eq(w.err, rows[i].err);
		ck_assert_uint_eq(origin->looks, rows[i].looks);
		if (w.err < 0)
			continue;
		ck_assert_uint_eq(w.look.head_filled, rows[i].filled);
		origin->bytes.fill(&origin->bytes, right, 0, rows[i].filled);
		ck_assert_mem_eq(head, right, rows[i].filled);
		ck_assert_uint_eq(w.look.identity.size, SIZE);
	}
	free(head);
	free(right);
}
END_TEST

/* ---- reads ------------------------------------------------------------------------------ */

START_TEST(a_read_goes_on_where_it_was)
{
	struct recovery recovery;
	struct watched w;

	origin->read_error = -ECONNRESET;
	origin->fail_at = 600000;
	recover_after(&recovery, 0, 3);
	start_read(&w, 100000, 800000, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, 0);
	check_bytes(&w, 800000);
	/* 800000 bytes, and then 300000 as often as it failed at once. */
	ck_assert_uint_eq(origin->bytes_asked, 800000 + (origin->reads - 1) * 300000);
	free(w.read.buf);
}
END_TEST

START_TEST(what_came_before_the_end_is_right)
{
	struct watched w;

	origin->read_error = -ETIMEDOUT;
	origin->fail_at = 300000;
	start_read(&w, 0, 500000, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, -ETIMEDOUT);
	ck_assert_uint_eq(w.progress, 300000);
	check_bytes(&w, 300000);
	ck_assert_ptr_nonnull(strstr(w.read.error, "tried 6 times"));
	free(w.read.buf);
}
END_TEST

START_TEST(all_that_was_asked_for_is_enough)
{
	struct watched w;

	origin->read_error = -ECONNRESET;
	origin->step = 4096;
	origin->fail_at = 8192;
	start_read(&w, 0, 8192, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, 0);
	ck_assert_uint_eq(origin->reads, 1);
	check_bytes(&w, 8192);
	free(w.read.buf);
}
END_TEST

/* ---- cancel ----------------------------------------------------------------------------- */

START_TEST(a_wait_is_canceled)
{
	struct watched w;
	uint64_t when;

	origin->look_error = origin->read_error = -EAGAIN;
	origin->fail_always = true;
	origin->retry_after = NSEC_PER_SEC;
	start_look(&w, 0);
	turn_until(loop_now(loop));
	while (origin->looks == 0 || !*w.look.error)
		loop_turn(loop);
	when = loop_now(loop);
	fetcher->ops->cancel_look(fetcher, &w.look);
	fetcher->ops->cancel_look(fetcher, &w.look);
	ck_assert_uint_eq(w.done, 0);
	wait_for(&w);
	ck_assert_int_eq(w.err, -ECANCELED);
	ck_assert_uint_eq(w.ended, when);
	start_read(&w, 0, 4096, 0);
	while (!*w.read.error)
		loop_turn(loop);
	fetcher->ops->cancel_read(object, &w.read);
	fetcher->ops->cancel_read(object, &w.read);
	wait_for(&w);
	ck_assert_int_eq(w.err, -ECANCELED);
	nothing_more(&w);
	free(w.read.buf);
}
END_TEST

START_TEST(what_is_under_way_is_canceled)
{
	struct watched w;

	origin->look_delay = origin->delay = NSEC_PER_SEC;
	origin->look_error = -EAGAIN;
	start_look(&w, 0);
	fetcher->ops->cancel_look(fetcher, &w.look);
	wait_for(&w);
	ck_assert_int_eq(w.err, -ECANCELED);
	start_read(&w, 0, 4096, 0);
	fetcher->ops->cancel_read(object, &w.read);
	wait_for(&w);
	ck_assert_int_eq(w.err, -ECANCELED);
	ck_assert_uint_eq(origin->looks + origin->reads, 2);
	free(w.read.buf);
}
END_TEST

/* ---- the budget ------------------------------------------------------------------------- */

#define CROWD 64

/* 64 readers at an origin that is down for half a minute are not 6 times as many requests. */
START_TEST(a_crowd_does_not_multiply)
{
	static struct watched crowd[CROWD];
	uint64_t begun = loop_now(loop);

	origin->read_error = -ECONNREFUSED;
	origin->fail_always = true;
	for (int i = 0; i < CROWD; i++)
		start_read(&crowd[i], (uint64_t)i * 4096, 4096, 8 * NSEC_PER_SEC);
	for (int i = 0; i < CROWD; i++) {
		wait_for(&crowd[i]);
		ck_assert_int_eq(crowd[i].err, -ECONNREFUSED);
		ck_assert_uint_le(crowd[i].ended - begun, 8 * NSEC_PER_SEC);
		free(crowd[i].read.buf);
	}
	ck_assert_uint_ge(origin->reads, CROWD + RETRY_BURST);
	ck_assert_uint_le(origin->reads, CROWD + RETRY_BURST + 8 * NSEC_PER_SEC / RETRY_INTERVAL);
}
END_TEST

/* Where most requests succeed there is always one more try for those that did not. */
START_TEST(success_pays_for_tries)
{
	struct recovery recovery;
	struct watched w;

	for (int i = 0; i < 100; i++) {
		uint64_t begun = loop_now(loop);

		origin->read_error = -ECONNRESET;
		origin->fail_always = true;
		recover_after(&recovery, 0, origin->reads + 1);
		start_read(&w, 0, 4096, 2 * NSEC_PER_SEC);
		wait_for(&w);
		ck_assert_int_eq(w.err, 0);
		ck_assert_uint_le(w.ended - begun, 700 * NSEC_PER_MSEC);
		free(w.read.buf);
	}
}
END_TEST

/* ---- by chance -------------------------------------------------------------------------- */

struct chaos {
	struct loop_timer timer;
	uint64_t random;
	bool over;
};

static uint64_t draw(struct chaos *c, uint64_t n)
{
	c->random = c->random * 6364136223846793005u + 1442695040888963407u;
	return (c->random >> 33) % n;
}

static void change(struct loop_timer *timer)
{
	struct chaos *c = container_of(timer, struct chaos, timer);

	origin->read_error = draw(c, 2) ? may_pass[draw(c, 6)] : 0;
	origin->fail_always = draw(c, 3) == 0;
	origin->fail_at = draw(c, SIZE);
	origin->step = draw(c, 2) ? 1 + draw(c, 20000) : 0;
	origin->step_time = draw(c, 3 * NSEC_PER_MSEC);
	origin->delay = draw(c, 50 * NSEC_PER_MSEC);
	origin->retry_after = draw(c, 8) ? 0 : draw(c, NSEC_PER_SEC);
	if (!c->over)
		loop_timer_set(loop, timer, loop_now(loop) + draw(c, 300 * NSEC_PER_MSEC));
}

/* Whatever happens: one done(), right bytes, all of them or an error, and no try after the end. */
START_TEST(chance_loses_and_invents_no_byte)
{
	static struct watched crowd[8];
	struct chaos chaos = { .timer.fire = change, .random = (uint64_t)_i };
	unsigned int complete = 0;

	change(&chaos.timer);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++) {
			uint64_t off = draw(&chaos, SIZE - 1);

			start_read(&crowd[i], off, 1 + draw(&chaos, SIZE - off - 1),
				   5 * NSEC_PER_SEC);
			if (draw(&chaos, 10) == 0)
				fetcher->ops->cancel_read(object, &crowd[i].read);
		}
		for (int i = 0; i < 8; i++) {
			struct watched *w = &crowd[i];

			wait_for(w);
			complete += w->err == 0;
			ck_assert(w->err == 0 || fetch_may_pass(w->err) || w->err == -ECANCELED);
			check_bytes(w, w->err == 0 ? w->read.len : w->progress);
			free(w->read.buf);
		}
	}
	ck_assert_uint_ge(complete, 80);
	chaos.over = true;
	loop_timer_cancel(&chaos.timer);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("retry");
	TCase *tc = tcase_create("retry");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_look_that_failed_is_tried_again, 0, 6);
	tcase_add_loop_test(tc, what_cannot_pass_is_final, 0, 7);
	tcase_add_test(tc, so_many_retries_and_no_more);
	tcase_add_test(tc, no_try_begins_after_the_deadline);
	tcase_add_test(tc, a_deadline_may_be_moved);
	tcase_add_test(tc, an_origin_may_ask_for_patience);
	tcase_add_test(tc, more_patience_than_there_is_fails_at_once);
	tcase_add_test(tc, a_look_that_is_cut_off_asks_for_less);
	tcase_add_test(tc, a_read_goes_on_where_it_was);
	tcase_add_test(tc, what_came_before_the_end_is_right);
	tcase_add_test(tc, all_that_was_asked_for_is_enough);
	tcase_add_test(tc, a_wait_is_canceled);
	tcase_add_test(tc, what_is_under_way_is_canceled);
	tcase_add_test(tc, a_crowd_does_not_multiply);
	tcase_add_test(tc, success_pays_for_tries);
	tcase_add_loop_test(tc, chance_loses_and_invents_no_byte, 0, 20);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
