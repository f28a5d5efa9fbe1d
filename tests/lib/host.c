/* SPDX-License-Identifier: MIT */
#include "tests/lib/host.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "daemon/syscall-filter.h"

#define PATIENCE (30 * NSEC_PER_SEC)

/* What fetchers do afterwards is done under the filter that the daemon has. */
static void confine(void)
{
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(syscall_filter_install(SYSCALL_FILTER_YES), 0);
}

void host_start(struct host *host, enum loop_backend backend, const char *template,
		const struct fetcher_param *params)
{
	const struct fetcher_class *class = fetcher_class_find(template);

	ck_assert_msg(class != NULL, "no fetcher for %s", template);
	host_start_class(host, backend, class, template, params);
}

void host_start_class(struct host *host, enum loop_backend backend,
		      const struct fetcher_class *class, const char *template,
		      const struct fetcher_param *params)
{
	static const struct fetcher_param none[1];
	char error[FETCH_ERROR_MAX] = "";

	*host = (struct host){ 0 };
	if (getenv("CACHEFILLD_TEST_CONFINED"))
		confine();
	ck_assert_int_eq(loop_new(&host->loop, backend), 0);
	ck_assert_msg(class->create(&host->fetcher, host->loop, template, params ? params : none,
				    error) == 0,
		      "%s", error);
}

void host_stop(struct host *host)
{
	ck_assert_uint_eq(host->unfinished, 0);
	host_idle(host, 2);
	host->fetcher->ops->free(host->fetcher);
	loop_free(host->loop);
	*host = (struct host){ 0 };
}

/* ---- waiting ---------------------------------------------------------------------------- */

static void patience_over(struct loop_timer *timer)
{
	ck_abort_msg("nothing happens any more");
}

static void timer_nothing(struct loop_timer *timer)
{
}

void host_turn(struct host *host)
{
	struct loop_timer timer = { .fire = patience_over };

	ck_assert_int_eq(loop_timer_set(host->loop, &timer, loop_now(host->loop) + PATIENCE), 0);
	ck_assert_int_eq(loop_turn(host->loop), 0);
	loop_timer_cancel(&timer);
}

int host_look_wait(struct host_look *look)
{
	while (look->n_done == 0)
		host_turn(look->host);
	return look->err;
}

int host_read_wait(struct host_read *read)
{
	while (read->n_done == 0)
		host_turn(read->host);
	return read->err;
}

void host_wait_all(struct host *host)
{
	while (host->unfinished > 0)
		host_turn(host);
}

void host_idle(struct host *host, unsigned int ms)
{
	struct loop_timer timer = { .fire = timer_nothing };
	uint64_t when = loop_now(host->loop) + ms * NSEC_PER_MSEC;

	ck_assert_int_eq(loop_timer_set(host->loop, &timer, when), 0);
	while (loop_timer_armed(&timer))
		ck_assert_int_eq(loop_turn(host->loop), 0);
}

/* ---- looks ------------------------------------------------------------------------------ */

static void check_error_text(const char *error)
{
	ck_assert_msg(error[0] != '\0', "an error without text");
	ck_assert(memchr(error, '\0', FETCH_ERROR_MAX) != NULL);
	ck_assert_msg(strpbrk(error, "\r\n") == NULL, "more than one line: %s", error);
}

static void look_done(struct fetch_look *base, int err)
{
	struct host_look *look = container_of(base, struct host_look, look);

	ck_assert_uint_eq(look->host->inside, 0);
	ck_assert_uint_eq(look->n_done, 0);
	ck_assert_int_le(err, 0);
	look->n_done++;
	look->err = err;
	look->host->unfinished--;
	if (err < 0)
		check_error_text(base->error);
	else
		ck_assert_uint_le(base->head_filled, base->head_len);
}

void host_look_start(struct host *host, struct host_look *look, const char *locator,
		     size_t head_len)
{
	*look = (struct host_look){
		.look.head = head_len > 0 ? calloc(1, head_len) : NULL,
		.look.head_len = head_len,
		.look.done = look_done,
		.look.elsewhere = host->elsewhere,
		.host = host,
	};
	snprintf(look->locator, sizeof(look->locator), "%s", locator);
	look->look.locator = look->locator;
	host->unfinished++;
	host->inside++;
	host->fetcher->ops->look(host->fetcher, &look->look);
	host->inside--;
}

void host_look_cancel(struct host_look *look)
{
	struct host *host = look->host;

	host->inside++;
	host->fetcher->ops->cancel_look(host->fetcher, &look->look);
	host->inside--;
}

void host_look_free(struct host_look *look)
{
	free(look->look.head);
	look->look.head = NULL;
}

int host_look(struct host *host, struct host_look *look, const char *locator, size_t head_len)
{
	host_look_start(host, look, locator, head_len);
	return host_look_wait(look);
}

/* ---- lists ------------------------------------------------------------------------------ */

static void list_done(struct fetch_list *base, int err)
{
	struct host_list *list = container_of(base, struct host_list, list);

	ck_assert_uint_eq(list->host->inside, 0);
	ck_assert_uint_eq(list->n_done, 0);
	ck_assert_int_le(err, 0);
	list->n_done++;
	list->err = err;
	list->host->unfinished--;
	if (err < 0)
		check_error_text(base->error);
	ck_assert_uint_le(base->n_parts, FETCH_LIST_MAX);
	ck_assert_int_eq(base->n_parts > 0, err == 0);
}

