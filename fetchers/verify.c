/* SPDX-License-Identifier: MIT */
#include "fetchers/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "fetchers/verify-read.h"

struct verify {
	struct fetcher base;
	struct loop *loop;
	struct fetcher *next;	    /* borrowed */
	struct verify_trees *trees; /* owned */
	struct sha256 *sha;	    /* owned */
	struct fetch_refusals refusals;
};

struct verify_object {
	struct fetch_object base;
	char *locator; /* owned */
	struct verify_source source;
};

static struct verify *verify_of(struct fetcher *fetcher)
{
	return container_of(fetcher, struct verify, base);
}

/* ---- objects ------------------------------------------------------------------------------ */

static struct verify_object *object_free(struct verify_object *o)
{
	if (!o)
		return NULL;
	if (o->source.next)
		o->source.next->fetcher->ops->detach(o->source.next);
	if (o->source.tree)
		verify_tree_put(o->source.tree);
	free(o->locator);
	free(o);
	return NULL;
}

static void object_freep(struct verify_object **o)
{
	object_free(*o);
}

/* Without its bytes: object_attach(). -EINVAL: it is no locator of ours. */
static int object_new(struct verify_object **ret, struct verify *v, const char *locator)
{
	_cleanup_(object_freep) struct verify_object *o = calloc(1, sizeof(*o));
	_cleanup_free_ char *digest = NULL, *tree = NULL;
	uint8_t hash[FSVERITY_HASH];
	const char *inner;
	int r;

	if (!o || !(o->locator = strdup(locator)))
		return -ENOMEM;
	o->base.fetcher = &v->base;
	r = locator_split_verified(o->locator, &digest, &tree, &inner);
	if (r == 0)
		r = fsverity_digest_parse(bytes_str(digest), hash);
	if (r == 0)
		r = verify_tree_get(&o->source.tree, v->trees, tree, hash);
	if (r < 0)
		return r;
	o->source.loop = v->loop;
	o->source.locator = inner;
	o->source.sha = v->sha;
	*ret = steal(&o);
	return 0;
}

static int object_attach(struct verify_object *o, const struct fetch_identity *identity)
{
	struct fetcher *next = verify_of(o->base.fetcher)->next;

	o->source.size = identity->size;
	return next->ops->attach(next, &o->source.next, o->source.locator, identity);
}

static int verify_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
			 const struct fetch_identity *identity)
{
	_cleanup_(object_freep) struct verify_object *o = NULL;
	int r = object_new(&o, verify_of(fetcher), locator);

	if (r == 0)
		r = object_attach(o, identity);
	if (r < 0)
		return r;
	*ret = &o->base;
	o = NULL;
	return 0;
}

static void verify_detach(struct fetch_object *base)
{
	object_free(container_of(base, struct verify_object, base));
}

static void read_object(struct fetch_object *base, struct fetch_read *read)
{
	struct verify_object *o = container_of(base, struct verify_object, base);

	if (verify_read_start(&o->source, read, 0) < 0)
		fetch_refuse_read(&verify_of(base->fetcher)->refusals, read);
}

static void cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	if (!fetch_refused_read(&verify_of(base->fetcher)->refusals, read))
		verify_read_cancel(read);
}

/* ---- looks -------------------------------------------------------------------------------- */

/* The bytes and their tree are looked at together; then what has come of the bytes is checked. */
struct verify_look {
	struct fetch_look *look;
	struct verify *verify;
	struct verify_object *object; /* owned */
	struct fetch_look inner;
	struct verify_want want;
	struct fetch_read head;
	struct loop_deferred deferred;
	bool looking, wanting, reading;
	int err, tree_err;
};

static void look_end(struct verify_look *l)
{
	struct fetch_look *look = l->look;
	int err = l->err;

	object_free(l->object);
	free(l);
	look->done(look, err);
}

static void look_run_deferred(struct loop_deferred *deferred)
{
	look_end(container_of(deferred, struct verify_look, deferred));
}

static void look_stop(struct verify_look *l)
{
	struct fetcher *next = l->verify->next;

	if (l->looking)
		next->ops->cancel_look(next, &l->inner);
	if (l->wanting)
		verify_tree_cancel(&l->want);
	if (l->reading)
		verify_read_cancel(&l->head);
}

/* What is told is the first error of the bytes, or else that of their tree. */
static void look_fail(struct verify_look *l, int err, const char *error)
{
	if (l->err < 0)
		return;
	l->err = err;
	memcpy(l->look->error, error, FETCH_ERROR_MAX);
	look_stop(l);
}

