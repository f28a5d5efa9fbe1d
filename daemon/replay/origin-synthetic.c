/* SPDX-License-Identifier: MIT */
/*
 * Objects whose bytes are computed from their key, their version and the offset. They are what the
 * trace says: sizes, opens that failed, and whether they look like a compressed image.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/erofs.h"
#include "daemon/replay/origin.h"
#include "daemon/replay/pattern.h"
#include "daemon/util/checked.h"
#include "fetchers/common.h"

struct synthetic {
	struct fetcher base;
	struct loop *loop;
	struct catalog *catalog;
	struct fetch_refusals refusals;
};

struct synthetic_object {
	struct fetch_object base;
	struct synthetic *synthetic;
	const struct catalog_object *object;
	struct catalog_version version;
};

/* An answer on its way: what it is was known at once. */
struct synthetic_answer {
	struct fetch_look *look; /* one of these two */
	struct fetch_read *read;
	struct loop_deferred deferred;
	int err;
};

/* ---- bytes -------------------------------------------------------------------------------- */

/* The first block of an image as erofs_look() knows one whose data may be compressed:
 * fs/erofs/erofs_fs.h, struct erofs_super_block: magic, blkszbits, feature_incompat. */
static void compressed_block(uint8_t block[EROFS_HEAD])
{
	static const uint8_t magic[] = { 0xe2, 0xe1, 0xf5, 0xe0 };

	memset(block, 0, EROFS_HEAD);
	memcpy(block + 1024, magic, sizeof(magic));
	block[1024 + 12] = 12;
	block[1024 + 80] = 1;
}

void origin_computed(const struct catalog_object *object, const struct catalog_version *version,
		     void *buf, size_t len, uint64_t off)
{
	uint8_t block[EROFS_HEAD];

	pattern_fill(buf, len, pattern_key(object->locator) + version->seed, off);
	if (!version->compressed || off >= EROFS_HEAD)
		return;
	compressed_block(block);
	memcpy(buf, block + off, (size_t)min_u64(len, EROFS_HEAD - off));
}

/* ---- answers ------------------------------------------------------------------------------ */

static void answer_run(struct loop_deferred *deferred)
{
	struct synthetic_answer *a = container_of(deferred, struct synthetic_answer, deferred);
	struct fetch_look *look = a->look;
	struct fetch_read *read = a->read;
	int err = a->err;

	free(a);
	if (look)
		look->done(look, err);
	else
		read->done(read, err);
}

static struct synthetic_answer *answer_new(struct synthetic *s)
{
	struct synthetic_answer *a = calloc(1, sizeof(*a));

	if (a) {
		a->deferred.run = answer_run;
		loop_defer(s->loop, &a->deferred);
	}
	return a;
}

/* ---- the contract ------------------------------------------------------------------------- */

static struct synthetic *synthetic_of(struct fetcher *fetcher)
{
	return container_of(fetcher, struct synthetic, base);
}

static int look_now(struct synthetic *s, struct fetch_look *look)
{
	const struct catalog_object *object = catalog_find(s->catalog, look->locator);
	const struct catalog_version *v;

	if (!object) {
		fetch_error(look->error, look->locator, "the trace does not know it");
		return -ENOENT;
	}
	v = &object->current;
	if (v->error < 0) {
		fetch_error(look->error, look->locator, "failed in the trace");
		return v->error;
	}
	look->identity.size = v->size;
	snprintf(look->identity.validator, sizeof(look->identity.validator),
		 "synthetic:%016" PRIx64 ":%d", v->seed, v->compressed);
	look->head_filled = (size_t)min_u64(look->head_len, v->size);
	if (look->head)
		origin_computed(object, v, look->head, look->head_filled, 0);
	return 0;
}

static void synthetic_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct synthetic *s = synthetic_of(fetcher);
	struct synthetic_answer *a = answer_new(s);

	if (!a) {
		fetch_refuse_look(&s->refusals, look);
		return;
	}
	a->look = look;
	a->err = look_now(s, look);
}

static int synthetic_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			    const struct fetch_identity *identity)
{
	struct synthetic *s = synthetic_of(fetcher);
	const struct catalog_object *object = catalog_find(s->catalog, locator);
	struct synthetic_object *o;
	uint64_t seed;
	int compressed;

	if (!object ||
	    sscanf(identity->validator, "synthetic:%" SCNx64 ":%d", &seed, &compressed) != 2)
		return -EINVAL;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->base.fetcher = fetcher;
	o->synthetic = s;
	o->object = object;
	o->version = (struct catalog_version){
		.size = identity->size,
		.seed = seed,
		.compressed = compressed,
	};
	*ret = &o->base;
	return 0;
}

static void synthetic_detach(struct fetch_object *base)
{
	free(container_of(base, struct synthetic_object, base));
}

static void synthetic_read(struct fetch_object *base, struct fetch_read *read)
{
	struct synthetic_object *o = container_of(base, struct synthetic_object, base);
	struct synthetic_answer *a = answer_new(o->synthetic);

	assert(read->len >= 1 && read->off + read->len <= o->version.size);
	if (!a) {
		fetch_refuse_read(&o->synthetic->refusals, read);
		return;
	}
	a->read = read;
	origin_computed(o->object, &o->version, read->buf, read->len, read->off);
}

/* Its answer is on the way already. */
static void synthetic_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
}

static void synthetic_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
}

static void synthetic_free(struct fetcher *fetcher)
{
	free(synthetic_of(fetcher));
}

static const struct fetcher_ops synthetic_ops = {
	.look = synthetic_look,
	.cancel_look = synthetic_cancel_look,
	.attach = synthetic_attach,
	.detach = synthetic_detach,
	.read = synthetic_read,
	.cancel_read = synthetic_cancel_read,
	.free = synthetic_free,
};

int synthetic_fetcher_new(struct fetcher **ret, struct loop *loop, struct catalog *catalog)
{
	struct synthetic *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base.ops = &synthetic_ops;
	s->loop = loop;
	s->catalog = catalog;
	fetch_refusals_init(&s->refusals, loop);
	*ret = &s->base;
	return 0;
}
