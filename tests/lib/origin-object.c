/* SPDX-License-Identifier: MIT */
#include "tests/lib/origin-internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"

struct origin_object {
	TAILQ_ENTRY(origin_object) link;
	char *name;
	uint64_t size;
	unsigned int version, validated; /* by whose ETag */
	unsigned int flags;
	bool is_treated;
	struct origin_treatment looks, reads;
	struct origin_seen seen;
};

struct origin_counter {
	TAILQ_ENTRY(origin_counter) link;
	char *text;
	unsigned int n;
};

static struct origin_object *find_object(struct origin *origin, const char *name)
{
	struct origin_object *o;

	TAILQ_FOREACH(o, &origin->objects, link)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

void origin_put_as(struct origin *origin, const char *name, uint64_t size, unsigned int flags)
{
	struct origin_object *o;

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, name);
	if (!o) {
		o = calloc(1, sizeof(*o));
		o->name = strdup(name);
		TAILQ_INSERT_TAIL(&origin->objects, o, link);
	}
	o->size = size;
	o->flags = flags;
	o->version++;
	if (!(flags & ORIGIN_SAME_VALIDATOR))
		o->validated = o->version;
	pthread_mutex_unlock(&origin->lock);
}

void origin_put(struct origin *origin, const char *name, uint64_t size)
{
	origin_put_as(origin, name, size, 0);
}

void origin_remove(struct origin *origin, const char *name)
{
	struct origin_object *o;

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, name);
	if (o) {
		TAILQ_REMOVE(&origin->objects, o, link);
		free(o->name);
		free(o);
	}
	pthread_mutex_unlock(&origin->lock);
}

uint64_t origin_key(struct origin *origin, const char *name)
{
	const struct origin_object *o;
	uint64_t key = 0;

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, name);
	if (o)
		key = pattern_key(name) + o->version;
	pthread_mutex_unlock(&origin->lock);
	return key;
}

unsigned int origin_count(struct origin *origin, const char *text)
{
	struct origin_counter *c;
	unsigned int n;

	pthread_mutex_lock(&origin->lock);
	TAILQ_FOREACH(c, &origin->counters, link)
		if (strcmp(c->text, text) == 0)
			break;
	if (!c) {
		c = calloc(1, sizeof(*c));
		c->text = strdup(text);
		TAILQ_INSERT_TAIL(&origin->counters, c, link);
	}
	n = ++c->n;
	pthread_mutex_unlock(&origin->lock);
	return n;
}

static bool open_file(const struct origin *origin, const char *name, struct origin_file *ret)
{
	char path[2 * ORIGIN_NAME_MAX];
	struct stat st;

	if (!origin->root || strstr(name, ".."))
		return false;
	snprintf(path, sizeof(path), "%s/%s", origin->root, name);
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0)
		return false;
	if (fstat(ret->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(ret->fd);
		return false;
	}
	ret->size = (uint64_t)st.st_size;
	ret->mtime = st.st_mtime;
	snprintf(ret->etag, sizeof(ret->etag), "\"%llx.%09ld-%llx\"",
		 (unsigned long long)st.st_mtime, st.st_mtim.tv_nsec,
		 (unsigned long long)ret->size);
	return true;
}

static bool open_object(struct origin *origin, const char *name, struct origin_file *ret)
{
	const struct origin_object *o;

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, name);
	if (o) {
		ret->fd = -1;
		ret->key = pattern_key(name) + o->version;
		ret->size = o->size;
		ret->compressed = o->flags & ORIGIN_COMPRESSED;
		ret->mtime = 1700000000 + o->validated;
		snprintf(ret->etag, sizeof(ret->etag), "\"%016llx-%llx\"",
			 (unsigned long long)(pattern_key(name) + o->validated),
			 (unsigned long long)ret->size);
		if (o->flags & ORIGIN_NO_VALIDATOR)
			ret->etag[0] = '\0';
	}
	pthread_mutex_unlock(&origin->lock);
	return o != NULL;
}

bool origin_open(struct origin *origin, const char *name, struct origin_file *ret)
{
	struct tm tm;

	if (!open_object(origin, name, ret) && !open_file(origin, name, ret))
		return false;
	ret->modified[0] = '\0';
	if (ret->etag[0])
		strftime(ret->modified, sizeof(ret->modified), "%a, %d %b %Y %H:%M:%S GMT",
			 gmtime_r(&ret->mtime, &tm));
	return true;
}

/* ---- treatment -------------------------------------------------------------------------- */

static bool is_read(const struct origin_request *req)
{
	return req->if_match[0] || req->if_unmodified[0] || req->if_range[0];
}

void origin_treat(struct origin *origin, const char *name, const struct origin_treatment *looks,
		  const struct origin_treatment *reads)
{
	static const struct origin_treatment none = { .stall_at = ORIGIN_NOWHERE,
						      .break_at = ORIGIN_NOWHERE };
	struct origin_connection *c;
	struct origin_object *o;

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, name);
	if (o) {
		o->is_treated = looks || reads;
		o->looks = looks ? *looks : none;
		o->reads = reads ? *reads : none;
	}
	TAILQ_FOREACH(c, &origin->connections, link)
		eventfd_write(c->changed, 1);
	pthread_mutex_unlock(&origin->lock);
}

bool origin_treated(struct origin *origin, const struct origin_request *req,
		    struct origin_treatment *ret)
{
	const struct origin_object *o;
	bool is_treated;

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, req->name);
	is_treated = o && o->is_treated;
	if (is_treated)
		*ret = is_read(req) ? o->reads : o->looks;
	pthread_mutex_unlock(&origin->lock);
	return is_treated;
}

struct origin_seen origin_seen(struct origin *origin, const char *name)
{
	const struct origin_object *o;
	struct origin_seen seen = { 0 };

	pthread_mutex_lock(&origin->lock);
	o = find_object(origin, name);
	if (o)
		seen = o->seen;
	pthread_mutex_unlock(&origin->lock);
	return seen;
}

void origin_note_seen(struct origin *origin, const struct origin_request *req)
{
	struct origin_object *o = find_object(origin, req->name);

	if (!o)
		return;
	o->seen.requests++;
	if (is_read(req) && req->has_range && req->range.first < o->size)
		o->seen.asked += (req->range.last < o->size ? req->range.last + 1 : o->size) -
				 req->range.first;
}

void origin_free_tables(struct origin *o)
{
	struct origin_object *object;
	struct origin_counter *counter;

	while ((object = TAILQ_FIRST(&o->objects)))
		origin_remove(o, object->name);
	while ((counter = TAILQ_FIRST(&o->counters))) {
		TAILQ_REMOVE(&o->counters, counter, link);
		free(counter->text);
		free(counter);
	}
}
