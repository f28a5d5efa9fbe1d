/* SPDX-License-Identifier: MIT */
/* Memory that ends while an image is opened. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/rig-client.h"
#include "tests/lib/run-suite.h"
#include "tests/unit/engine-images-fixture.h"

/* ---- memory that ends ----------------------------------------------------------------------- */

#define NEVER UINT32_MAX
static unsigned int memory_lasts = NEVER; /* allocations until one fails */
static unsigned int failed;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

/* Once. */
static bool memory_ends(void)
{
	if (memory_lasts == NEVER || memory_lasts-- > 0)
		return false;
	memory_lasts = NEVER;
	failed++;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return memory_ends() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return memory_ends() ? NULL : __real_calloc(n, size);
}

char *__wrap_strdup(const char *text)
{
	return memory_ends() ? NULL : __real_strdup(text);
}

/* The script itself has all the memory that it wants. */
static struct fetcher_ops scripted, frail;

static int frail_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			const struct fetch_identity *identity)
{
	unsigned int saved = memory_lasts;
	int err;

	if (memory_ends())
		return -ENOMEM;
	memory_lasts = NEVER;
	err = scripted.attach(fetcher, ret, locator, identity);
	memory_lasts = saved;
	return err;
}

static void make_frail(void)
{
	struct fetcher *fetcher = fake_fetcher(rig.fake);

	scripted = frail = *fetcher->ops;
	frail.attach = frail_attach;
	fetcher->ops = &frail;
}

/* The first, the second, the n-th allocation of an open fails, until none does: no harm is done. */
START_TEST(an_open_without_memory_fails_alone)
{
	struct fake_origin *origin;
	char locator[64], cookie[32];
	unsigned int n, before;
	struct rig_client c;

	rig_begin();
	make_frail();
	for (n = 0;; n++) {
		/* A cookie and an origin of its own: one more source each time that it succeeds. */
		snprintf(locator, sizeof(locator), "fake://h%u/a", n);
		snprintf(cookie, sizeof(cookie), "sha256-%u", n);
		origin = serve(locator, MIB, n);
		add_image(cookie, origin);
		before = failed;
		memory_lasts = n;
		rig_client_open(&c, IMAGES, cookie);
		memory_lasts = NEVER; /* all of it has happened but the answer */
		rig_wait(c.done);
		if (c.err == 0)
			rig_client_close(&c);
		else
			ck_assert_int_eq(c.err, -ENOMEM);
		read_all(cookie, origin);
		if (failed == before)
			break;
	}
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_lt(origins_count(origins), ORIGINS_IMPLICIT_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("engine-images-memory");
	TCase *t = images_case(s);

	tcase_add_test(t, an_open_without_memory_fails_alone);
	return run_suite(s);
}
