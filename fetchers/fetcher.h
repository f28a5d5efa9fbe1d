/* SPDX-License-Identifier: MIT */
/*
 * A fetcher reads byte ranges from one kind of origin. It sees locators and bytes only: no kernel,
 * no cache, no key. It is
 *
 *   instance based   one struct fetcher per `source` of the configuration, no globals
 *   asynchronous     on the loop that it is given; no call blocks on the network
 *   stackable        a decorator is a fetcher that owns the next one
 *   exactly once     every request ends in one done(), never from inside the call that started or
 *                    cancelled it
 *
 * Life of an instance:
 *
 *   class->create() --+--> look() ... done()         what is behind this locator?
 *                     +--> attach() -> fetch_object  a handle for reading it; no I/O
 *                     |        read() ... done()     any number at once
 *                     |        detach()              all its reads are done
 *                     +--> list() ... done()         optional: which objects are behind it?
 *                     +--> put() ... done()          optional: store this there
 *                     +--> free()                    all objects detached, all else done
 *
 * A new fetcher is one file, one row in fetchers/meson.build and one manual page; the contract
 * suite (tests/contract) runs on it by itself. Every sentence in this file is a test there.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/loop/loop.h"

#define FETCH_ERROR_MAX	    200 /* text of an error, with its terminator */
#define FETCH_VALIDATOR_MAX 256 /* with its terminator */

/*
 * What a set of bytes is known by. Two identities with equal size and validator name the same
 * bytes. The validator's text belongs to the fetcher ("etag:...", "mtime:..."); it is kept on disk
 * and given back at attach(), possibly years later. Empty: the origin gave nothing to hold on to.
 */
struct fetch_identity {
	uint64_t size; /* bytes */
	char validator[FETCH_VALIDATOR_MAX];
};

/*
 * Errors, as negative errno:
 *   -ENOENT        the origin says: there is no such object (and nothing else means this)
 *   -EACCES        the origin refuses us
 *   -ESTALE        the object is not the one that identity names any more
 *   -ETIMEDOUT     no answer, or the transfer stalled
 *   -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET    the network's word
 *   -EAGAIN        the origin itself is busy, or out of order for now
 *   -EMFILE        no descriptor is left, which is not the origin's fault
 *   -EPROTO        the answer contradicts itself or the request; none of its bytes are used
 *   -EBADMSG       what came is not what the digest of the locator is of; none of it is used
 *   -EOPNOTSUPP    the origin cannot serve ranges
 *   -EIO           anything else
 *   -ECANCELED     cancel() came first
 *   -ENOMEM        ours
 * From the fourth to the seventh line they may pass by themselves: fetch_may_pass().
 */

#define FETCH_HEAD_LEAST ((size_t)4096) /* of what a look has room for, it brings so much */

/* Learns an object's identity, and its first bytes on the way. Owned by the caller until done(). */
struct fetch_look {
	const char *locator;
	bool elsewhere;	 /* as that of a read: what a look at this locator has brought */
	void *head;	 /* the first bytes go here; NULL with head_len 0 where nobody wants them */
	size_t head_len; /* room */
	/*
	 * Whoever waits for this gives up then (ns of loop_now(); 0: never), so that nothing needs
	 * to be begun later. What is under way then may still come to its end.
	 */
	uint64_t deadline;
	/* What it was when it was looked at before, or NULL: whoever cannot tell whether it has
	 * changed since had better not answer. Borrowed until done(). */
	const struct fetch_identity *known;
	void (*done)(struct fetch_look *look, int err);
	/* Set before done(look, 0): */
	struct fetch_identity identity;
	/* min(head_len, identity.size); less, but at least FETCH_HEAD_LEAST of them, where they had
	 * been cut off before. Before done(look, err < 0): where they were cut off, if they were. */
	size_t head_filled;
	/* Set before done(look, err < 0): one line, no secret, names the locator's host or file.
	 * Before that, if anything, what has gone wrong so far. */
	char error[FETCH_ERROR_MAX];
	/* Before done(look, err): the origin does not want to be asked again for so long (ns), or
	 * 0. */
	uint64_t retry_after;
	void *fetcher_private;
};

