/* SPDX-License-Identifier: MIT */
#include "tests/lib/origin-internal.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/lib/superblock.h"

#define PIECE 65536

/* An answer on its way. */
struct answer {
	struct origin_connection *c;
	const struct origin_request *req;
	struct origin_file file;
	int status;
	uint64_t off, len; /* of the object that the body has */
	char head[4096];
	size_t head_len;
	bool chunked;
};

static const struct http_fault *fault(const struct answer *a, const char *kind)
{
	return http_fault_find(&a->req->faults, kind);
}

static long amount(const struct answer *a, const char *kind, long otherwise)
{
	return http_fault_amount(&a->req->faults, kind, otherwise);
}

/* ---- the wire --------------------------------------------------------------------------- */

/* Until the peer or origin_stop() ends the connection, or for ms. */
static void wait_for_end(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	poll(&p, 1, ms);
}

/* The same, or until a treatment changes; false: it is the end, or ms have passed. */
static bool wait_for_change(const struct origin_connection *c, int ms)
{
	struct pollfd p[] = { { .fd = c->fd, .events = POLLRDHUP },
			      { .fd = c->changed, .events = POLLIN } };
	eventfd_t count;

	poll(p, 2, ms);
	return !p[0].revents && p[1].revents && eventfd_read(c->changed, &count) == 0;
}

