/* SPDX-License-Identifier: MIT */
#include "fetchers/oci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- objects ---------------------------------------------------------------------------- */

static void way_free(struct oci_way *way)
{
	if (!way)
		return;
	oci_auth_put(way->auth);
	http_target_end(&way->target);
	free(way);
}

/* Made when a host is asked for the first time: most never are. NULL: no memory. */
static struct oci_way *way_of(struct oci_object *object, struct oci_host *host)
{
	struct oci_way **slot = &object->ways[host - host->oci->hosts], *way = *slot;

	if (way)
		return way;
	way = calloc(1, sizeof(*way));
	if (!way)
		return NULL;
	way->auth = oci_auth_get(host, object->repository);
	way->target.locator = oci_url(host, object->repository, "blobs",
				      object->identity.validator + strlen(OCI_VALIDATOR));
	way->target.identity.size = object->identity.size;
	way->target.keeps_moves = true;
	if (!way->auth || !way->target.locator) {
		way_free(way);
		return NULL;
	}
	way->target.auth = oci_auth_of(way->auth);
	return *slot = way;
}

struct oci_object *oci_object_new(struct oci *oci, const char *repository,
				  const struct fetch_identity *identity)
{
	struct oci_object *object =
		calloc(1, sizeof(*object) + oci->n_hosts * sizeof(object->ways[0]));

	if (!object)
		return NULL;
	object->base.fetcher = &oci->base;
	object->identity = *identity;
	object->repository = strdup(repository);
	if (object->repository)
		return object;
	free(object);
	return NULL;
}

void oci_object_free(struct oci_object *object)
{
	struct oci *oci = container_of(object->base.fetcher, struct oci, base);

	for (size_t i = 0; i < oci->n_hosts; i++)
		way_free(object->ways[i]);
	free(object->repository);
	free(object);
}

/* ---- reads ------------------------------------------------------------------------------ */

/* One read, of one host after the other: each goes on where the one before has ended. */
struct oci_read {
	struct fetch_read part; /* what this host is asked for */
	struct fetch_read *read;
	struct oci_object *object;
	struct oci_tries tries;
	struct oci_host *host;
	struct http_request *request;
	size_t filled; /* of read, by those before */
	size_t got;    /* of part */
	bool canceled;
};

static void read_end(struct oci_read *r, int err, const char *error)
{
	struct fetch_read *read = r->read;

	if (err < 0)
		memcpy(read->error, error, sizeof(read->error));
	free(r);
	read->done(read, err);
}

static void part_progress(struct fetch_read *part, size_t got)
{
	struct oci_read *r = container_of(part, struct oci_read, part);

	r->got = got;
	r->object->answered = oci_host_bit(r->host);
	if (r->read->progress)
		r->read->progress(r->read, r->filled + got);
}

static bool read_ask(struct oci_read *r);

static void part_done(struct fetch_read *part, int err)
{
	struct oci_read *r = container_of(part, struct oci_read, part);
	char error[FETCH_ERROR_MAX];

	if (err == 0) {
		r->object->answered = oci_host_bit(r->host);
		oci_host_worked(r->host);
		read_end(r, 0, NULL);
		return;
	}
	memcpy(error, part->error, sizeof(error));
	r->read->retry_after = part->retry_after;
	r->filled += r->got;
	if (!oci_host_failed(r->host, &r->tries, err, error, part->retry_after) || r->canceled)
		read_end(r, err, error);
	/* All came, and then something else went wrong. */
	else if (r->filled == r->read->len)
		read_end(r, 0, NULL);
	else if (!read_ask(r))
		read_end(r, r->tries.err, r->tries.error);
}

/* False: nobody is left, as tries says. */
static bool read_ask(struct oci_read *r)
{
	struct oci *oci = container_of(r->object->base.fetcher, struct oci, base);
	struct oci_way *way;

	r->host = oci_host_next(oci, OCI_NEED_RANGE, &r->tries);
	if (!r->host)
		return false;
	r->got = 0;
	r->part = (struct fetch_read){
		.off = r->read->off + r->filled,
		.len = r->read->len - r->filled,
		.buf = (uint8_t *)r->read->buf + r->filled,
		.deadline = r->read->deadline,
		.progress = part_progress,
		.done = part_done,
	};
	way = way_of(r->object, r->host);
	r->request = way ? http_request_read(&r->host->client, &way->target, &r->part) : NULL;
	if (!r->request)
		(void)oci_host_failed(r->host, &r->tries, -ENOMEM, "no memory", 0);
	return r->request;
}

/* With one host there is nothing to follow. */
static bool start_simply(struct oci_object *object, struct oci_host *host, struct fetch_read *read)
{
	struct oci_way *way = way_of(object, host);

	read->fetcher_private = way ? http_request_read(&host->client, &way->target, read) : NULL;
	return read->fetcher_private;
}

bool oci_read_start(struct oci_object *object, struct fetch_read *read)
{
	struct oci *oci = container_of(object->base.fetcher, struct oci, base);
	struct oci_read *r;

	if (oci->n_hosts == 1)
		return start_simply(object, &oci->hosts[0], read);
	r = malloc(sizeof(*r));
	if (!r)
		return false;
	*r = (struct oci_read){ .read = read, .object = object };
	r->tries.last_of_all = read->elsewhere ? object->answered : 0;
	read->fetcher_private = r;
	if (read_ask(r))
		return true;
	free(r);
	return false;
}

void oci_read_cancel(struct oci_object *object, struct fetch_read *read)
{
	struct oci *oci = container_of(object->base.fetcher, struct oci, base);
	struct oci_read *r = read->fetcher_private;

	if (oci->n_hosts == 1) {
		http_request_cancel(read->fetcher_private);
		return;
	}
	r->canceled = true;
	http_request_cancel(r->request);
}
