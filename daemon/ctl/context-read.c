/* SPDX-License-Identifier: MIT */
/* Reads that are waited for: ranges, whole objects, small documents. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/context-wait.h"
#include "daemon/util/checked.h"
#include "daemon/util/cleanup.h"

#define AHEAD 4		 /* pieces under way */
#define PIECE (1u << 20) /* bytes of each */

/* One piece of a stream on its way; a range is a stream of one piece. */
struct piece {
	struct fetch_read base;
	struct stream *stream;
	bool started, done;
	size_t filled; /* of a started one */
	int err;
};

struct stream {
	struct context_wait wait;
	struct context *context;
	const char *locator;
	struct fetch_object *object;
	uint64_t end, next, taken; /* offsets; pieces are taken in their order */
	size_t piece_len;	   /* of all but the last */
	struct piece pieces[AHEAD];
	size_t n_pieces;
	int (*take)(void *arg, const void *bytes, size_t len);
	void *arg;
	char text[FETCH_ERROR_MAX]; /* of the first piece that failed */
	int err;
};

static void stream_start(struct stream *s, struct piece *piece);

static void report(struct stream *s)
{
	uint64_t done = s->taken;

	context_wait_alive(&s->wait);
	if (!s->take || !s->context->progress)
		return;
	for (size_t i = 0; i < s->n_pieces; i++)
		done += s->pieces[i].started ? s->pieces[i].filled : 0;
	s->context->progress(s->context->progress_arg, done, s->end);
}

static void piece_progress(struct fetch_read *base, size_t filled)
{
	struct piece *piece = container_of(base, struct piece, base);

	piece->filled = filled;
	report(piece->stream);
}

static void stream_fail(struct stream *s, int err, const char *text)
{
	if (s->err == 0 && s->wait.err == 0) {
		s->err = err;
		snprintf(s->text, sizeof(s->text), "%s", text);
	}
	context_wait_stop(&s->wait, err);
}

/* The piece that is to be taken next, or NULL. */
static struct piece *next_done(struct stream *s)
{
	for (size_t i = 0; i < s->n_pieces; i++)
		if (s->pieces[i].started && s->pieces[i].done && s->pieces[i].base.off == s->taken)
			return &s->pieces[i];
	return NULL;
}

static void stream_take(struct stream *s)
{
	struct piece *piece;
	int r;

	while (s->wait.err == 0 && (piece = next_done(s))) {
		r = s->take ? s->take(s->arg, piece->base.buf, piece->base.len) : 0;
		s->taken += piece->base.len;
		piece->started = false;
		if (r < 0)
			stream_fail(s, r, "");
		else
			stream_start(s, piece);
	}
}

static void piece_done(struct fetch_read *base, int err)
{
	struct piece *piece = container_of(base, struct piece, base);
	struct stream *s = piece->stream;

	s->wait.pending--;
	piece->done = true;
	piece->err = err;
	if (err < 0) {
		stream_fail(s, err, base->error);
		return;
	}
	piece->filled = base->len;
	report(s);
	stream_take(s);
}

static void stream_start(struct stream *s, struct piece *piece)
{
	if (s->next == s->end)
		return;
	piece->started = true;
	piece->done = false;
	piece->filled = 0;
	piece->base.off = s->next;
	piece->base.len = (size_t)min_u64(s->piece_len, s->end - s->next);
	piece->base.progress = piece_progress;
	piece->base.done = piece_done;
	s->next += piece->base.len;
	s->wait.pending++;
	s->object->fetcher->ops->read(s->object, &piece->base);
}

static void stream_cancel(struct context_wait *wait)
{
	struct stream *s = container_of(wait, struct stream, wait);

	for (size_t i = 0; i < s->n_pieces; i++)
		if (s->pieces[i].started && !s->pieces[i].done)
			s->object->fetcher->ops->cancel_read(s->object, &s->pieces[i].base);
}

/* With pieces that have their buffers. */
static int stream_run(struct stream *s, const struct fetch_identity *identity, char *error)
{
	struct origin origin;
	int r = context_origin(s->context, s->locator, &origin, error);

	if (r < 0)
		return r;
	s->wait.cancel = stream_cancel;
	r = origin.fetcher->ops->attach(origin.fetcher, &s->object, s->locator, identity);
	if (r == 0) {
		r = context_wait_begin(&s->wait, s->context, origin.source->read_deadline_ms);
		if (r < 0)
			origin.fetcher->ops->detach(s->object);
	}
	if (r < 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < s->n_pieces; i++) {
		s->pieces[i].stream = s;
		stream_start(s, &s->pieces[i]);
	}
	context_wait_end(&s->wait);
	origin.fetcher->ops->detach(s->object);
	if (s->err != 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", s->text);
		return s->err;
	}
	return context_wait_verdict(&s->wait, s->wait.err < 0 ? -ECANCELED : 0, s->locator, "",
				    error);
}

int context_read(struct context *context, const char *locator,
		 const struct fetch_identity *identity, uint64_t off, void *buf, size_t len,
		 char *error)
{
	struct stream s = {
		.context = context,
		.locator = locator,
		.next = off,
		.taken = off,
		.end = off + len,
		.piece_len = len,
		.pieces[0].base.buf = buf,
		.n_pieces = 1,
	};

	return len > 0 ? stream_run(&s, identity, error) : 0;
}

int context_stream(struct context *context, const char *locator,
		   const struct fetch_identity *identity,
		   int (*take)(void *arg, const void *bytes, size_t len), void *arg, char *error)
{
	_cleanup_free_ char *buffers = malloc(AHEAD * PIECE);
	struct stream s = {
		.context = context,
		.locator = locator,
		.end = identity->size,
		.piece_len = PIECE,
		.n_pieces = AHEAD,
		.take = take,
		.arg = arg,
	};

	if (!buffers) {
		snprintf(error, CONTEXT_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < AHEAD; i++)
		s.pieces[i].base.buf = buffers + i * PIECE;
	return s.end > 0 ? stream_run(&s, identity, error) : 0;
}

int context_document(struct context *context, const char *locator, size_t max, char **ret,
		     size_t *ret_len, char *error)
{
	struct context_look look = { .locator = locator };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = context_look(context, &look, 1);

	if (r < 0) {
		snprintf(error, CONTEXT_ERROR_MAX, "%s", look.error);
		return r;
	}
	if (look.identity.size > max) {
		snprintf(error, CONTEXT_ERROR_MAX,
			 "%llu bytes are more than the %zu that it may have",
			 (unsigned long long)look.identity.size, max);
		return -EFBIG;
	}
	len = (size_t)look.identity.size;
	text = malloc(len + 1);
	if (!text) {
		snprintf(error, CONTEXT_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	r = context_read(context, locator, &look.identity, 0, text, len, error);
	if (r < 0)
		return r;
	text[len] = '\0';
	*ret = steal(&text);
	*ret_len = len;
	return 0;
}