static void head_done(struct fetch_read *head, int err)
{
	struct verify_look *l = container_of(head, struct verify_look, head);

	l->reading = false;
	if (err < 0)
		look_fail(l, err, head->error);
	look_end(l);
}

static int check_head(struct verify_look *l)
{
	struct fetch_look *look = l->look;
	int r = object_attach(l->object, &look->identity);

	if (r == 0 && look->head_filled > 0) {
		l->head = (struct fetch_read){
			.len = look->head_filled,
			.buf = look->head,
			.deadline = look->deadline,
			.done = head_done,
		};
		r = verify_read_start(&l->object->source, &l->head, look->head_filled);
		l->reading = r == 0;
	}
	return r;
}

/* Both have been looked at, or one of them could not be. */
static void look_go_on(struct verify_look *l)
{
	const struct fsverity_descriptor *d;
	char error[FETCH_ERROR_MAX];

	if (l->looking || l->wanting)
		return;
	if (l->tree_err < 0)
		look_fail(l, l->tree_err, l->want.error);
	d = verify_tree_descriptor(l->object->source.tree);
	if (l->err == 0 && d->size != l->inner.identity.size) {
		fetch_error(error, l->object->source.locator,
			    "the digest is of %" PRIu64 " bytes, and the object has %" PRIu64,
			    d->size, l->inner.identity.size);
		look_fail(l, -EBADMSG, error);
	}
	if (l->err == 0) {
		l->look->identity = l->inner.identity;
		l->look->head_filled = l->inner.head_filled;
		l->err = check_head(l);
		if (l->err < 0)
			fetch_error(l->look->error, l->object->source.locator, "it cannot be read");
	}
	if (!l->reading)
		look_end(l);
}

static void inner_done(struct fetch_look *inner, int err)
{
	struct verify_look *l = container_of(inner, struct verify_look, inner);

	l->looking = false;
	l->look->retry_after = inner->retry_after;
	if (err < 0)
		look_fail(l, err, inner->error);
	look_go_on(l);
}

static void want_done(struct verify_want *want, int err)
{
	struct verify_look *l = container_of(want, struct verify_look, want);

	l->wanting = false;
	l->tree_err = err;
	look_go_on(l);
}

static void look_start(struct verify_look *l)
{
	struct fetcher *next = l->verify->next;

	l->inner = *l->look;
	l->inner.locator = l->object->source.locator;
	l->inner.done = inner_done;
	l->inner.retry_after = 0;
	l->want = (struct verify_want){ .done = want_done };
	l->looking = l->wanting = true;
	next->ops->look(next, &l->inner);
	verify_tree_want(l->object->source.tree, &l->want);
}

static void verify_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct verify *v = verify_of(fetcher);
	struct verify_look *l = malloc(sizeof(*l));
	int r = l ? 0 : -ENOMEM;

	if (l) {
		*l = (struct verify_look){ .look = look, .verify = v };
		l->deferred.run = look_run_deferred;
		r = object_new(&l->object, v, look->locator);
	}
	if (r == -ENOMEM) {
		free(l);
		fetch_refuse_look(&v->refusals, look);
		return;
	}
	look->fetcher_private = l;
	if (r == 0) {
		look_start(l);
		return;
	}
	l->err = -EIO;
	fetch_error(look->error, look->locator,
		    "this is no fs-verity digest: sha256: and 64 digits of lower case");
	loop_defer(v->loop, &l->deferred);
}

static void cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	struct verify_look *l = look->fetcher_private;
	char error[FETCH_ERROR_MAX];

	if (fetch_refused_look(&verify_of(fetcher)->refusals, look))
		return;
	fetch_error(error, look->locator, "canceled");
	look_fail(l, -ECANCELED, error);
}

/* ---- the contract ------------------------------------------------------------------------- */

static void verify_free(struct fetcher *fetcher)
{
	struct verify *v = verify_of(fetcher);

	verify_trees_free(v->trees);
	sha256_free(v->sha);
	free(v);
}

static const struct fetcher_ops verify_ops = {
	.look = verify_look,
	.cancel_look = cancel_look,
	.attach = verify_attach,
	.detach = verify_detach,
	.read = read_object,
	.cancel_read = cancel_read,
	.free = verify_free,
};

int verify_new(struct fetcher **ret, struct loop *loop, struct fetcher *next)
{
	struct verify *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->base.ops = &verify_ops;
	v->loop = loop;
	v->next = next;
	fetch_refusals_init(&v->refusals, loop);
	if (sha256_new(&v->sha) < 0 || verify_trees_new(&v->trees, loop, next) < 0) {
		verify_free(&v->base);
		return -ENOMEM;
	}
	*ret = &v->base;
	return 0;
}
