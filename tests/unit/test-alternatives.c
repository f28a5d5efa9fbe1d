/* SPDX-License-Identifier: MIT */
/*
 * One source at several origins, in virtual time: who is asked, who is avoided, and that bytes of
 * what may be another object are never taken.
 */
#include "fetchers/alternatives.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"
#include "tests/lib/fake-fetcher.h"
#include "tests/lib/run-suite.h"

#define SIZE  ((uint64_t)1 << 20)
#define N     3
#define A     0
#define B     1
#define C     2
#define NAMED "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"

static struct loop *loop;
static struct fake *fakes[N];
static struct fake_origin *origins[N];
static struct fetcher *fetcher;
static struct fetch_object *object;
static const char *name;

static const struct alternative *alternatives(void)
{
	static struct alternative all[N];
	static const char *const prefixes[N] = { "a:/", "b:/x/", "c:/" };

	for (int i = 0; i < N; i++)
		all[i] = (struct alternative){ prefixes[i], fake_fetcher(fakes[i]) };
	return all;
}

static void begin(const char *of, bool trusted)
{
	const struct alternative *all;
	char locator[128];

	log_set_level(-1); /* failures are what this is about */
	name = of;
	ck_assert_int_eq(loop_new(&loop, LOOP_VIRTUAL), 0);
	for (int i = 0; i < N; i++)
		fakes[i] = fake_new(loop);
	all = alternatives();
	for (int i = 0; i < N; i++) {
		snprintf(locator, sizeof(locator), "%s%s", all[i].prefix, name);
		origins[i] = fake_serve(fakes[i], locator, SIZE);
		origins[i]->validator = i == A ? "v1" : i == B ? "b1" : "c1";
	}
	ck_assert_int_eq(alternatives_new(&fetcher, loop, all, N, trusted), 0);
}

static void attach(const char *validator)
{
	struct fetch_identity identity = { .size = SIZE };
	char locator[128];

	snprintf(locator, sizeof(locator), "a:/%s", name);
	snprintf(identity.validator, sizeof(identity.validator), "%s", validator);
	ck_assert_int_eq(fetcher->ops->attach(fetcher, &object, locator, &identity), 0);
}

static void setup(void)
{
	begin("blob", true);
	attach("v1");
}

static void setup_untrusted(void)
{
	begin("blob", false);
	attach("v1");
}

static void setup_named(void)
{
	begin("sha256-" NAMED, false);
	attach("v1");
}

static void teardown(void)
{
	fetcher->ops->detach(object);
	fetcher->ops->free(fetcher);
	for (int i = 0; i < N; i++)
		fake_free(fakes[i]);
	loop_free(loop);
}

static unsigned int contacts(int i)
{
	return origins[i]->looks + origins[i]->reads;
}

static const struct fetch_health *health(int i)
{
	return alternatives_health(fetcher, (size_t)i);
}

static void pass(uint64_t ns);

static void passed(struct loop_timer *timer)
{
}

static void pass(uint64_t ns)
{
	struct loop_timer timer = { .fire = passed };
	uint64_t until = loop_now(loop) + ns;

	ck_assert_int_eq(loop_timer_set(loop, &timer, until), 0);
	while (loop_now(loop) < until)
		ck_assert_int_eq(loop_turn(loop), 0);
	loop_timer_cancel(&timer);
}

/* ---- requests --------------------------------------------------------------------------- */

struct watched {
	struct fetch_look look;
	struct fetch_read read;
	char locator[128];
	unsigned int done;
	int err;
	size_t progress;
};

static void look_done(struct fetch_look *look, int err)
{
	struct watched *w = container_of(look, struct watched, look);

	w->done++;
	w->err = err;
}

static void read_done(struct fetch_read *read, int err)
{
	struct watched *w = container_of(read, struct watched, read);

	w->done++;
	w->err = err;
}

static void read_progress(struct fetch_read *read, size_t filled)
{
	struct watched *w = container_of(read, struct watched, read);

	ck_assert_uint_eq(w->done, 0);
	ck_assert_uint_ge(filled, w->progress);
	ck_assert_uint_le(filled, read->len);
	w->progress = filled;
}