void host_list_start(struct host *host, struct host_list *list, const char *locator)
{
	*list = (struct host_list){ .list.done = list_done, .host = host };
	snprintf(list->locator, sizeof(list->locator), "%s", locator);
	list->list.locator = list->locator;
	host->unfinished++;
	host->inside++;
	host->fetcher->ops->list(host->fetcher, &list->list);
	host->inside--;
}

void host_list_cancel(struct host_list *list)
{
	struct host *host = list->host;

	host->inside++;
	host->fetcher->ops->cancel_list(host->fetcher, &list->list);
	host->inside--;
}

int host_list_wait(struct host_list *list)
{
	while (list->n_done == 0)
		host_turn(list->host);
	return list->err;
}

int host_list(struct host *host, struct host_list *list, const char *locator)
{
	host_list_start(host, list, locator);
	return host_list_wait(list);
}

/* ---- puts ------------------------------------------------------------------------------- */

static ssize_t put_read(struct fetch_put *base, void *buf, size_t n, uint64_t off)
{
	struct host_put *put = container_of(base, struct host_put, put);

	ck_assert_uint_eq(put->n_done, 0);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_le(off + n, base->size);
	put->n_begun += off == 0;
	ck_assert(off == 0 || off == put->off);
	if (put->fails_at < base->size && off + n > put->fails_at) {
		if (off == put->fails_at)
			return put->fails_with;
		n = put->fails_at - off;
	}
	memcpy(buf, put->bytes + off, n);
	put->off = off + n;
	return (ssize_t)n;
}

static void put_done(struct fetch_put *base, int err)
{
	struct host_put *put = container_of(base, struct host_put, put);

	ck_assert_uint_eq(put->host->inside, 0);
	ck_assert_uint_eq(put->n_done, 0);
	ck_assert_int_le(err, 0);
	put->n_done++;
	put->err = err;
	put->host->unfinished--;
	if (err < 0)
		check_error_text(base->error);
}

void host_put_start(struct host *host, struct host_put *put, const char *locator, const char *type,
		    const void *bytes, size_t len)
{
	*put = (struct host_put){
		.put = { .media_type = type, .size = len, .read = put_read, .done = put_done },
		.host = host,
		.bytes = bytes,
		.fails_at = put->fails_at,
		.fails_with = put->fails_with,
	};
	snprintf(put->locator, sizeof(put->locator), "%s", locator);
	put->put.locator = put->locator;
	host->unfinished++;
	host->inside++;
	host->fetcher->ops->put(host->fetcher, &put->put);
	host->inside--;
}

void host_put_cancel(struct host_put *put)
{
	struct host *host = put->host;

	host->inside++;
	host->fetcher->ops->cancel_put(host->fetcher, &put->put);
	host->inside--;
}

int host_put_wait(struct host_put *put)
{
	while (put->n_done == 0)
		host_turn(put->host);
	return put->err;
}

int host_put(struct host *host, struct host_put *put, const char *locator, const char *type,
	     const void *bytes, size_t len)
{
	host_put_start(host, put, locator, type, bytes, len);
	return host_put_wait(put);
}

/* ---- reads ------------------------------------------------------------------------------ */

static void read_progress(struct fetch_read *base, size_t filled)
{
	struct host_read *read = container_of(base, struct host_read, read);

	ck_assert_uint_eq(read->host->inside, 0);
	ck_assert_uint_eq(read->n_done, 0);
	ck_assert_uint_ge(filled, read->progress);
	ck_assert_uint_le(filled, base->len);
	read->n_progress++;
	read->progress = filled;
	if (read->on_progress)
		read->on_progress(read);
}

static void read_done(struct fetch_read *base, int err)
{
	struct host_read *read = container_of(base, struct host_read, read);

	ck_assert_uint_eq(read->host->inside, 0);
	ck_assert_uint_eq(read->n_done, 0);
	ck_assert_int_le(err, 0);
	read->n_done++;
	read->err = err;
	read->host->unfinished--;
	if (err < 0)
		check_error_text(base->error);
	if (read->then)
		read->then(read);
}

struct fetch_object *host_attach(struct host *host, const char *locator,
				 const struct fetch_identity *identity)
{
	struct fetch_object *object = NULL;

	host->inside++;
	ck_assert_int_eq(host->fetcher->ops->attach(host->fetcher, &object, locator, identity), 0);
	host->inside--;
	ck_assert_ptr_eq(object->fetcher, host->fetcher);
	return object;
}

void host_read_start(struct host *host, struct host_read *read, struct fetch_object *object,
		     uint64_t off, size_t len)
{
	*read = (struct host_read){
		.read.elsewhere = host->elsewhere,
		.read.off = off,
		.read.len = len,
		.read.buf = calloc(1, len),
		.read.progress = read_progress,
		.read.done = read_done,
		.host = host,
		.then = read->then,
		.on_progress = read->on_progress,
	};
	host->unfinished++;
	host->inside++;
	host->fetcher->ops->read(object, &read->read);
	host->inside--;
}

void host_read_cancel(struct host_read *read, struct fetch_object *object)
{
	struct host *host = read->host;

	host->inside++;
	host->fetcher->ops->cancel_read(object, &read->read);
	host->inside--;
}

void host_read_free(struct host_read *read)
{
	free(read->read.buf);
	read->read.buf = NULL;
}

int host_read(struct host *host, struct host_read *read, struct fetch_object *object, uint64_t off,
	      size_t len)
{
	host_read_start(host, read, object, off, len);
	return host_read_wait(read);
}
