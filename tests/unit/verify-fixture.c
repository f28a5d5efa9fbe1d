/* SPDX-License-Identifier: MIT */
#include "tests/unit/verify-fixture.h"

#include "daemon/replay/pattern.h"

struct loop *loop;
struct fake *fake;
struct fetcher *fetcher;
struct memory data, tree, good_data, good_tree;
struct fake_origin *data_origin, *tree_origin;
struct fetch_identity identity;
char locator[4096];
struct fetch_object *object;

static uint8_t memory_byte(const struct emu_origin *bytes, uint64_t off)
{
	return container_of(bytes, struct memory, bytes)->at[off];
}

static void memory_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n)
{
	memcpy(buf, container_of(bytes, struct memory, bytes)->at + off, n);
}

void memory_set(struct memory *m, const void *bytes, size_t len)
{
	free(m->at);
	m->at = malloc(len + 1);
	ck_assert_ptr_nonnull(m->at);
	memcpy(m->at, bytes, len);
	m->bytes = (struct emu_origin){ .size = len, .byte = memory_byte, .fill = memory_fill };
}

void sent_fill(const struct emu_origin *bytes, void *buf, uint64_t off, size_t n)
{
	const struct memory *m = bytes == &data_origin->bytes ? &data : &tree;

	memcpy(buf, m->at + off, n);
}

void setup(void)
{
	ck_assert_int_eq(loop_new(&loop, LOOP_VIRTUAL), 0);
	fake = fake_new(loop);
	ck_assert_int_eq(verify_new(&fetcher, loop, fake_fetcher(fake)), 0);
}

void drop_object(void)
{
	if (object)
		fetcher->ops->detach(object);
	object = NULL;
}

void teardown(void)
{
	struct memory *all[] = { &data, &tree, &good_data, &good_tree };

	drop_object();
	fetcher->ops->free(fetcher);
	fake_fetcher(fake)->ops->free(fake_fetcher(fake));
	fake_free(fake);
	loop = loop_free(loop);
	for (size_t i = 0; i < 4; i++) {
		free(all[i]->at);
		*all[i] = (struct memory){ 0 };
	}
}

void attach(void)
{
	drop_object();
	ck_assert_int_eq(fetcher->ops->attach(fetcher, &object, locator, &identity), 0);
}

void restart(void)
{
	drop_object();
	fetcher->ops->free(fetcher);
	ck_assert_int_eq(verify_new(&fetcher, loop, fake_fetcher(fake)), 0);
	attach();
}

void serve(size_t size, const char *salt)
{
	struct verity_made made;
	uint8_t *bytes = malloc(size + 1);

	pattern_fill(bytes, size, (uint64_t)rand(), 0);
	verity_make(&made, bytes, size, salt);
	memory_set(&data, bytes, size);
	memory_set(&good_data, bytes, size);
	memory_set(&tree, made.bytes, made.len);
	memory_set(&good_tree, made.bytes, made.len);
	data_origin = fake_serve(fake, PLACE, size);
	tree_origin = fake_serve(fake, BESIDE, made.len);
	data_origin->bytes.fill = tree_origin->bytes.fill = sent_fill;
	identity = (struct fetch_identity){ .size = size, .validator = "v1" };
	snprintf(locator, sizeof(locator), "fs-verity:%s;" PLACE, made.digest);
	verity_made_end(&made);
	free(bytes);
}

/* ---- requests ----------------------------------------------------------------------------- */

static void check_right(const struct request *r, size_t from, size_t to)
{
	ck_assert_mem_eq((uint8_t *)r->read.buf + from, good_data.at + r->read.off + from,
			 to - from);
}

static void read_progress(struct fetch_read *read, size_t filled)
{
	struct request *r = container_of(read, struct request, read);

	ck_assert(!r->done && filled > r->progress && filled <= read->len);
	check_right(r, r->progress, filled);
	r->progress = filled;
}

void read_done(struct fetch_read *read, int err)
{
	struct request *r = container_of(read, struct request, read);

	ck_assert(!r->done);
	r->done = true;
	r->err = err;
	check_right(r, 0, err == 0 ? read->len : r->progress);
	ck_assert(err == 0 || read->error[0]);
}

void start(struct request *r, uint64_t off, size_t len)
{
	*r = (struct request){ .read = { .off = off,
					 .len = len,
					 .buf = malloc(len),
					 .progress = read_progress,
					 .done = read_done } };
	memset(r->read.buf, 0x5a, len);
	fetcher->ops->read(object, &r->read);
	ck_assert(!r->done);
}

int finish(struct request *r)
{
	while (!r->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	free(r->read.buf);
	return r->err;
}

int read_range(struct request *r, uint64_t off, size_t len)
{
	start(r, off, len);
	return finish(r);
}

static void look_done(struct fetch_look *look, int err)
{
	struct look *l = container_of(look, struct look, look);

	ck_assert(!l->done);
	l->done = true;
	l->err = err;
	ck_assert(err == 0 || look->error[0]);
	if (err == 0 && look->head_filled > 0)
		ck_assert_mem_eq(look->head, good_data.at, look->head_filled);
}

void look_start(struct look *l, size_t head_len)
{
	*l = (struct look){ .look = { .locator = locator,
				      .head = head_len ? malloc(head_len) : NULL,
				      .head_len = head_len,
				      .done = look_done } };
	fetcher->ops->look(fetcher, &l->look);
}

int look_finish(struct look *l)
{
	while (!l->done)
		ck_assert_int_eq(loop_turn(loop), 0);
	free(l->look.head);
	return l->err;
}

int look_at(struct look *l, size_t head_len)
{
	look_start(l, head_len);
	return look_finish(l);
}