static int wait_for(struct watched *w)
{
	while (!w->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	ck_assert_uint_eq(w->done, 1);
	return w->err;
}

static void begin_look(struct watched *w, const struct fetch_identity *known, bool elsewhere)
{
	*w = (struct watched){ .look = { .done = look_done, .known = known } };
	w->look.elsewhere = elsewhere;
	snprintf(w->locator, sizeof(w->locator), "a:/%s", name);
	w->look.locator = w->locator;
	fetcher->ops->look(fetcher, &w->look);
	ck_assert_uint_eq(w->done, 0);
}

static void start_look(struct watched *w, const struct fetch_identity *known)
{
	begin_look(w, known, false);
}

static int look(struct watched *w)
{
	start_look(w, NULL);
	return wait_for(w);
}

static int look_elsewhere(struct watched *w)
{
	begin_look(w, NULL, true);
	return wait_for(w);
}

static int look_again(struct watched *w, const char *validator)
{
	struct fetch_identity known = { .size = SIZE };

	snprintf(known.validator, sizeof(known.validator), "%s", validator);
	start_look(w, &known);
	return wait_for(w);
}

static void start(struct watched *w, uint64_t off, size_t len, bool elsewhere)
{
	*w = (struct watched){ .read = { .off = off, .len = len, .done = read_done } };
	w->read.elsewhere = elsewhere;
	w->read.progress = read_progress;
	w->read.buf = malloc(len);
	fetcher->ops->read(object, &w->read);
	ck_assert_uint_eq(w->done, 0);
}

static void start_read(struct watched *w, uint64_t off, size_t len)
{
	start(w, off, len, false);
}

static void start_elsewhere(struct watched *w, uint64_t off, size_t len)
{
	start(w, off, len, true);
}

/* Waits; what has come is right, whoever sent it. */
static int end_read(struct watched *w)
{
	const struct emu_origin *bytes = &origins[A]->bytes;
	size_t n = wait_for(w) == 0 ? w->read.len : w->progress;
	uint8_t *right = malloc(n + 1);

	bytes->fill(bytes, right, w->read.off, n);
	ck_assert_mem_eq(w->read.buf, right, n);
	free(right);
	free(w->read.buf);
	return w->err;
}

static int read_some(struct watched *w, uint64_t off, size_t len)
{
	start_read(w, off, len);
	return end_read(w);
}

static void break_down(int i, int err)
{
	origins[i]->look_error = origins[i]->read_error = err;
	origins[i]->fail_always = true;
}

static void heal(int i)
{
	break_down(i, 0);
}

/* ---- who is asked ----------------------------------------------------------------------- */

START_TEST(the_first_is_asked_while_it_works)
{
	struct watched w;

	ck_assert_int_eq(look(&w), 0);
	ck_assert_str_eq(w.look.identity.validator, "v1");
	ck_assert_int_eq(read_some(&w, 4096, 100000), 0);
	ck_assert_uint_eq(contacts(A), 2);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
}
END_TEST

static const int failures[] = { -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET,
				-EAGAIN,    -EIO,	   -EPROTO,	  -EOPNOTSUPP };

START_TEST(where_it_fails_the_next_one_is_asked)
{
	struct watched w;

	break_down(A, failures[_i]);
	break_down(B, failures[_i]);
	ck_assert_int_eq(look(&w), 0);
	ck_assert_uint_eq(w.look.identity.size, SIZE);
	ck_assert_int_eq(strncmp(w.look.identity.validator, "via:", 4), 0);
	ck_assert_str_eq(strchr(w.look.identity.validator, ';'), ";c1");
	ck_assert_int_eq(read_some(&w, 4096, 100000), 0);
}
END_TEST

START_TEST(what_the_first_says_of_an_object_counts)
{
	static const int final[] = { -ENOENT, -EACCES, -ESTALE };
	struct watched w;

	break_down(A, final[_i]);
	ck_assert_int_eq(look(&w), final[_i]);
	ck_assert_int_eq(read_some(&w, 0, 4096), final[_i]);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(what_others_do_not_have_says_nothing)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	break_down(B, -ENOENT);
	break_down(C, -EACCES);
	ck_assert_int_eq(look(&w), -ECONNREFUSED);
	ck_assert_str_eq(w.look.error, "the script says so; b:/x/: Input/output error; "
				       "c:/: Input/output error");
	ck_assert_int_eq(read_some(&w, 0, 4096), -ECONNREFUSED);
	/* One that may pass is more than one that may not. */
	break_down(A, -EPROTO);
	break_down(C, -EAGAIN);
	ck_assert_int_eq(look(&w), -EAGAIN);
}
END_TEST

START_TEST(a_read_goes_on_at_the_next_one)
{
	struct watched w;

	origins[A]->read_error = -ECONNRESET;
	origins[A]->fail_at = 300000;
	ck_assert_int_eq(read_some(&w, 100000, 800000), 0);
	ck_assert_uint_eq(origins[B]->bytes_asked, 600000);
	ck_assert_uint_eq(contacts(C), 0);
	/* And again, where its object is known already. */
	ck_assert_int_eq(read_some(&w, 200000, 200000), 0);
	ck_assert_uint_eq(origins[B]->looks, 1);
	ck_assert_uint_eq(origins[B]->bytes_asked, 700000);
}
END_TEST

START_TEST(what_was_wrong_comes_from_another)
{
	struct watched w;

	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[A]->reads, 1);
	start_elsewhere(&w, 0, 4096);
	ck_assert_int_eq(end_read(&w), 0);
	ck_assert_uint_eq(origins[A]->reads, 1);
	ck_assert_uint_eq(origins[B]->reads, 1);
	/* The same again where nobody else has it. */
	break_down(B, -ECONNRESET);
	break_down(C, -ECONNRESET);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	start_elsewhere(&w, 0, 4096);
	ck_assert_int_eq(end_read(&w), 0);
	ck_assert_uint_eq(origins[A]->reads, 3);
}
END_TEST

