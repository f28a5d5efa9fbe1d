/* SPDX-License-Identifier: MIT */
#include "tests/contract/contract-fixture.h"

#include <stdio.h>
#include <string.h>

#include "daemon/replay/pattern.h"

const struct kind *kind;
struct host host;

void contract_start(const struct kind *row, enum loop_backend backend)
{
	kind = row;
	kind->start();
	host_start_class(&host, backend, kind_class(kind), kind->template(), kind->params);
}

void contract_stop(void)
{
	host_stop(&host);
	kind->stop();
}

const char *locator_of(const char *name)
{
	static char locator[256];
	const char *template = kind->template();

	if (kind->locator)
		return kind->locator(name);
	snprintf(locator, sizeof(locator), "%.*s%s", (int)(strchr(template, '{') - template),
		 template, name);
	return locator;
}

struct fetch_object *attach_new(const char *name, uint64_t size)
{
	struct host_look look;
	struct fetch_object *object;

	kind->put(name, size);
	ck_assert_int_eq(host_look(&host, &look, locator_of(name), 0), 0);
	object = host_attach(&host, locator_of(name), &look.look.identity);
	host_look_free(&look);
	return object;
}

void detach(struct fetch_object *object)
{
	host.fetcher->ops->detach(object);
}

void check_bytes(const struct host_read *read, const char *name, size_t len)
{
	ck_assert_uint_eq(pattern_check(read->read.buf, len, kind->key(name), read->read.off), len);
}
