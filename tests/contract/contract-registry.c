/* SPDX-License-Identifier: MIT */
/*
 * The registry: each fetcher is tested here, is found by its schemes, and checks what it is given.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract-fixture.h"

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

void contract_registry(TCase *tc)
{
	tcase_add_test(tc, every_fetcher_is_tested);
	tcase_add_test(tc, classes_are_found_by_scheme);
	tcase_add_test(tc, create_only_checks_without_loop);
}
