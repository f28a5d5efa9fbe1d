/* SPDX-License-Identifier: MIT */
/*
 * Decorators in front of the file fetcher: the object NAME is NAME.blob, seen by way of NAME.index.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "daemon/replay/pattern.h"
#include "daemon/tarindex/gzip.h"
#include "fetchers/file-open.h"
#include "fetchers/gunzip.h"
#include "fetchers/tarmap.h"
#include "proto/tarmap.h"
#include "tests/contract/kinds-internal.h"
#include "tests/lib/temporary.h"

/* ---- a decorator and what it decorates, as one ------------------------------------------ */

struct pair {
	struct fetcher base;
	struct fetcher *outer, *inner; /* owned */
};

static struct pair *pair_of(struct fetcher *fetcher)
{
	return container_of(fetcher, struct pair, base);
}

static void pair_look(struct fetcher *fetcher, struct fetch_look *look)
{
	pair_of(fetcher)->outer->ops->look(pair_of(fetcher)->outer, look);
}

static void pair_cancel_look(struct fetcher *fetcher, struct fetch_look *look)
{
	pair_of(fetcher)->outer->ops->cancel_look(pair_of(fetcher)->outer, look);
}

/* An object that remembers the one within. */
struct pair_object {
	struct fetch_object base;
	struct fetch_object *outer;
};

static int pair_attach(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		       const struct fetch_identity *identity)
{
	struct pair *pair = pair_of(fetcher);
	struct pair_object *o = calloc(1, sizeof(*o));
	int r = pair->outer->ops->attach(pair->outer, &o->outer, locator, identity);

	if (r < 0) {
		free(o);
		return r;
	}
	o->base.fetcher = fetcher;
	*ret = &o->base;
	return 0;
}

static struct fetch_object *outer_of(struct fetch_object *base)
{
	return container_of(base, struct pair_object, base)->outer;
}

static void pair_detach(struct fetch_object *base)
{
	outer_of(base)->fetcher->ops->detach(outer_of(base));
	free(container_of(base, struct pair_object, base));
}

static void pair_read(struct fetch_object *base, struct fetch_read *read)
{
	outer_of(base)->fetcher->ops->read(outer_of(base), read);
}

static void pair_cancel_read(struct fetch_object *base, struct fetch_read *read)
{
	outer_of(base)->fetcher->ops->cancel_read(outer_of(base), read);
}

static void pair_free(struct fetcher *fetcher)
{
	struct pair *pair = pair_of(fetcher);

	pair->outer->ops->free(pair->outer);
	pair->inner->ops->free(pair->inner);
	free(pair);
}

static const struct fetcher_ops pair_ops = {
	.look = pair_look,
	.cancel_look = pair_cancel_look,
	.attach = pair_attach,
	.detach = pair_detach,
	.read = pair_read,
	.cancel_read = pair_cancel_read,
	.free = pair_free,
};

int pair_create(struct fetcher **ret, struct loop *loop, const char *inner,
		int (*outer_new)(struct fetcher **, struct loop *, struct fetcher *))
{
	static const struct fetcher_param none[] = { { NULL, NULL } };
	struct pair *pair = calloc(1, sizeof(*pair));
	char error[FETCH_ERROR_MAX];

	ck_assert_int_eq(fetcher_class_find(inner)->create(&pair->inner, loop, inner, none, error),
			 0);
	ck_assert_int_eq(outer_new(&pair->outer, loop, pair->inner), 0);
	pair->base.ops = &pair_ops;
	*ret = &pair->base;
	return 0;
}

static int indexed_create(struct fetcher **ret, struct loop *loop,
			  int (*outer_new)(struct fetcher **, struct loop *, struct fetcher *))
{
	char template[TEMPORARY_MAX + 32];

	snprintf(template, sizeof(template), "file:%s/{cookie}", file_dir());
	return pair_create(ret, loop, template, outer_new);
}

/* ---- files ------------------------------------------------------------------------------ */

static void put_blob(const char *name, const void *bytes, size_t size,
		     struct fetch_identity *ret_identity)
{
	char blob[80], path[TEMPORARY_MAX + 80];
	struct file_stamp stamp;
	struct stat st;

	snprintf(blob, sizeof(blob), "%s.blob", name);
	file_write(blob, bytes, size);
	snprintf(path, sizeof(path), "%s/%s", file_dir(), blob);
	ck_assert_int_eq(stat(path, &st), 0);
	stamp = file_stamp_of(&st);
	*ret_identity = file_identity_of(&stamp);
}

static void put_index(const char *name, const void *bytes, size_t size)
{
	char index[80];

	snprintf(index, sizeof(index), "%s.index", name);
	file_write(index, bytes, size);
}

void indexed_remove(const char *name)
{
	char path[TEMPORARY_MAX + 80];

	snprintf(path, sizeof(path), "%s/%s.index", file_dir(), name);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s.blob", file_dir(), name);
	unlink(path);
}

static const char *locator_of(const char *scheme, const char *name)
{
	static char locator[2 * TEMPORARY_MAX + 160];

	snprintf(locator, sizeof(locator), "%s:%s/%s.index;file:%s/%s.blob", scheme, file_dir(),
		 name, file_dir(), name);
	return locator;
}

