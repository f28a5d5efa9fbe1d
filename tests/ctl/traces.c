/* SPDX-License-Identifier: MIT */
#include "tests/ctl/ctl.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/trace/file.h"

/* ---- files ------------------------------------------------------------------------------- */

static void put(struct trace_writer *writer, const struct trace_record *record)
{
	char error[TRACE_ERROR_MAX];

	ck_assert_msg(trace_writer_put(writer, record, error) == 0, "%s", error);
}

void trace_write(const char *path, const struct trace_record *records, size_t n, bool end)
{
	struct trace_record last = { .kind = TRACE_END, .count = n };
	struct trace_writer *writer;
	char error[TRACE_ERROR_MAX];

	ck_assert_msg(trace_writer_new(&writer, path, error) == 0, "%s", error);
	for (size_t i = 0; i < n; i++)
		put(writer, &records[i]);
	last.time = n ? records[n - 1].time : 0;
	if (end)
		put(writer, &last);
	ck_assert_msg(trace_writer_finish(writer, error) == 0, "%s", error);
}

/* What a test has read; freed when it ends. */
static struct kept {
	struct kept *next;
	void *memory;
} * kept;

static void keep(void *memory)
{
	struct kept *k = malloc(sizeof(*k));

	ck_assert_ptr_nonnull(k);
	*k = (struct kept){ kept, memory };
	kept = k;
}

void traces_free(void)
{
	while (kept) {
		struct kept *next = kept->next;

		free(kept->memory);
		free(kept);
		kept = next;
	}
}

static void keep_field(void *arg, const char *name, enum trace_type type, const void *value)
{
	struct bytes *bytes = (struct bytes *)value;
	uint8_t *copy;

	if (type != TRACE_TEXT && type != TRACE_KEY)
		return;
	copy = malloc(bytes->len + 1);
	ck_assert_ptr_nonnull(copy);
	keep(copy);
	if (bytes->len)
		memcpy(copy, bytes->data, bytes->len);
	*bytes = bytes_of(copy, bytes->len);
}

struct trace_record *trace_read(const char *path, size_t *ret_n)
{
	struct trace_record *records = NULL;
	struct trace_reader *reader;
	char error[TRACE_ERROR_MAX];
	size_t n = 0;
	int r;

	ck_assert_msg(trace_reader_new(&reader, path, error) == 0, "%s", error);
	do {
		records = reallocarray(records, n + 1, sizeof(*records));
		ck_assert_ptr_nonnull(records);
		r = trace_reader_next(reader, &records[n], error);
		ck_assert_msg(r >= 0, "%s", error);
		if (r)
			trace_each_field(&records[n++], keep_field, NULL);
	} while (r);
	trace_reader_free(reader);
	keep(records);
	*ret_n = n;
	return records;
}

/* ---- a small recording ------------------------------------------------------------------- */

#define AT(ms) .time = SAMPLE_TIME + (ms)*MS
#define B(text)                                           \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}
#define APP  .volume = B("erofs,app"), .cookie = B("app.erofs")
#define DB   .volume = B("erofs,db"), .cookie = B("db.erofs")
#define GONE .volume = B("erofs,gone"), .cookie = B("gone.erofs")

