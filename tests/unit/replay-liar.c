/* SPDX-License-Identifier: MIT */
#include "tests/unit/replay-liar.h"

#include <check.h>
#include <stdlib.h>

#include "daemon/util/bytes.h"

uint64_t liar_at;
int liar_error;

static struct fetcher liar;
static struct fetcher *inner;

struct lie {
	struct fetch_read read;
	struct fetch_read *outer;
};

/* ---- of a byte ---------------------------------------------------------------------------- */

static void lie_done(struct fetch_read *read, int err)
{
	struct lie *lie = container_of(read, struct lie, read);
	struct fetch_read *outer = lie->outer;
	uint64_t at = liar_at;
	bool here = err == 0 && at >= outer->off && at < outer->off + outer->len;

	if (here && liar_error == 0)
		((uint8_t *)outer->buf)[at - outer->off] ^= 1;
	if (here && liar_error < 0)
		err = liar_error;
	free(lie);
	outer->done(outer, err);
}

static void liar_look(struct fetcher *fetcher, struct fetch_look *look)
{
	inner->ops->look(inner, look);
}

static void liar_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	inner->ops->cancel_look(inner, look);
}

static int liar_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		       const struct fetch_identity *identity)
{
	return inner->ops->attach(inner, ret, locator, identity);
}

static void liar_detach(struct fetch_object *object)
{
	inner->ops->detach(object);
}

static void liar_read(struct fetch_object *object, struct fetch_read *read)
{
	struct lie *lie = calloc(1, sizeof(*lie));

	ck_assert_ptr_nonnull(lie);
	lie->read = (struct fetch_read){
		.off = read->off, .len = read->len, .buf = read->buf, .done = lie_done
	};
	lie->outer = read;
	inner->ops->read(object, &lie->read);
}

static void liar_cancel_read(struct fetch_object *object, struct fetch_read *read)
{
}

static void liar_free(struct fetcher *fetcher)
{
	inner->ops->free(inner);
}

static const struct fetcher_ops liar_ops = {
	.look = liar_look,
	.cancel_look = liar_cancel_look,
	.attach = liar_attach,
	.detach = liar_detach,
	.read = liar_read,
	.cancel_read = liar_cancel_read,
	.free = liar_free,
};

struct fetcher *make_liar(struct fetcher *fetcher)
{
	inner = fetcher;
	liar.ops = &liar_ops;
	return &liar;
}

/* ---- of the size -------------------------------------------------------------------------- */

static void (*honest_done)(struct fetch_look *look, int err);

static void smaller_look_done(struct fetch_look *look, int err)
{
	look->identity.size -= 4096;
	look->done = honest_done;
	look->done(look, err);
}

static void smaller_look(struct fetcher *fetcher, struct fetch_look *look)
{
	honest_done = look->done;
	look->done = smaller_look_done;
	inner->ops->look(inner, look);
}

struct fetcher *make_smaller(struct fetcher *fetcher)
{
	static struct fetcher_ops ops;

	make_liar(fetcher);
	ops = liar_ops;
	ops.look = smaller_look;
	liar.ops = &ops;
	return &liar;
}