START_TEST(what_was_wrong_is_looked_at_elsewhere)
{
	struct watched w;

	/* Nobody is known to have answered. */
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 1);
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 1);
	ck_assert_uint_eq(origins[B]->looks, 1);
	ck_assert_int_eq(strncmp(w.look.identity.validator, "via:", 4), 0);
	/* The source itself again, unless that is not to be had. */
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 2);
	break_down(B, -ECONNRESET);
	break_down(C, -ECONNRESET);
	ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 3);
	ck_assert_str_eq(w.look.identity.validator, "v1");
}
END_TEST

/* What only one may be asked for has nobody else. */
START_TEST(without_trust_nothing_is_elsewhere)
{
	struct watched w;

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(look_elsewhere(&w), 0);
	ck_assert_uint_eq(origins[A]->looks, 2);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
}
END_TEST

START_TEST(nobody_is_asked_after_the_deadline)
{
	struct watched w;

	break_down(A, -ETIMEDOUT);
	origins[A]->delay = 5 * NSEC_PER_SEC;
	start_read(&w, 0, 4096);
	w.read.deadline = loop_now(loop) + 4 * NSEC_PER_SEC;
	ck_assert_int_eq(end_read(&w), -ETIMEDOUT);
	ck_assert_uint_eq(contacts(B), 0);
}
END_TEST

/* ---- the same object? ------------------------------------------------------------------- */

START_TEST(without_trust_nobody_else_is_asked)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look(&w), -ECONNREFUSED);
	ck_assert_int_eq(read_some(&w, 0, 4096), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
}
END_TEST

START_TEST(what_is_named_by_its_content_needs_no_trust)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look(&w), 0);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
}
END_TEST

START_TEST(another_size_is_another_object)
{
	struct watched w;

	fake_replace(fakes[B], origins[B], SIZE + 1, "b2");
	break_down(A, -ECONNREFUSED);
	break_down(C, -ECONNREFUSED);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), -ECONNREFUSED);
	/* It is not asked about that object any more. */
	ck_assert_uint_eq(origins[B]->reads, 0);
	ck_assert_int_eq(health(B)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(digests_have_to_be_equal)
{
	struct watched w;

	fetcher->ops->detach(object);
	origins[A]->validator = "digest:1";
	origins[B]->validator = "digest:2";
	origins[C]->validator = "digest:1";
	attach("digest:1");
	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[B]->reads, 0);
	ck_assert_uint_eq(origins[C]->reads, 1);
	/* They are the same everywhere. */
	ck_assert_int_eq(look(&w), 0);
	ck_assert_str_eq(w.look.identity.validator, "digest:2");
}
END_TEST