const struct trace_record sample[] = {
	{ TRACE_START, AT(0), .realtime = SAMPLE_REALTIME, .program = B("cachefilld 0.1.0"),
	  .kernel = B("Linux 6.12.117") },
	{ TRACE_SOURCE, AT(0), .source = 3, .text = B("web"),
	  .locator = B("https://images.example.com/{cookie}") },
	{ TRACE_OPEN, AT(1), .msg = 1, .id = 10, APP },
	{ TRACE_LOOK, AT(20), .source = 3, APP, .size = 1048576, .took = 18 * MS },
	{ TRACE_OBJECT, AT(20), .object = 100, .source = 3, .size = 1048576, APP,
	  .locator = B("https://images.example.com/app.erofs"), .validator = B("\"5f3a\"") },
	{ TRACE_COPEN, AT(21), .msg = 1, .size = 1048576 },
	{ TRACE_READ, AT(30), .msg = 2, .id = 10, .off = 0, .len = 4096 },
	{ TRACE_FETCH, AT(50), .object = 100, .off = 0, .len = 131072, .got = 131072,
	  .queued = 1 * MS, .took = 18 * MS },
	{ TRACE_STORE, AT(51), .object = 100, .off = 0, .len = 131072, .took = 1 * MS },
	{ TRACE_COMPLETE, AT(51), .msg = 2, .id = 10 },
	{ TRACE_OPEN, AT(60), .msg = 1, .id = 11, DB },
	{ TRACE_LOOK, AT(70), .source = 3, DB, .size = 524288, .took = 9 * MS },
	{ TRACE_OBJECT, AT(70), .object = 101, .source = 3, .size = 524288, DB,
	  .locator = B("https://images.example.com/db.erofs"), .validator = B("\"77\"") },
	{ TRACE_COPEN, AT(70), .msg = 1, .size = 524288 },
	{ TRACE_READ, AT(100), .msg = 1, .id = 11, .off = 4096, .len = 8192 },
	{ TRACE_READ, AT(105), .msg = 2, .id = 11, .off = 131072, .len = 4096 },
	{ TRACE_FETCH, AT(109), .object = 101, .off = 4096, .len = 8192, .got = 4096,
	  .took = 9 * MS, .error = -EIO },
	{ TRACE_COMPLETE, AT(110), .msg = 1, .id = 11 },
	{ TRACE_READ, AT(115), .msg = 1, .id = 10, .off = 524288, .len = 4096 },
	{ TRACE_COMPLETE, AT(120), .msg = 2, .id = 11, .result = -EINVAL },
	{ TRACE_COMPLETE, AT(121), .msg = 1, .id = 10 },
	{ TRACE_OPEN, AT(130), .msg = 3, .id = 12, GONE },
	{ TRACE_LOOK, AT(135), .source = 3, GONE, .took = 5 * MS, .error = -ENOENT },
	{ TRACE_COPEN, AT(135), .msg = 3, .error = -ENOENT },
	{ TRACE_RELEASE, AT(135), .id = 12 },
	{ TRACE_COMMAND, AT(140), .text = B("cull D00/secret") },
	{ TRACE_CLOSE, AT(200), .msg = 4, .id = 10 },
	{ TRACE_RELEASE, AT(200), .id = 10 },
};
const size_t sample_len = sizeof(sample) / sizeof(sample[0]);

void trace_write_sample(const char *path)
{
	trace_write(path, sample, sample_len, true);
}

/* ---- one that is drawn by lot ------------------------------------------------------------ */

#define OBJECTS	 6
#define IDS	 12
#define MESSAGES 8

struct lot {
	struct trace_writer *writer;
	unsigned int seed;
	uint64_t time, records, numbers;
	uint64_t number[OBJECTS]; /* of the engine; 0: not described yet */
	struct {
		bool used, open;
		unsigned int object, reads;
	} ids[IDS];
	struct {
		enum trace_kind kind; /* 0: free */
		unsigned int id;
	} messages[MESSAGES];
};

static unsigned int draw(struct lot *l, unsigned int n)
{
	return (unsigned int)rand_r(&l->seed) % n;
}

static void put_lot(struct lot *l, struct trace_record record)
{
	record.time = l->time;
	put(l->writer, &record);
	l->records++;
}

static char keys[OBJECTS][2][16];

static struct trace_record named(unsigned int object, struct trace_record record)
{
	strcpy(keys[object][0], "erofs,domainX");
	keys[object][0][12] = (char)('A' + object / 2);
	strcpy(keys[object][1], "blobX");
	keys[object][1][4] = (char)('0' + object);
	record.volume = bytes_str(keys[object][0]);
	record.cookie = bytes_str(keys[object][1]);
	return record;
}

static void describe(struct lot *l, unsigned int object)
{
	if (l->number[object])
		return;
	l->number[object] = ++l->numbers;
	put_lot(l, named(object, (struct trace_record){ TRACE_OBJECT, .object = l->numbers,
							.source = object % 2, .size = 1 << 20 }));
}

static int free_message(struct lot *l)
{
	for (int i = 0; i < MESSAGES; i++)
		if (!l->messages[i].kind)
			return i;
	return -1;
}

static void lot_open(struct lot *l, unsigned int id)
{
	unsigned int object = draw(l, OBJECTS);
	int msg = free_message(l);

	if (msg < 0)
		return;
	l->ids[id].used = true;
	l->ids[id].object = object;
	l->messages[msg].kind = TRACE_OPEN;
	l->messages[msg].id = id;
	put_lot(l, named(object,
			 (struct trace_record){ TRACE_OPEN, .msg = (uint32_t)msg, .id = id + 1 }));
}

static void lot_read(struct lot *l, unsigned int id)
{
	int msg = free_message(l);

	if (msg < 0)
		return;
	l->ids[id].reads++;
	l->messages[msg].kind = TRACE_READ;
	l->messages[msg].id = id;
	put_lot(l, (struct trace_record){ TRACE_READ, .msg = (uint32_t)msg, .id = id + 1,
					  .off = draw(l, 256) * 4096, .len = 4096 });
}

