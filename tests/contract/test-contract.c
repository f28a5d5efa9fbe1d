/* SPDX-License-Identifier: MIT */
/*
 * What fetcher.h promises, on every fetcher that was built in and on both back ends of the loop.
 * tests/lib/host.c watches what holds for each request: one done(), never from inside a call,
 * progress that only grows, errors with text.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/kinds.h"
#include "tests/lib/host.h"
#include "daemon/replay/pattern.h"
#include "tests/lib/run-suite.h"

#define SIZE	((size_t)300000)
#define LARGE	((size_t)1500000) /* takes a few turns, and is more than a flight */
#define MANY	32
#define STRANGE "a%20b%2e%25c" /* "a b.%c" as resolve.c writes it */

static const struct kind *kind;
static struct host host;

/* Set by add_kind() before the suite runs; a row and a back end of the loop are one test case. */
static void start(unsigned int row, enum loop_backend backend)
{
	kind = &kinds[row];
	kind->start();
	host_start_class(&host, backend, kind_class(kind), kind->template(), kind->params);
}

static void stop(void)
{
	host_stop(&host);
	kind->stop();
}

#define FIXTURE(row)                        \
	static void start_uring_##row(void) \
	{                                   \
		start(row, LOOP_URING);     \
	}                                   \
	static void start_poll_##row(void)  \
	{                                   \
		start(row, LOOP_POLL);      \
	}
FIXTURE(0)
FIXTURE(1)
FIXTURE(2)
FIXTURE(3)
FIXTURE(4)
FIXTURE(5)
FIXTURE(6)
FIXTURE(7)
FIXTURE(8)
FIXTURE(9)
FIXTURE(10)
FIXTURE(11)

static void (*const fixtures[][2])(void) = {
	{ start_uring_0, start_poll_0 },   { start_uring_1, start_poll_1 },
	{ start_uring_2, start_poll_2 },   { start_uring_3, start_poll_3 },
	{ start_uring_4, start_poll_4 },   { start_uring_5, start_poll_5 },
	{ start_uring_6, start_poll_6 },   { start_uring_7, start_poll_7 },
	{ start_uring_8, start_poll_8 },   { start_uring_9, start_poll_9 },
	{ start_uring_10, start_poll_10 }, { start_uring_11, start_poll_11 },
};

/* The locator of an object, from the template of its row. Static. */
static const char *locator_of(const char *name)
{
	static char locator[256];
	const char *template = kind->template();

	if (kind->locator)
		return kind->locator(name);
	snprintf(locator, sizeof(locator), "%.*s%s", (int)(strchr(template, '{') - template),
		 template, name);
	return locator;
}

static struct fetch_object *attach_new(const char *name, uint64_t size)
{
	struct host_look look;
	struct fetch_object *object;

	kind->put(name, size);
	ck_assert_int_eq(host_look(&host, &look, locator_of(name), 0), 0);
	object = host_attach(&host, locator_of(name), &look.look.identity);
	host_look_free(&look);
	return object;
}

static void detach(struct fetch_object *object)
{
	host.fetcher->ops->detach(object);
}

static void check_bytes(const struct host_read *read, const char *name, size_t len)
{
	ck_assert_uint_eq(pattern_check(read->read.buf, len, kind->key(name), read->read.off), len);
}

/* ---- look ------------------------------------------------------------------------------- */

static const struct {
	size_t size, head_len;
} looks[] = {
	{ 1, 0 },	    { 1, 1 },	 { 1, 4096 }, { 4096, 4096 }, { 4096, 8192 },
	{ 4097, 4096 },	    { SIZE, 0 }, { SIZE, 1 }, { SIZE, 4096 }, { SIZE, SIZE },
	{ SIZE, SIZE + 1 }, { 0, 0 },	 { 0, 1 },    { 0, 4096 },
};