static bool send_all(int fd, const void *buf, size_t len)
{
	const char *from = buf;

	while (len > 0) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

static bool reset(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	/* The RST goes out when connection_main() closes the descriptor. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	return false;
}

__attribute__((format(printf, 2, 3))) static void add(struct answer *a, const char *fmt, ...)
{
	size_t room = sizeof(a->head) - a->head_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(a->head + a->head_len, room, fmt, ap);
	va_end(ap);
	a->head_len += n < 0 || (size_t)n >= room ? 0 : (size_t)n;
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 206:
		return "Partial Content";
	case 404:
		return "Not Found";
	case 412:
		return "Precondition Failed";
	case 416:
		return "Range Not Satisfiable";
	default:
		return status < 400 ? "Redirect" : "Fault";
	}
}

static void start_head(struct answer *a, int status)
{
	a->status = status;
	a->head_len = 0;
	add(a, "HTTP/1.1 %d %s\r\nServer: origin\r\n", status, reason(status));
}

/* An answer without an object: a line of text says why. */
static bool send_short(struct answer *a)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", a->status);

	add(a, "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n", len);
	return send_all(a->c->fd, a->head, a->head_len) &&
	       (a->req->head_only || send_all(a->c->fd, text, (size_t)len)) && !a->req->close;
}

/* ---- bodies ----------------------------------------------------------------------------- */

static void fill(const struct answer *a, char *buf, size_t len, uint64_t off)
{
	ssize_t n = 0;

	if (a->file.fd < 0)
		pattern_fill(buf, len, a->file.key, off);
	for (size_t i = 0; a->file.compressed && i < len && off + i < SUPERBLOCK_LEN; i++)
		buf[i] = (char)superblock_byte(off + i);
	if (a->file.fd >= 0)
		n = pread(a->file.fd, buf, len, (off_t)off);
	/* A file that shrank while it was read. */
	if (a->file.fd >= 0 && (n < 0 || (size_t)n < len))
		memset(buf + (n < 0 ? 0 : n), 0, len - (size_t)(n < 0 ? 0 : n));
}

static bool send_piece(struct answer *a, const char *buf, size_t len)
{
	char size[32];
	int n = snprintf(size, sizeof(size), "%zx\r\n", len);

	/* Before they are sent: who has received them sees them counted. */
	pthread_mutex_lock(&a->c->origin->lock);
	a->c->origin->stats.body_bytes += len;
	pthread_mutex_unlock(&a->c->origin->lock);
	if (a->chunked && !send_all(a->c->fd, size, (size_t)n))
		return false;
	return send_all(a->c->fd, buf, len) && (!a->chunked || send_all(a->c->fd, "\r\n", 2));
}

/* How many of n bytes at `at` may go now: 0 when the peer or the treatment says that it is over. */
static size_t treated_piece(struct answer *a, uint64_t at, size_t n)
{
	struct origin_treatment t;

	while (origin_treated(a->c->origin, a->req, &t)) {
		uint64_t stop = at + n;

		if (t.break_at == at)
			return 0;
		if (t.step && t.step < n)
			stop = at + t.step;
		if (t.break_at > at && t.break_at < stop)
			stop = t.break_at;
		if (t.stall_at >= at && t.stall_at < stop)
			stop = t.stall_at;
		if (t.step)
			wait_for_end(a->c->fd, (int)t.step_ms);
		if (stop > at)
			return (size_t)(stop - at);
		if (!wait_for_change(a->c, -1))
			return 0;
	}
	return n;
}

/* The body, as far as its faults let it go. */
static bool send_body(struct answer *a, uint64_t end)
{
	const struct http_fault *slow = fault(a, "slow");
	size_t piece =
		slow && slow->arg[0] > 0 && slow->arg[0] < PIECE ? (size_t)slow->arg[0] : PIECE;
	char *buf = malloc(PIECE);
	bool ok = buf;

	for (uint64_t at = 0; ok && at < end;) {
		size_t n = treated_piece(a, a->off + at,
					 end - at < piece ? (size_t)(end - at) : piece);

		fill(a, buf, n, a->off + at);
		if (at == 0 && fault(a, "corrupt"))
			buf[n / 2] ^= 0x10;
		ok = n > 0 && send_piece(a, buf, n);
		at += n;
		if (slow && ok)
			wait_for_end(a->c->fd, (int)slow->arg[1]);
	}
	free(buf);
	return ok;
}

/* Where the body breaks off, and what happens there; false: it does not. */
static bool breaks_off(struct answer *a, uint64_t *ret_end, const char **ret_kind)
{
	static const char *const kinds[] = { "stall", "trunc", "midrst" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t end = (uint64_t)amount(a, kinds[i], 0);

		if (!fault(a, kinds[i]) || end >= a->len)
			continue;
		*ret_end = end;
		*ret_kind = kinds[i];
		return true;
	}
	return false;
}

static bool send_object(struct answer *a)
{
	const char *kind = NULL;
	uint64_t less = (uint64_t)amount(a, "less", 1), end = less < a->len ? a->len - less : 0;
	bool breaks = breaks_off(a, &end, &kind);

	if (!send_all(a->c->fd, a->head, a->head_len))
		return false;
	if (a->req->head_only)
		return !a->req->close;
	if (!send_body(a, end + (breaks ? 0 : (uint64_t)amount(a, "more", 1))))
		return false;
	if (breaks && strcmp(kind, "stall") == 0)
		wait_for_end(a->c->fd, -1);
	if (breaks && strcmp(kind, "midrst") == 0) {
		/* What was sent must arrive before the reset throws it away. */
		wait_for_end(a->c->fd, 50);
		return reset(a->c->fd);
	}
	if (breaks || fault(a, "lie"))
		return false;
	return (!a->chunked || send_all(a->c->fd, "0\r\n\r\n", 5)) && !a->req->close;
}

/* 206 with two parts, each with its Content-Range inside. */
static bool send_multipart(struct answer *a)
{
	static const char body[] = "--part\r\nContent-Range: bytes 0-0/2\r\n\r\nx\r\n"
				   "--part\r\nContent-Range: bytes 1-1/2\r\n\r\ny\r\n--part--\r\n";

	start_head(a, 206);
	add(a, "Content-Type: multipart/byteranges; boundary=part\r\nContent-Length: %zu\r\n\r\n",
	    sizeof(body) - 1);
	return send_all(a->c->fd, a->head, a->head_len) &&
	       send_all(a->c->fd, body, sizeof(body) - 1);
}

/* ---- heads ------------------------------------------------------------------------------ */

static void add_validators(struct answer *a)
{
	struct origin *o = a->c->origin;
	char etag[128];

	snprintf(etag, sizeof(etag), "%s", a->file.etag);
	if (fault(a, "etag")) {
		pthread_mutex_lock(&o->lock);
		snprintf(etag, sizeof(etag), "\"new-%u\"", ++o->serial);
		pthread_mutex_unlock(&o->lock);
	}
	if (a->file.etag[0] && !fault(a, "noetag"))
		add(a, "ETag: %s%s\r\n", fault(a, "weak") ? "W/" : "", etag);
	if (a->file.modified[0] && !fault(a, "nomtime"))
		add(a, "Last-Modified: %s\r\n",
		    fault(a, "mtime") ? HTTP_FAULT_MODIFIED : a->file.modified);
}

/* RFC 9110, 13.2.2: conditions before ranges. */
static bool precondition_failed(const struct answer *a)
{
	const struct origin_request *req = a->req;

	if (fault(a, "noif"))
		return false;
	if (req->if_match[0])
		return strcmp(req->if_match, "*") != 0 && strcmp(req->if_match, a->file.etag) != 0;
	return req->if_unmodified[0] && strcmp(req->if_unmodified, a->file.modified) != 0;
}

/* 200, 206 or 416, with the part of the object that it is about. */
static int choose_part(struct answer *a)
{
	const struct origin_request *req = a->req;
	uint64_t size = a->file.size, last = req->range.last;

	a->off = 0;
	a->len = size;
	if (!req->has_range || fault(a, "norange"))
		return 200;
	if (req->if_range[0] && strcmp(req->if_range, a->file.etag) != 0 &&
	    strcmp(req->if_range, a->file.modified) != 0)
		return 200;
	if (req->suffix) {
		if (req->range.first == 0 || size == 0)
			return 416;
		a->off = req->range.first < size ? size - req->range.first : 0;
		a->len = size - a->off;
		return 206;
	}
	if (req->range.first >= size || last < req->range.first)
		return 416;
	a->off = req->range.first;
	a->len = (last < size ? last + 1 : size) - a->off;
	return 206;
}

static void add_content_range(struct answer *a)
{
	uint64_t shift = (uint64_t)amount(a, "shift", 1);

	if (a->status == 206 && !fault(a, "nocr"))
		add(a, "Content-Range: bytes %llu-%llu/%llu\r\n",
		    (unsigned long long)(a->off + shift),
		    (unsigned long long)(a->off + shift + a->len - 1),
		    (unsigned long long)(a->file.size + (uint64_t)amount(a, "total", 1)));
}

static bool answer_object(struct answer *a)
{
	uint64_t less;

	if (fault(a, "multipart"))
		return send_multipart(a);
	if (precondition_failed(a)) {
		start_head(a, 412);
		return send_short(a);
	}
	start_head(a, choose_part(a));
	if (a->status == 416) {
		add(a, "Content-Range: bytes */%llu\r\n", (unsigned long long)a->file.size);
		return send_short(a);
	}
	less = (uint64_t)amount(a, "short", 1);
	if (a->status == 206 && less < a->len)
		a->len -= less;
	a->chunked = fault(a, "chunked") || fault(a, "more") || fault(a, "less");
	add(a, "Accept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n");
	add_validators(a);
	add_content_range(a);
	if (fault(a, "gzip"))
		add(a, "Content-Encoding: gzip\r\n");
	if (a->chunked)
		add(a, "Transfer-Encoding: chunked\r\n\r\n");
	else
		add(a, "Content-Length: %llu\r\n\r\n",
		    (unsigned long long)(a->len + (uint64_t)amount(a, "lie", 1)));
	return send_object(a);
}

/* ---- faults instead of an answer -------------------------------------------------------- */

static bool answer_status(struct answer *a, const struct http_fault *f)
{
	int status = f->n_args > 0 ? (int)f->arg[0] : 500;

	start_head(a, status);
	if ((status == 429 || status == 503) && http_fault_arg(f, 1, 1) >= 0)
		add(a, "Retry-After: %ld\r\n", http_fault_arg(f, 1, 1));
	return send_short(a);
}

static bool answer_redirect(struct answer *a, const struct http_fault *f)
{
	bool loop = strcmp(f->kind, "loop") == 0;
	const char *rest = strchr(a->req->path, '/');

	start_head(a, !loop && f->n_args > 0 ? (int)f->arg[0] : 302);
	if (loop || !rest)
		add(a, "Location: /%s\r\n", a->req->path);
	else if (f->n_args > 1)
		add(a, "Location: http://127.0.0.1:%ld%s\r\n", f->arg[1], rest);
	else
		add(a, "Location: %s\r\n", rest);
	return send_short(a);
}

static bool answer_garbage(struct answer *a)
{
	static const char garbage[] = "\x16\x03\x01 this is not the protocol\r\n\r\n";

	send_all(a->c->fd, garbage, sizeof(garbage) - 1);
	return false;
}

/* Whether the request is to be answered; if not, *ret_more is what origin_answer() returns. */
static bool admitted(struct answer *a, bool *ret_more)
{
	struct origin_treatment t = { 0 };

	*ret_more = false;
	if (!origin_treated(a->c->origin, a->req, &t))
		return true;
	if (t.delay_ms)
		wait_for_end(a->c->fd, (int)t.delay_ms);
	while (origin_treated(a->c->origin, a->req, &t) && t.hang)
		if (!wait_for_change(a->c, -1))
			return false;
	if (t.reset)
		*ret_more = reset(a->c->fd);
	else if (t.status)
		*ret_more =
			answer_status(a, &(struct http_fault){ .arg[0] = t.status, .n_args = 1 });
	return !t.reset && !t.status;
}

bool origin_answer(struct origin_connection *c, const struct origin_request *req)
{
	struct answer a = { .c = c, .req = req };
	const struct http_fault *f;
	bool more;

	if (!admitted(&a, &more))
		return more;
	if (fault(&a, "delay"))
		wait_for_end(c->fd, (int)amount(&a, "delay", 100));
	if (fault(&a, "hang"))
		wait_for_end(c->fd, -1);
	if (fault(&a, "hang") || fault(&a, "close"))
		return false;
	if (fault(&a, "rst"))
		return reset(c->fd);
	if (fault(&a, "garbage"))
		return answer_garbage(&a);
	f = fault(&a, "status");
	if (f)
		return answer_status(&a, f);
	f = fault(&a, "loop") ? fault(&a, "loop") : fault(&a, "redir");
	if (f)
		return answer_redirect(&a, f);
	if (!origin_open(c->origin, req->name, &a.file)) {
		start_head(&a, 404);
		return send_short(&a);
	}
	more = answer_object(&a);
	if (a.file.fd >= 0)
		close(a.file.fd);
	return more;
}
