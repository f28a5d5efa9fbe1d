/* SPDX-License-Identifier: MIT */
/*
 * A fetcher in front of a fetcher that does what a script says: requests begin late, bytes come
 * slowly, errors and stalls stand at offsets. Right bytes stay right.
 */
#pragma once

#include "daemon/replay/catalog.h"
#include "daemon/replay/script.h"
#include "fetchers/fetcher.h"

/*
 * inner is consumed on success. The catalog names what the globs of the script are matched on;
 * the script is borrowed, and its counts go down.
 */
int fault_new(struct fetcher **ret, struct fetcher *inner, struct loop *loop,
	      const struct catalog *catalog, struct script *script);