START_TEST(look_learns_size_and_head)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		size_t size = looks[i].size, room = looks[i].head_len;
		struct host_look look;

		kind->put("blob", size);
		ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), room), 0);
		ck_assert_uint_eq(look.look.identity.size, size);
		ck_assert_uint_eq(look.look.head_filled, room < size ? room : size);
		ck_assert_uint_eq(
			pattern_check(look.look.head, look.look.head_filled, kind->key("blob"), 0),
			look.look.head_filled);
		host_look_free(&look);
	}
}
END_TEST

START_TEST(look_is_repeatable)
{
	struct host_look a, b;

	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &a, locator_of("blob"), 0), 0);
	ck_assert_int_eq(host_look(&host, &b, locator_of("blob"), 0), 0);
	ck_assert_str_eq(a.look.identity.validator, b.look.identity.validator);
	ck_assert_str_ne(a.look.identity.validator, "");
}
END_TEST

START_TEST(look_tells_versions_apart)
{
	struct host_look a, b;

	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &a, locator_of("blob"), 0), 0);
	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &b, locator_of("blob"), 0), 0);
	ck_assert_str_ne(a.look.identity.validator, b.look.identity.validator);
}
END_TEST

START_TEST(look_missing)
{
	struct host_look look;

	ck_assert_int_eq(host_look(&host, &look, locator_of("nothing"), 4096), -ENOENT);
	ck_assert_ptr_nonnull(strstr(look.look.error, "nothing"));
	host_look_free(&look);
}
END_TEST

START_TEST(look_decodes_names)
{
	struct host_look look;

	kind->put("a b.%c", 5000);
	ck_assert_int_eq(host_look(&host, &look, locator_of(STRANGE), 0), 0);
	ck_assert_uint_eq(look.look.identity.size, 5000);
}
END_TEST

START_TEST(look_many_at_once)
{
	static struct host_look looks_at_once[MANY];
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "blob%d", i);
		if (i % 4)
			kind->put(name, (uint64_t)i * 1000);
		host_look_start(&host, &looks_at_once[i], locator_of(name), 4096);
	}
	host_wait_all(&host);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(looks_at_once[i].err, i % 4 ? 0 : -ENOENT);
		if (i % 4)
			ck_assert_uint_eq(looks_at_once[i].look.identity.size, (size_t)i * 1000);
		host_look_free(&looks_at_once[i]);
	}
}
END_TEST

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

/* ---- attach ----------------------------------------------------------------------------- */

START_TEST(attach_does_no_io)
{
	struct fetch_identity identity;
	struct host_read read = { 0 };
	struct fetch_object *object = attach_new("blob", SIZE);
	struct host_look look;

	detach(object);
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	identity = look.look.identity;
	kind->remove("blob");
	/* With the object gone it works all the same; reading does not. */
	object = host_attach(&host, locator_of("blob"), &identity);
	ck_assert_int_eq(host_read(&host, &read, object, 0, 4096), -ENOENT);
	host_read_free(&read);
	detach(object);
}
END_TEST

START_TEST(attach_refuses_what_is_not_its_own)
{
	struct fetch_identity identity = { .size = 4096 };
	struct fetch_object *object = NULL;
	struct host_look look;

	snprintf(identity.validator, sizeof(identity.validator), "nonsense");
	ck_assert_int_eq(
		host.fetcher->ops->attach(host.fetcher, &object, locator_of("blob"), &identity),
		-EINVAL);
	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	ck_assert_int_eq(host.fetcher->ops->attach(host.fetcher, &object, "gopher:/elsewhere/blob",
						   &look.look.identity),
			 -EINVAL);
	ck_assert_ptr_null(object);
}
END_TEST

START_TEST(attach_keeps_its_own_copies)
{
	char locator[1024];
	struct fetch_identity identity;
	struct fetch_object *object;
	struct host_look look;
	struct host_read read = { 0 };

	kind->put("blob", SIZE);
	snprintf(locator, sizeof(locator), "%s", locator_of("blob"));
	ck_assert_int_eq(host_look(&host, &look, locator, 0), 0);
	identity = look.look.identity;
	object = host_attach(&host, locator, &identity);
	memset(locator, 'x', sizeof(locator) - 1);
	memset(&identity, 'x', sizeof(identity));
	ck_assert_int_eq(host_read(&host, &read, object, 0, 100), 0);
	host_read_free(&read);
	detach(object);
}
END_TEST