/*
 * One ranged read. Owned by the caller and pinned until done(). 1 <= len, off + len <= size.
 * The fetcher fills buf from front to back and says how far it is by progress(): never backwards,
 * never beyond what done() confirms, and only with bytes of the pinned identity. After done(err)
 * with err < 0 the bytes up to the last progress() are right all the same; the rest of buf is
 * undefined.
 */
struct fetch_read {
	/*
	 * A hint: these bytes have come before, and were wrong although nobody below could see it.
	 * Who knows several places for them asks another one first than that which had answered.
	 */
	bool elsewhere;
	uint64_t off;
	size_t len;
	void *buf;
	uint64_t deadline; /* as that of a look; the caller may move it until done() */
	void (*progress)(struct fetch_read *read, size_t filled); /* optional */
	void (*done)(struct fetch_read *read, int err);		  /* 0: all len bytes are there */
	char error[FETCH_ERROR_MAX];				  /* as those of a look */
	uint64_t retry_after;
	void *fetcher_private;
};

/* One object of those that a locator stands for. All text is owned by the list, "" for none. */
struct fetch_part {
	char *locator;			/* of this object alone, for look() and attach() */
	struct fetch_identity identity; /* as look() would tell it, if the list is right */
	char *digest;			/* "sha256:...", of its bytes */
	char *media_type;
	char *title;   /* what its publisher calls it */
	char *diff_id; /* digest of what it would be without compression */
};

/*
 * Learns which objects a locator stands for, where one name means several: an image of layers.
 * Owned by the caller until done(), and what was found with fetch_list_end() afterwards. More
 * errors:
 *   -ENOTDIR   it names one object, or nothing: look() knows more
 */
struct fetch_list {
	const char *locator;
	void (*done)(struct fetch_list *list, int err);
	/*
	 * Optional. The parts are known, but for their diff_ids, and something else is still asked
	 * for. Called once, or never; from the loop, before done(). They may be gone with done().
	 */
	void (*found)(struct fetch_list *list);
	/* Set before done(list, 0): */
	struct fetch_part *parts; /* in their order, the lowest layer first */
	size_t n_parts;		  /* 1..FETCH_LIST_MAX */
	char *manifest, *config;  /* the text that says so, as it was received, and "" for none */
	char *manifest_digest;
	/* Set before done(list, err < 0): as that of a look. */
	char error[FETCH_ERROR_MAX];
	void *fetcher_private;
};

#define FETCH_LIST_MAX 128

/*
 * Stores bytes at the origin: for tools that publish. Owned by the caller until done(). What is
 * stored under the name of its content, and is there already, is not sent again. More errors:
 *   -EINVAL    nothing can be stored under that locator
 * Where it fails, nobody can read half of it there.
 */
struct fetch_put {
	const char *locator;
	const char *media_type; /* or NULL */
	uint64_t size;
	/*
	 * The bytes from off on, as many as there are room and bytes: how many, at least one; or
	 * -errno, which ends the request. Called from the loop, and may block it. From front to
	 * back, and once more where it has to be sent once more.
	 */
	ssize_t (*read)(struct fetch_put *put, void *buf, size_t n, uint64_t off);
	void (*done)(struct fetch_put *put, int err);
	bool existed;		     /* done(0): it was there, and nothing was sent */
	bool linked;		     /* done(0): the origin has noted to what it belongs */
	char error[FETCH_ERROR_MAX]; /* done(err < 0): as that of a look */
	void *fetcher_private;
};

struct fetcher;
struct fetch_health; /* fetchers/health.h */

/* A locator with a pinned identity. Fetchers embed it. */
struct fetch_object {
	struct fetcher *fetcher;
};

struct fetcher_ops {
	void (*look)(struct fetcher *fetcher, struct fetch_look *look);
	/* done() still comes, soon: with -ECANCELED, or with what had happened before. */
	void (*cancel_look)(struct fetcher *fetcher, struct fetch_look *look);

	/* Does no I/O; -ENOMEM, or -EINVAL for a locator or validator that cannot be ours. */
	int (*attach)(struct fetcher *fetcher, struct fetch_object **ret, const char *locator,
		      const struct fetch_identity *identity);
	void (*detach)(struct fetch_object *object);

