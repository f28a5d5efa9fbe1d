/* SPDX-License-Identifier: MIT */
/*
 * One object with a digest of the whole, over the rig.
 */
#pragma once

#include "daemon/util/verified.h"
#include "tests/lib/rig.h"

#define SIZE  (MIB + 5)
#define WRONG "digest:sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

extern struct fake_origin *blob;
extern char right[sizeof(WRONG)]; /* its validator */

void audit_setup(void);
void audit_begin(uint64_t size);

void digest_of(const struct fake_origin *origin);
enum verified verified(void);
/* Until nothing is wanted any more. */
struct audit_stats settle(void);
void read_all(struct emu_mount *mount);
/* It is cached, wrong and mounted. */
struct emu_mount *make_wrong(void);