/* ---- read ------------------------------------------------------------------------------- */

static const struct {
	uint64_t off;
	size_t len;
} spans[] = {
	{ 0, 1 },    { 0, 4096 },     { 4096, 4096 },	     { 1, SIZE - 1 },
	{ 0, SIZE }, { SIZE - 1, 1 }, { SIZE - 4097, 4097 }, { 12345, 54321 },
};

START_TEST(read_gives_the_bytes)
{
	struct fetch_object *object = attach_new("blob", SIZE);

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct host_read read = { 0 };

		ck_assert_int_eq(host_read(&host, &read, object, spans[i].off, spans[i].len), 0);
		check_bytes(&read, "blob", spans[i].len);
		host_read_free(&read);
	}
	detach(object);
}
END_TEST

START_TEST(read_object_of_one_byte)
{
	struct fetch_object *object = attach_new("blob", 1);
	struct host_read read = { 0 };

	ck_assert_int_eq(host_read(&host, &read, object, 0, 1), 0);
	check_bytes(&read, "blob", 1);
	host_read_free(&read);
	detach(object);
}
END_TEST

START_TEST(read_many_at_once)
{
	static struct host_read reads[MANY];
	struct fetch_object *a = attach_new("a", SIZE), *b = attach_new("b", 8192);

	for (int i = 0; i < MANY; i++)
		host_read_start(&host, &reads[i], i % 2 ? a : b, (uint64_t)i * (i % 2 ? 5000 : 100),
				4096);
	host_wait_all(&host);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(reads[i].err, 0);
		check_bytes(&reads[i], i % 2 ? "a" : "b", 4096);
		host_read_free(&reads[i]);
	}
	detach(a);
	detach(b);
}
END_TEST

static void check_progress(struct host_read *read)
{
	check_bytes(read, "blob", read->progress);
}

START_TEST(progress_only_of_right_bytes)
{
	struct fetch_object *object = attach_new("blob", LARGE);
	struct host_read read = { .on_progress = check_progress };

	ck_assert_int_eq(host_read(&host, &read, object, 1, LARGE - 1), 0);
	check_bytes(&read, "blob", LARGE - 1);
	host_read_free(&read);
	detach(object);
}
END_TEST