	void (*read)(struct fetch_object *object, struct fetch_read *read);
	void (*cancel_read)(struct fetch_object *object, struct fetch_read *read);

	/* Both NULL: here, each locator names one object. cancel_list() is as cancel_look(). */
	void (*list)(struct fetcher *fetcher, struct fetch_list *list);
	void (*cancel_list)(struct fetcher *fetcher, struct fetch_list *list);

	/* Both NULL: nothing can be stored here. cancel_put() is as cancel_look(). */
	void (*put)(struct fetcher *fetcher, struct fetch_put *put);
	void (*cancel_put)(struct fetcher *fetcher, struct fetch_put *put);

	/* NULL, or how the i-th of the hosts does among which it chooses; borrowed. NULL from the
	 * first on that there is not. */
	const struct fetch_health *(*health)(const struct fetcher *fetcher, size_t i);

	void (*free)(struct fetcher *fetcher);
};

struct fetcher {
	const struct fetcher_ops *ops;
	const char *source; /* whose it is, for the log; set by who made it, borrowed, or NULL */
};

struct credential_agent;

#define FETCH_NOTE_MAX 2048 /* of a text, with its terminator */

/*
 * What servers have said and a fetcher would be glad to know when it begins: short texts by names
 * that fetchers choose, never a secret. Notes may be lost, old or wrong: whoever believes one has
 * to come to the same end as without it.
 */
struct fetch_notes {
	/* False: there is none. */
	bool (*recall)(struct fetch_notes *notes, const char *name, char ret[FETCH_NOTE_MAX]);
	/* In place of what was there; "" for nothing. NULL: here notes are only read. */
	void (*remember)(struct fetch_notes *notes, const char *name, const char *text);
};

/* What a host offers to its fetchers beside the loop: loop_host() of it, or NULL for nothing. */
struct fetch_host {
	struct credential_agent *credentials; /* who runs credential helpers, or NULL: nobody may */
	struct fetch_notes *notes;	      /* or NULL */
	/* Optional: a server ("host" or "host:port") has shown a certificate that
	 * ends then (Unix time). For tools: looking it up takes time at each handshake. */
	void (*certificate)(const struct fetch_host *host, const char *server, int64_t expires);
};

/* Whether the same request may succeed a little later, by what the error is. */
static inline bool fetch_may_pass(int err)
{
	return err == -ETIMEDOUT || err == -ECONNREFUSED || err == -EHOSTUNREACH ||
	       err == -ECONNRESET || err == -EAGAIN || err == -EMFILE;
}

/* Frees what a list has found, and empties it. */
void fetch_list_end(struct fetch_list *list);

/* One `key = value` of a source section; values are text, lists are repeated keys. */
struct fetcher_param {
	const char *key;
	const char *value;
};

/* A key that a fetcher understands, for --check-config and the manual. */
struct fetcher_key {
	const char *key;
	const char *help; /* half a line */
	bool harmless;	  /* its value may be shown: there is never a secret in it */
};

/* A kind of origin: one row of the registry. */
struct fetcher_class {
	const char *name;		/* "http" */
	const char *const *schemes;	/* "http", "https", NULL: what stands before ':' */
	const struct fetcher_key *keys; /* ends with a NULL key */

	/*
	 * template: the locator template of the source, for fetchers that confine themselves to its
	 * fixed part. params end with a NULL key; all keys are among `keys`. error: FETCH_ERROR_MAX
	 * bytes, filled when the return value is negative (-EINVAL: a value is wrong, files that
	 * cannot be read keep their errno). With loop NULL only checks, and *ret is not touched.
	 */
	int (*create)(struct fetcher **ret, struct loop *loop, const char *template,
		      const struct fetcher_param *params, char *error);
};

/* The registry, made by the build from the enabled fetchers; ends with NULL. */
extern const struct fetcher_class *const fetcher_classes[];

/* By the scheme of a locator or template ("http://..."); NULL: none was built in. */
const struct fetcher_class *fetcher_class_find(const char *locator);
