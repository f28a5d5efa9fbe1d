/* SPDX-License-Identifier: MIT */
/*
 * A file of credentials, or the body of an error.
 */
#include <errno.h>
#include <string.h>

#include "fetchers/s3-error.h"
#include "fetchers/s3-profile.h"
#include "tests/fuzz/fuzz.h"

static void check_slot(const char *slot, size_t n)
{
	FUZZ_CHECK(memchr(slot, '\0', n) != NULL);
	for (; *slot; slot++)
		FUZZ_CHECK(*slot > ' ' && *slot != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct s3_profile p = { .id = "before" };
	char why[S3_WHY_MAX];
	int r = s3_profile_parse(&p, (const char *)data, n, "default");

	FUZZ_CHECK(r == 0 || r == -ENOENT || r == -EINVAL);
	FUZZ_CHECK(r == 0 || strcmp(p.id, "before") == 0);
	check_slot(p.id, sizeof(p.id));
	check_slot(p.secret, sizeof(p.secret));
	check_slot(p.token, sizeof(p.token));
	check_slot(p.region, sizeof(p.region));

	r = s3_error_parse(why, -EIO, (const char *)data, n);
	FUZZ_CHECK(r == -EIO || (r == -EACCES && why[0]));
	FUZZ_CHECK(memchr(why, '\0', sizeof(why)) != NULL);
	return 0;
}