START_TEST(read_without_progress)
{
	struct fetch_object *object = attach_new("blob", 1000000);
	struct host_read read = { 0 };

	host_read_start(&host, &read, object, 0, 1000000);
	read.read.progress = NULL;
	ck_assert_int_eq(host_read_wait(&read), 0);
	check_bytes(&read, "blob", 1000000);
	host_read_free(&read);
	detach(object);
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

/* ---- what happens in done() ------------------------------------------------------------- */

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

/* ---- identity --------------------------------------------------------------------------- */

/* What was replaced: gone, or still the old bytes, those of key. */
static void check_replaced(struct fetch_object *object, uint64_t off, uint64_t key)
{
	struct host_read read = { 0 };
	int err = host_read(&host, &read, object, off, 4096);

	if (kind->keeps_versions) {
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(pattern_check(read.read.buf, 4096, key, off), 4096);
	} else {
		ck_assert_int_eq(err, -ESTALE);
		ck_assert_uint_eq(read.progress, 0);
	}
	host_read_free(&read);
}

START_TEST(changed_object_is_stale)
{
	struct fetch_identity identity;
	struct host_look look;
	struct fetch_object *object;
	uint64_t key;

	kind->put("blob", SIZE);
	key = kind->key("blob");
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	identity = look.look.identity;
	kind->put("blob", SIZE);
	object = host_attach(&host, locator_of("blob"), &identity);
	check_replaced(object, 0, key);
	detach(object);
}
END_TEST

START_TEST(shrunken_object_is_stale)
{
	struct fetch_object *object;
	struct fetch_identity identity;
	struct host_look look;
	uint64_t key;

	kind->put("blob", SIZE);
	key = kind->key("blob");
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	identity = look.look.identity;
	kind->put("blob", 10);
	object = host_attach(&host, locator_of("blob"), &identity);
	check_replaced(object, SIZE - 4096, key);
	detach(object);
}
END_TEST

/* An instance that was freed and made again takes an identity of the first. */
START_TEST(identity_outlives_the_instance)
{
	struct fetch_object *object;
	struct fetch_identity identity;
	struct host_look look;
	struct host_read read = { 0 };

	kind->put("blob", SIZE);
	ck_assert_int_eq(host_look(&host, &look, locator_of("blob"), 0), 0);
	identity = look.look.identity;
	host_stop(&host);
	host_start_class(&host, LOOP_POLL, kind_class(kind), kind->template(), kind->params);
	object = host_attach(&host, locator_of("blob"), &identity);
	ck_assert_int_eq(host_read(&host, &read, object, 4096, 4096), 0);
	check_bytes(&read, "blob", 4096);
	host_read_free(&read);
	detach(object);
}
END_TEST

/* ---- no memory -------------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool no_memory;

/* The fetchers' own; libraries have theirs. */
void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

START_TEST(no_memory_still_answers)
{
	static struct host_read reads[8], ok;
	static struct host_look some_looks[8];
	struct fetch_object *object = attach_new("blob", SIZE);
	const char *locator = locator_of("blob");

	no_memory = true;
	for (int i = 0; i < 8; i++) {
		host_read_start(&host, &reads[i], object, 0, 4096);
		host_look_start(&host, &some_looks[i], locator, 0);
	}
	host_read_cancel(&reads[6], object);
	host_look_cancel(&some_looks[7]);
	no_memory = false;
	host_wait_all(&host);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(reads[i].err, -ENOMEM);
		ck_assert_int_eq(some_looks[i].err, -ENOMEM);
		host_read_free(&reads[i]);
	}
	ck_assert_int_eq(host_read(&host, &ok, object, 0, 4096), 0);
	host_read_free(&ok);
	detach(object);
}
END_TEST

/* ---- the registry ----------------------------------------------------------------------- */

static const struct kind *kind_of(const char *class)
{
	for (unsigned int i = 0; i < n_kinds; i++)
		if (strcmp(kinds[i].class, class) == 0)
			return &kinds[i];
	return NULL;
}

START_TEST(every_fetcher_is_tested)
{
	for (const struct fetcher_class *const *c = fetcher_classes; *c; c++)
		ck_assert_msg(kind_of((*c)->name), "no row in kinds.c for %s", (*c)->name);
}
END_TEST

START_TEST(classes_are_found_by_scheme)
{
	char locator[64];

	for (const struct fetcher_class *const *c = fetcher_classes; *c; c++)
		for (const char *const *s = (*c)->schemes; *s; s++) {
			snprintf(locator, sizeof(locator), "%s:/x", *s);
			ck_assert_ptr_eq(fetcher_class_find(locator), *c);
			snprintf(locator, sizeof(locator), "%sx:/x", *s);
			ck_assert_ptr_ne(fetcher_class_find(locator), *c);
		}
	ck_assert_ptr_null(fetcher_class_find("no colon"));
	ck_assert_ptr_null(fetcher_class_find(""));
	ck_assert_ptr_null(fetcher_class_find(":/x"));
}
END_TEST