/* ---- tarmap ----------------------------------------------------------------------------- */

static int tarmap_create(struct fetcher **ret, struct loop *loop, const char *template,
			 const struct fetcher_param *params, char *error)
{
	return indexed_create(ret, loop, tarmap_new);
}

const struct fetcher_class tarmap_test_class = {
	.name = "tarmap",
	.schemes = (const char *const[]){ "tarmap", NULL },
	.create = tarmap_create,
};

/*
 * The object is cut into pieces of whole blocks, one of them of many. They lie in the blob with
 * small gaps, large ones, and none between them, and the fifth in front of the fourth.
 */
void tarmap_put(const char *name, uint64_t size)
{
	static const unsigned int pieces[] = { 1, 1, 3, 1, 1, 1, 200, 2, 1 };
	static const unsigned int gaps[] = { 512, 1024, 512, 8192, 40000, 0, 1536, 90000, 3 };
	size_t room = 4 * size + (1 << 20);
	uint8_t *blob = malloc(room), *index = malloc(size / 100 + 4096);
	struct tarmap map = { .size = size, .table = index + TARMAP_HEADER };
	struct fetch_identity identity;
	uint64_t at = 0, from = 512;

	file_next_version(name);
	memset(blob, 0xee, room);
	for (unsigned int i = 0; at < size; i = (i + 1) % 9) {
		uint64_t len = pieces[i] * TARMAP_BLOCK, to = from;

		len = len < size - at ? len : size - at;
		to += i == 3 ? 8192 : 0;
		to -= i == 4 ? 8192 + TARMAP_BLOCK : 0;
		pattern_fill(blob + to, len, file_key(name), at);
		tarmap_encode_extent(index + TARMAP_HEADER + map.n++ * TARMAP_EXTENT,
				     (struct tarmap_extent){ at, to, len });
		at += len;
		from += len + gaps[i];
		ck_assert_uint_le(from + (1 << 19), room);
	}
	map.inner_size = from + 4096;
	put_blob(name, blob, map.inner_size, &identity);
	map.validator = identity.validator;
	tarmap_encode_header(index, &map);
	put_index(name, index, TARMAP_HEADER + map.n * TARMAP_EXTENT);
	free(index);
	free(blob);
}

const char *tarmap_template(void)
{
	return "tarmap:{cookie}";
}

const char *tarmap_locator(const char *name)
{
	return locator_of("tarmap", name);
}

/* ---- gunzip ----------------------------------------------------------------------------- */

static int gunzip_create(struct fetcher **ret, struct loop *loop, const char *template,
			 const struct fetcher_param *params, char *error)
{
	return indexed_create(ret, loop, gunzip_new);
}

const struct fetcher_class gunzip_test_class = {
	.name = "gunzip",
	.schemes = (const char *const[]){ "gunzip", NULL },
	.create = gunzip_create,
};

/* One more member of a gzip file. */
static size_t add_member(uint8_t *to, size_t room, const void *bytes, size_t len, int strategy)
{
	z_stream z = { .next_in = (Bytef *)bytes,
		       .avail_in = (uInt)len,
		       .next_out = to,
		       .avail_out = (uInt)room };

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, strategy), Z_OK);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_int_eq(deflateEnd(&z), Z_OK);
	return room - z.avail_out;
}

static int ignore(void *arg, const void *bytes, size_t len)
{
	return 0;
}

/* Members of three sevenths, of nothing, and of the rest; zeros behind them. */
void gunzip_put(const char *name, uint64_t size)
{
	size_t room = size * 2 + 4096, n = 0, part = size / 7 * 3;
	uint8_t *plain = malloc(size + 1), *blob = calloc(1, room), *index;
	int windows = memfd_create("windows", MFD_CLOEXEC), fd = memfd_create("index", MFD_CLOEXEC);
	struct fetch_identity identity;
	struct gzip_result result;
	struct gzip *gzip;

	file_next_version(name);
	pattern_fill(plain, size, file_key(name), 0);
	n += add_member(blob, room, plain, part, Z_DEFAULT_STRATEGY);
	n += add_member(blob + n, room - n, plain, 0, Z_DEFAULT_STRATEGY);
	n += add_member(blob + n, room - n, plain + part, size - part, Z_HUFFMAN_ONLY);
	n += 512;
	put_blob(name, blob, n, &identity);
	ck_assert_int_eq(gzip_new(&gzip, ignore, NULL, windows), 0);
	ck_assert_int_eq(gzip_write(gzip, blob, n), 0);
	ck_assert_int_eq(gzip_finish(gzip, identity.validator, fd, &result), 0);
	ck_assert_uint_eq(result.out, size);
	ck_assert_uint_eq(result.in, n);
	gzip_free(gzip);
	index = malloc(result.index_size);
	ck_assert_int_eq(pread(fd, index, result.index_size, 0), (ssize_t)result.index_size);
	put_index(name, index, result.index_size);
	close(windows);
	close(fd);
	free(index);
	free(blob);
	free(plain);
}

const char *gunzip_template(void)
{
	return "gunzip:{cookie}";
}

const char *gunzip_locator(const char *name)
{
	return locator_of("gunzip", name);
}