/* Equal in size, and replaced while it is read there: its own validator tells. */
START_TEST(an_alternative_that_changes_is_left)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	break_down(C, -ECONNREFUSED);
	origins[B]->step = 4096;
	origins[B]->step_time = NSEC_PER_MSEC;
	start_read(&w, 0, 100000);
	while (w.progress < 50000)
		loop_turn(loop);
	fake_replace(fakes[B], origins[B], SIZE, "b2");
	ck_assert_int_eq(end_read(&w), -ECONNREFUSED);
	ck_assert_uint_lt(w.progress, 100000);
	ck_assert_int_eq(read_some(&w, 50000, 4096), -ECONNREFUSED);
}
END_TEST

/* ---- identities of alternatives --------------------------------------------------------- */

START_TEST(an_identity_knows_whose_it_is)
{
	struct watched w;
	char validator[FETCH_VALIDATOR_MAX];

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look(&w), 0);
	strcpy(validator, w.look.identity.validator);
	fetcher->ops->detach(object);
	attach(validator);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[B]->looks, 1); /* pinned, not looked at again */
	heal(A);
	pass(HEALTH_AVOIDED);
	ck_assert_int_eq(read_some(&w, 4096, 4096), 0);
	ck_assert_uint_eq(origins[B]->reads, 1);
	/* The source itself says that the object is another one now. */
	fetcher->ops->detach(object);
	fake_replace(fakes[A], origins[A], SIZE + 4096, "v2");
	attach(validator);
	ck_assert_int_eq(read_some(&w, 8192, 4096), -ESTALE);
}
END_TEST

START_TEST(an_identity_outlives_its_origin)
{
	struct watched w;

	fetcher->ops->detach(object);
	attach("via:00000000;gone");
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(origins[A]->looks, 1);
	ck_assert_uint_eq(origins[A]->reads, 1);
}
END_TEST

/* "Has it changed?" is no question for somebody who does not know what it was. */
START_TEST(only_who_knows_says_whether_it_changed)
{
	struct watched w;
	char validator[FETCH_VALIDATOR_MAX];

	break_down(A, -ECONNREFUSED);
	ck_assert_int_eq(look_again(&w, "v1"), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(B) + contacts(C), 0);
	ck_assert_int_eq(look(&w), 0);
	strcpy(validator, w.look.identity.validator);
	ck_assert_int_eq(look_again(&w, validator), 0);
	ck_assert_str_eq(w.look.identity.validator, validator);
	break_down(B, -ECONNREFUSED);
	ck_assert_int_eq(look_again(&w, validator), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(C), 0);
}
END_TEST

/* ---- health ----------------------------------------------------------------------------- */

static void break_a(void)
{
	struct watched w;

	break_down(A, -ECONNREFUSED);
	for (int i = 0; i < HEALTH_FAILURES; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_AVOIDED_NOW);
	ck_assert_uint_eq(health(A)->failures, HEALTH_FAILURES);
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + HEALTH_AVOIDED);
}

START_TEST(who_fails_is_avoided_and_probed_and_used_again)
{
	struct watched w;
	unsigned int before;

	break_a();
	before = contacts(A);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(A), before);
	/* One probe fails: twice as long. */
	pass(HEALTH_AVOIDED);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(A), before + 1);
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + 2 * HEALTH_AVOIDED);
	/* One succeeds. */
	heal(A);
	pass(2 * HEALTH_AVOIDED);
	before = contacts(B);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(B), before);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
	ck_assert_uint_eq(health(A)->failures, 0);
}
END_TEST