/* create() with loop NULL only checks. */
START_TEST(create_only_checks_without_loop)
{
	static const struct fetcher_param none[1];
	struct fetcher *fetcher = (struct fetcher *)&none;
	char error[FETCH_ERROR_MAX] = "";

	/* What s3 asks for. */
	setenv("AWS_ACCESS_KEY_ID", "id", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	for (const struct fetcher_class *const *c = fetcher_classes; *c; c++) {
		char template[64];

		snprintf(template, sizeof(template), "%s://localhost/x/{cookie}", (*c)->schemes[0]);
		ck_assert_int_eq((*c)->create(&fetcher, NULL, template, none, error), 0);
		ck_assert_ptr_eq(fetcher, &none);
		snprintf(template, sizeof(template), "%s:", (*c)->schemes[0]);
		ck_assert_int_eq((*c)->create(&fetcher, NULL, template, none, error), -EINVAL);
		ck_assert_str_ne(error, "");
	}
}
END_TEST

/* ---- the suite -------------------------------------------------------------------------- */

/* valgrind (3.19) has no openat2(2), without which the file fetcher opens nothing. */
static bool enabled(const struct kind *k)
{
	if (under_valgrind() && (strcmp(k->class, "file") == 0 || (k->decorator && !k->decorates)))
		return false;
	if (k->works && !k->works()) {
		printf("# %s: its server is not installed here\n", k->class);
		return false;
	}
	return kind_class(k) != NULL;
}

/* Nor does it see what the kernel writes by io_uring. */
static bool uring_works(void)
{
	struct loop *loop;

	if (under_valgrind() || loop_new(&loop, LOOP_URING) < 0)
		return false;
	loop_free(loop);
	return true;
}

static TCase *case_for(unsigned int row, int poll)
{
	static char names[sizeof(fixtures) / sizeof(fixtures[0]) * 2][32];
	static unsigned int n;
	TCase *tc;

	snprintf(names[n], sizeof(names[n]), "%s-%u-%s", kinds[row].class, row,
		 poll ? "poll" : "uring");
	tc = tcase_create(names[n++]);
	tcase_set_timeout(tc, 120);
	if (kinds[row].begin)
		tcase_add_unchecked_fixture(tc, kinds[row].begin, kinds[row].end);
	tcase_add_checked_fixture(tc, fixtures[row][poll], stop);
	tcase_add_test(tc, look_learns_size_and_head);
	tcase_add_test(tc, look_is_repeatable);
	tcase_add_test(tc, look_tells_versions_apart);
	tcase_add_test(tc, look_missing);
	tcase_add_test(tc, look_decodes_names);
	tcase_add_test(tc, look_many_at_once);
	tcase_add_test(tc, look_canceled);
	tcase_add_test(tc, attach_does_no_io);
	tcase_add_test(tc, attach_refuses_what_is_not_its_own);
	tcase_add_test(tc, attach_keeps_its_own_copies);
	tcase_add_test(tc, read_gives_the_bytes);
	tcase_add_test(tc, read_object_of_one_byte);
	tcase_add_test(tc, read_many_at_once);
	tcase_add_test(tc, progress_only_of_right_bytes);
	tcase_add_test(tc, read_without_progress);
	tcase_add_test(tc, read_canceled);
	tcase_add_test(tc, read_canceled_by_its_progress);
	tcase_add_test(tc, cancel_is_only_for_one);
	tcase_add_test(tc, done_may_start_the_next);
	tcase_add_test(tc, done_may_free_everything);
	tcase_add_test(tc, changed_object_is_stale);
	tcase_add_test(tc, shrunken_object_is_stale);
	tcase_add_test(tc, identity_outlives_the_instance);
	tcase_add_test(tc, no_memory_still_answers);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("contract");
	TCase *tc = tcase_create("registry");

	tcase_add_test(tc, every_fetcher_is_tested);
	tcase_add_test(tc, classes_are_found_by_scheme);
	tcase_add_test(tc, create_only_checks_without_loop);
	suite_add_tcase(s, tc);
	for (unsigned int row = 0; row < n_kinds; row++)
		for (int poll = uring_works() ? 0 : 1; poll < 2 && enabled(&kinds[row]); poll++)
			suite_add_tcase(s, case_for(row, poll));
	return run_suite(s);
}
