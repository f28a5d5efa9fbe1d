/* SPDX-License-Identifier: MIT */
/*
 * The contract of attach: an object is the version that its identity says, or it is stale.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/replay/pattern.h"
#include "tests/contract/contract-fixture.h"

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

void contract_identity(TCase *tc)
{
	tcase_add_test(tc, attach_does_no_io);
	tcase_add_test(tc, attach_refuses_what_is_not_its_own);
	tcase_add_test(tc, attach_keeps_its_own_copies);
	tcase_add_test(tc, changed_object_is_stale);
	tcase_add_test(tc, shrunken_object_is_stale);
	tcase_add_test(tc, identity_outlives_the_instance);
}