START_TEST(one_probe_at_a_time)
{
	struct watched crowd[8];
	unsigned int before;

	break_a();
	heal(A);
	origins[A]->delay = NSEC_PER_SEC;
	pass(HEALTH_AVOIDED);
	before = contacts(A);
	for (int i = 0; i < 8; i++)
		start_read(&crowd[i], 0, 4096);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(end_read(&crowd[i]), 0);
	ck_assert_uint_eq(contacts(A), before + 1);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(a_probe_that_is_canceled_is_none)
{
	struct watched w;

	break_a();
	heal(A);
	origins[A]->delay = NSEC_PER_SEC;
	pass(HEALTH_AVOIDED);
	start_read(&w, 0, 4096);
	ck_assert_int_eq(health(A)->state, HEALTH_PROBED);
	fetcher->ops->cancel_read(object, &w.read);
	ck_assert_int_eq(end_read(&w), -ECANCELED);
	start_read(&w, 0, 4096);
	ck_assert_int_eq(health(A)->state, HEALTH_PROBED);
	ck_assert_int_eq(end_read(&w), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(an_origin_is_avoided_for_at_most_so_long)
{
	struct watched w;

	break_a();
	for (int i = 0; i < 10; i++) {
		pass(HEALTH_AVOIDED_MAX);
		ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	}
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + HEALTH_AVOIDED_MAX);
}
END_TEST

START_TEST(an_origin_that_wants_to_be_left_alone_is)
{
	struct watched w;

	break_down(A, -EAGAIN);
	origins[A]->retry_after = 100 * NSEC_PER_SEC;
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(health(A)->avoided_until, loop_now(loop) + 100 * NSEC_PER_SEC);
	pass(90 * NSEC_PER_SEC);
	ck_assert_int_eq(read_some(&w, 0, 4096), 0);
	ck_assert_uint_eq(contacts(A), 1);
}
END_TEST

/* The one that may be asked again first is asked, and that one alone. */
START_TEST(where_all_are_avoided_the_least_bad_is_asked)
{
	struct watched w;
	unsigned int before[N];

	for (int i = 0; i < N; i++)
		break_down(i, -ECONNREFUSED);
	for (int i = 0; i < HEALTH_FAILURES; i++) {
		ck_assert_int_eq(look(&w), -ECONNREFUSED);
		pass(NSEC_PER_MSEC);
	}
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(health(i)->state, HEALTH_AVOIDED_NOW);
		before[i] = contacts(i);
	}
	ck_assert_int_eq(look(&w), -ECONNREFUSED);
	ck_assert_uint_eq(contacts(A), before[A] + 1);
	ck_assert_uint_eq(contacts(B), before[B]);
	ck_assert_uint_eq(contacts(C), before[C]);
	heal(A);
	ck_assert_int_eq(look(&w), 0);
	ck_assert_int_eq(health(A)->state, HEALTH_WORKS);
}
END_TEST

START_TEST(times_are_measured)
{
	struct watched w;

	origins[A]->look_delay = 20 * NSEC_PER_MSEC;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(look(&w), 0);
	ck_assert_uint_eq(health(A)->rtt, 20 * NSEC_PER_MSEC);
	ck_assert_uint_eq(health(A)->bandwidth, 0);
	origins[A]->delay = 100 * NSEC_PER_MSEC;
	ck_assert_int_eq(read_some(&w, 0, 100000), 0);
	ck_assert_uint_eq(health(A)->bandwidth, 1000000);
	ck_assert_uint_eq(health(A)->rtt, 30 * NSEC_PER_MSEC);
	ck_assert_uint_eq(health(A)->requests, 6);
	ck_assert_uint_eq(health(A)->failed, 0);
}
END_TEST

/* ---- cancel ----------------------------------------------------------------------------- */

START_TEST(canceled_wherever_it_is)
{
	struct watched w;

	origins[A]->delay = origins[A]->look_delay = 10 * NSEC_PER_MSEC;
	origins[B]->delay = origins[B]->look_delay = 10 * NSEC_PER_MSEC;
	break_down(A, -ECONNRESET);
	for (uint64_t after = 0; after < 40; after += 4) {
		int err;

		start_read(&w, 0, 4096);
		pass(after * NSEC_PER_MSEC);
		if (!w.done)
			fetcher->ops->cancel_read(object, &w.read);
		if (!w.done)
			fetcher->ops->cancel_read(object, &w.read);
		err = end_read(&w);
		ck_assert(err == -ECANCELED || err == 0);
		start_look(&w, NULL);
		pass(after / 2 * NSEC_PER_MSEC);
		if (!w.done)
			fetcher->ops->cancel_look(fetcher, &w.look);
		err = wait_for(&w);
		ck_assert(err == -ECANCELED || err == 0);
	}
}
END_TEST

/* ---- by chance -------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t draw(uint64_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (state >> 33) % n;
}

static void change(struct fake_origin *o)
{
	o->look_error = draw(4) ? 0 : failures[draw(8)];
	o->read_error = draw(2) ? 0 : failures[draw(8)];
	o->fail_always = draw(3) == 0;
	o->fail_at = draw(SIZE);
	o->step = draw(2) ? 1 + draw(30000) : 0;
	o->step_time = draw(3 * NSEC_PER_MSEC);
	o->delay = draw(20 * NSEC_PER_MSEC);
	o->look_delay = draw(20 * NSEC_PER_MSEC);
}

/* end_read() compares each byte with those of the first origin; one of the others has more. */
START_TEST(chance_mixes_nothing)
{
	static struct watched crowd[6];
	unsigned int complete = 0;

	state = (uint64_t)_i;
	fake_replace(fakes[B], origins[B], SIZE + 1 + draw(4096), "b2");
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < N; i++)
			change(origins[i]);
		for (int i = 0; i < 6; i++) {
			uint64_t off = draw(SIZE - 1);

			start_read(&crowd[i], off, 1 + draw(SIZE - off - 1));
			if (draw(10) == 0)
				fetcher->ops->cancel_read(object, &crowd[i].read);
		}
		for (int i = 0; i < 6; i++)
			complete += end_read(&crowd[i]) == 0;
		pass(draw(NSEC_PER_SEC));
	}
	ck_assert_uint_ge(complete, 60);
	ck_assert_uint_eq(origins[B]->reads, 0);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static TCase *case_of(Suite *s, const char *title, void (*begins)(void))
{
	TCase *tc = tcase_create(title);

	tcase_add_checked_fixture(tc, begins, teardown);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("alternatives");
	TCase *tc = case_of(s, "trusted", setup);

	tcase_add_test(tc, the_first_is_asked_while_it_works);
	tcase_add_loop_test(tc, where_it_fails_the_next_one_is_asked, 0, COUNT(failures));
	tcase_add_loop_test(tc, what_the_first_says_of_an_object_counts, 0, 3);
	tcase_add_test(tc, what_others_do_not_have_says_nothing);
	tcase_add_test(tc, a_read_goes_on_at_the_next_one);
	tcase_add_test(tc, what_was_wrong_comes_from_another);
	tcase_add_test(tc, what_was_wrong_is_looked_at_elsewhere);
	tcase_add_test(tc, nobody_is_asked_after_the_deadline);
	tcase_add_test(tc, another_size_is_another_object);
	tcase_add_test(tc, digests_have_to_be_equal);
	tcase_add_test(tc, an_alternative_that_changes_is_left);
	tcase_add_test(tc, an_identity_knows_whose_it_is);
	tcase_add_test(tc, an_identity_outlives_its_origin);
	tcase_add_test(tc, only_who_knows_says_whether_it_changed);
	tcase_add_test(tc, who_fails_is_avoided_and_probed_and_used_again);
	tcase_add_test(tc, one_probe_at_a_time);
	tcase_add_test(tc, a_probe_that_is_canceled_is_none);
	tcase_add_test(tc, an_origin_is_avoided_for_at_most_so_long);
	tcase_add_test(tc, an_origin_that_wants_to_be_left_alone_is);
	tcase_add_test(tc, where_all_are_avoided_the_least_bad_is_asked);
	tcase_add_test(tc, times_are_measured);
	tcase_add_test(tc, canceled_wherever_it_is);
	tcase_add_loop_test(tc, chance_mixes_nothing, 0, 10);
	tc = case_of(s, "untrusted", setup_untrusted);
	tcase_add_test(tc, without_trust_nobody_else_is_asked);
	tcase_add_test(tc, without_trust_nothing_is_elsewhere);
	tc = case_of(s, "named", setup_named);
	tcase_add_test(tc, what_is_named_by_its_content_needs_no_trust);
	return run_suite(s);
}
