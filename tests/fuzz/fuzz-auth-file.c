/* SPDX-License-Identifier: MIT */
/*
 * Files of credentials, and what helpers say: what comes out can be sent in one field.
 */
#include <errno.h>
#include <string.h>

#include "fetchers/auth-file.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const char *text)
{
	for (; text && *text; text++)
		FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct auth_credentials c = { 0 };
	char why[AUTH_WHY_MAX] = "";
	const char *said = "";
	int r = auth_file_find(&c, (const char *)data, n, "h:5000", "r/s", why);

	FUZZ_CHECK(r == 0 || (r == -EINVAL && *why));
	FUZZ_CHECK(r == 0 || !auth_credentials_given(&c));
	FUZZ_CHECK(!c.user == !c.password);
	check_text(c.user);
	check_text(c.password);
	check_text(c.identity_token);
	FUZZ_CHECK(!c.helper || auth_helper_valid(c.helper));
	auth_credentials_end(&c);
	r = auth_helper_parse(&c, (const char *)data, n, &said);
	FUZZ_CHECK(r == 0 || (r == -EACCES && *said && !auth_credentials_given(&c)));
	FUZZ_CHECK(!c.user == !c.password && !c.helper);
	check_text(c.user);
	check_text(c.password);
	check_text(c.identity_token);
	auth_credentials_end(&c);
	return 0;
}