static void lot_close(struct lot *l, unsigned int id)
{
	int msg = free_message(l);

	if (msg < 0 || l->ids[id].reads)
		return;
	put_lot(l, (struct trace_record){ TRACE_CLOSE, .msg = (uint32_t)msg, .id = id + 1 });
	put_lot(l, (struct trace_record){ TRACE_RELEASE, .id = id + 1 });
	l->ids[id].used = l->ids[id].open = false;
}

static void answer_open(struct lot *l, unsigned int msg, unsigned int id)
{
	unsigned int object = l->ids[id].object;
	bool refused = draw(l, 5) == 0;

	put_lot(l, named(object,
			 (struct trace_record){ TRACE_LOOK, .source = object % 2, .took = 1000 }));
	if (!refused)
		describe(l, object);
	put_lot(l, (struct trace_record){ TRACE_COPEN, .msg = msg, .size = refused ? 0 : 1 << 20,
					  .error = refused ? -ENOENT : 0 });
	if (refused)
		put_lot(l, (struct trace_record){ TRACE_RELEASE, .id = id + 1 });
	l->ids[id].used = l->ids[id].open = !refused;
}

static void lot_answer(struct lot *l, unsigned int msg)
{
	unsigned int id = l->messages[msg].id;

	if (l->messages[msg].kind == TRACE_OPEN) {
		answer_open(l, msg, id);
	} else {
		put_lot(l,
			(struct trace_record){ TRACE_FETCH, .object = l->number[l->ids[id].object],
					       .len = 4096, .got = 4096, .took = 10 });
		put_lot(l, (struct trace_record){ TRACE_COMPLETE, .msg = msg, .id = id + 1 });
		l->ids[id].reads--;
	}
	l->messages[msg].kind = TRACE_UNKNOWN;
}

static void lot_event(struct lot *l)
{
	unsigned int id = draw(l, IDS), msg = draw(l, MESSAGES);

	l->time += draw(l, 3) * MS;
	if (draw(l, 2) && l->messages[msg].kind)
		lot_answer(l, msg);
	else if (!l->ids[id].used)
		lot_open(l, id);
	else if (l->ids[id].open && draw(l, 6))
		lot_read(l, id);
	else if (l->ids[id].open)
		lot_close(l, id);
}

/* What was open when the recording began. */
static void lot_begin(struct lot *l)
{
	put_lot(l, (struct trace_record){ TRACE_START, .realtime = SAMPLE_REALTIME,
					  .program = B("p"), .kernel = B("k") });
	for (uint32_t i = 0; i < 2; i++)
		put_lot(l, (struct trace_record){ TRACE_SOURCE, .source = i, .text = B("s"),
						  .locator = B("file:///srv") });
	for (unsigned int id = 0; id < 3; id++) {
		l->ids[id].used = l->ids[id].open = true;
		l->ids[id].object = id;
		describe(l, id);
		put_lot(l, (struct trace_record){ TRACE_HANDLE, .id = id + 1,
						  .object = l->number[id] });
	}
}

void trace_write_random(const char *path, unsigned int seed, size_t n_events, bool waiting)
{
	struct lot l = { .seed = seed, .time = SAMPLE_TIME };
	char error[TRACE_ERROR_MAX];

	ck_assert_msg(trace_writer_new(&l.writer, path, error) == 0, "%s", error);
	lot_begin(&l);
	for (size_t i = 0; i < n_events; i++)
		lot_event(&l);
	for (unsigned int msg = 0; msg < MESSAGES && !waiting; msg++)
		if (l.messages[msg].kind)
			lot_answer(&l, msg);
	put_lot(&l, (struct trace_record){ TRACE_END, .count = l.records });
	ck_assert_msg(trace_writer_finish(l.writer, error) == 0, "%s", error);
}

void trace_write_senseless(const char *path, unsigned int seed, size_t n)
{
	struct lot l = { .seed = seed, .time = SAMPLE_TIME };
	char error[TRACE_ERROR_MAX];

	ck_assert_msg(trace_writer_new(&l.writer, path, error) == 0, "%s", error);
	for (size_t i = 0; i < n; i++) {
		struct trace_record record = {
			.kind = 1 + draw(&l, TRACE_KINDS - 1),
			.msg = draw(&l, 4),
			.id = draw(&l, 4),
			.source = draw(&l, 3),
			.object = draw(&l, 4),
			.off = draw(&l, 3) ? draw(&l, 9) : UINT64_MAX,
			.len = draw(&l, 5),
			.size = draw(&l, 5),
			.class = draw(&l, 5),
			.error = draw(&l, 3) ? 0 : -(int)draw(&l, 5000),
		};

		l.time += draw(&l, 4) * MS - draw(&l, 2) * MS;
		if (record.kind != TRACE_LOST)
			put_lot(&l, named(draw(&l, OBJECTS), record));
	}
	ck_assert_msg(trace_writer_finish(l.writer, error) == 0, "%s", error);
}
