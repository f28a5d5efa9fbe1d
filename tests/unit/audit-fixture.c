/* SPDX-License-Identifier: MIT */
#include "tests/unit/audit-fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/sha256.h"
#include "tests/lib/log-errors.h"

char right[sizeof(WRONG)];
struct fake_origin *blob;

void digest_of(const struct fake_origin *origin)
{
	uint64_t size = origin->bytes.size;
	uint8_t *bytes = malloc(size);
	char hex[SHA256_HEX];
	struct sha256 *sha;

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = origin->bytes.byte(&origin->bytes, i);
	ck_assert_int_eq(sha256_new(&sha), 0);
	sha256_update(sha, bytes, size);
	sha256_hex(sha, hex);
	sha256_free(sha);
	free(bytes);
	snprintf(right, sizeof(right), "digest:sha256:%s", hex);
}
void audit_begin(uint64_t size)
{
	rig_begin();
	blob = rig_serve("blob", size);
	digest_of(blob);
	blob->validator = right;
}

void audit_setup(void)
{
	rig_setup();
	rig.culls = rig.audits = true;
	rig.config.readahead_max = 0;
}

enum verified verified(void)
{
	const struct object *o =
		engine_peek_object(rig.engine, bytes_str(RIG_VOLUME), bytes_str("blob"));

	ck_assert_ptr_nonnull(o);
	return object_verified(o);
}

struct audit_stats settle(void)
{
	rig_run(SEC); /* an eviction takes a turn of its own */
	rig_wait(audit_stats(rig.audit).waiting == 0);
	return audit_stats(rig.audit);
}

void read_all(struct emu_mount *mount)
{
	ck_assert_int_eq(rig_read(mount, 0, blob->bytes.size), 0);
}
struct emu_mount *make_wrong(void)
{
	struct emu_mount *mount;

	audit_begin(SIZE);
	blob->validator = WRONG;
	mount = rig_mount(blob);
	listen_to_errors();
	read_all(mount);
	ck_assert_uint_eq(settle().wrong, 1);
	end_listening();
	ck_assert_int_eq(verified(), VERIFIED_FAILED);
	return mount;
}
