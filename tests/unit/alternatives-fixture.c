/* SPDX-License-Identifier: MIT */
#include "tests/unit/alternatives-fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/log.h"

#define NAMED "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"

struct loop *loop;
struct fake *fakes[N];
struct fake_origin *origins[N];
struct fetcher *fetcher;
struct fetch_object *object;
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

void attach(const char *validator)
{
	struct fetch_identity identity = { .size = SIZE };
	char locator[128];

	snprintf(locator, sizeof(locator), "a:/%s", name);
	snprintf(identity.validator, sizeof(identity.validator), "%s", validator);
	ck_assert_int_eq(fetcher->ops->attach(fetcher, &object, locator, &identity), 0);
}

static void set_up_trusted(void)
{
	begin("blob", true);
	attach("v1");
}

static void set_up_untrusted(void)
{
	begin("blob", false);
	attach("v1");
}

static void set_up_named(void)
{
	begin("sha256-" NAMED, false);
	attach("v1");
}

static void tear_down(void)
{
	fetcher->ops->detach(object);
	fetcher->ops->free(fetcher);
	for (int i = 0; i < N; i++)
		fake_free(fakes[i]);
	loop_free(loop);
}

unsigned int contacts(int i)
{
	return origins[i]->looks + origins[i]->reads;
}

const struct fetch_health *health(int i)
{
	return alternatives_health(fetcher, (size_t)i);
}

static void passed(struct loop_timer *timer)
{
}

void pass(uint64_t ns)
{
	struct loop_timer timer = { .fire = passed };
	uint64_t until = loop_now(loop) + ns;

	ck_assert_int_eq(loop_timer_set(loop, &timer, until), 0);
	while (loop_now(loop) < until)
		ck_assert_int_eq(loop_turn(loop), 0);
	loop_timer_cancel(&timer);
}

/* ---- requests --------------------------------------------------------------------------- */

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

int wait_for(struct watched *w)
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

void start_look(struct watched *w, const struct fetch_identity *known)
{
	begin_look(w, known, false);
}

int look(struct watched *w)
{
	start_look(w, NULL);
	return wait_for(w);
}

int look_elsewhere(struct watched *w)
{
	begin_look(w, NULL, true);
	return wait_for(w);
}

int look_again(struct watched *w, const char *validator)
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

void start_read(struct watched *w, uint64_t off, size_t len)
{
	start(w, off, len, false);
}

void start_elsewhere(struct watched *w, uint64_t off, size_t len)
{
	start(w, off, len, true);
}

int end_read(struct watched *w)
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

int read_some(struct watched *w, uint64_t off, size_t len)
{
	start_read(w, off, len);
	return end_read(w);
}

void break_down(int i, int err)
{
	origins[i]->look_error = origins[i]->read_error = err;
	origins[i]->fail_always = true;
}

void heal(int i)
{
	break_down(i, 0);
}

const int failures[FAILURES] = { -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET,
				 -EAGAIN,    -EIO,	    -EPROTO,	   -EOPNOTSUPP };

/* ---- cases ------------------------------------------------------------------------------ */

static TCase *case_of(Suite *s, const char *title, void (*begins)(void))
{
	TCase *tc = tcase_create(title);

	tcase_add_checked_fixture(tc, begins, tear_down);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return tc;
}

TCase *trusted_case(Suite *s)
{
	return case_of(s, "trusted", set_up_trusted);
}

TCase *untrusted_case(Suite *s)
{
	return case_of(s, "untrusted", set_up_untrusted);
}

TCase *named_case(Suite *s)
{
	return case_of(s, "named", set_up_named);
}
