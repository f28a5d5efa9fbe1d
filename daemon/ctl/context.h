/* SPDX-License-Identifier: MIT */
/*
 * What the commands that work with images have in common: their options, the configuration, the
 * store, and the origins with calls that wait. A command may block; the daemon never does.
 *
 *	struct context c = CONTEXT_INIT;
 *	... context_option() for each option ...
 *	status = context_open(&c, CONTEXT_WRITE | CONTEXT_ORIGINS);
 *	if (status == CTL_OK)
 *		status = work(&c);
 *	context_close(&c);
 *
 * A call that waits ends early on SIGINT, SIGTERM and SIGHUP: what it had begun is cancelled, and
 *it returns -EINTR. Between such calls these signals do what they do everywhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/ctl/ctl.h"
#include "daemon/images/images.h"
#include "daemon/loop/loop.h"
#include "daemon/origins.h"
#include "fetchers/fetcher.h"

enum { CONTEXT_ERROR_MAX = 640 }; /* a sentence, without secrets and without its end */

enum context_needs {
	CONTEXT_READ = 1,    /* the store as it is; it may be that there is none */
	CONTEXT_WRITE = 2,   /* the store, made if need be */
	CONTEXT_ORIGINS = 4, /* context_look() and so on */
};

struct context {
	/* By options; borrowed. */
	const char *config_file, *state_dir_option;
	const char *run_dir; /* RUN_DIR for what is mounted */
	bool json;
	bool no_referrers; /* what others have pushed beside an image is not asked for */
	bool no_verity;	   /* layers are not verified, also if their manifest says by what */

	/* By context_open(). */
	struct config *config;	/* owned; finished */
	const char *state_dir;	/* of config: absolute */
	struct images *images;	/* owned; NULL: not asked for, or CONTEXT_READ and there is none */
	struct fetch_host host; /* owned: who runs credential helpers, with origins */
	struct fetch_notes notes; /* hints of the store, where it is open */
	struct loop *loop;	  /* owned, with origins */
	struct origins *origins;

	/* Called while bytes come by context_stream(); optional. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;

	int index_fd; /* owned; of the directory of indexes, locked. -1: see image-tar.h */
};

#define CONTEXT_RUN_DIR "/run/cachefilld"
#define CONTEXT_INIT                                        \
	{                                                   \
		.run_dir = CONTEXT_RUN_DIR, .index_fd = -1, \
	}

/* ---- options ------------------------------------------------------------------------------ */

enum {
	CONTEXT_OPT_CONFIG = 0x4000,
	CONTEXT_OPT_STATE_DIR,
	CONTEXT_OPT_RUN_DIR,
	CONTEXT_OPT_JSON,
	CONTEXT_OPT_NO_REFERRERS,
	CONTEXT_OPT_NO_VERITY,
};

/* Rows of a table for getopt_long(3), and of --help. --json and others are for those who have it.
 */
#define CONTEXT_OPTIONS                                                          \
	{ "config", required_argument, NULL, CONTEXT_OPT_CONFIG },               \
		{ "state-dir", required_argument, NULL, CONTEXT_OPT_STATE_DIR }, \
		{ "run-dir", required_argument, NULL, CONTEXT_OPT_RUN_DIR },     \
	{                                                                        \
		"help", no_argument, NULL, 'h'                                   \
	}
#define CONTEXT_OPTION_JSON                                 \
	{                                                   \
		"json", no_argument, NULL, CONTEXT_OPT_JSON \
	}
#define CONTEXT_OPTIONS_REGISTRY                                         \
	{ "no-referrers", no_argument, NULL, CONTEXT_OPT_NO_REFERRERS }, \
	{                                                                \
		"no-verity", no_argument, NULL, CONTEXT_OPT_NO_VERITY    \
	}
#define CONTEXT_HELP_REGISTRY                                                             \
	"      --no-referrers     read tar layers, also if their registry has an index\n" \
	"      --no-verity        do not verify layers that come with a hash tree\n"
#define CONTEXT_HELP                                                                         \
	"      --config FILE      read FILE and FILE.d/*.conf, as cachefilld does\n"         \
	"                         (" CACHEFILLD_CONF ", if it exists)\n"                     \
	"      --state-dir DIR    where the image store is (/var/lib/cachefilld)\n"          \
	"      --run-dir DIR      where it is noted what is mounted (" CONTEXT_RUN_DIR ")\n" \
	"  -h, --help             print this\n"

/* Takes opt and optarg; false: it is none of these. */
bool context_option(struct context *context, int opt);

/* ---- life --------------------------------------------------------------------------------- */

/* The configuration alone, for who goes on without; context_open() does it where nobody has.
 * Negative errno, with a sentence in error (CONFIG_ERROR_MAX bytes). */
int context_load(struct context *context, char *error);

/* needs: context_needs, or'ed. CTL_OK, or CTL_FAILED with the error printed. */
int context_open(struct context *context, unsigned int needs);

/* Also after a failed context_open(), or none. */
void context_close(struct context *context);

/* ---- origins ------------------------------------------------------------------------------
 *
 * Each returns 0, a negative errno of fetcher.h or origins.h, or -EINTR; then error has a sentence
 * that names the object. Nothing stays under way. An origin that says nothing for the deadline of
 * its source is -ETIMEDOUT.
 */

struct context_look {
	const char *locator;
	void *head; /* room for the first bytes, or NULL */
	size_t head_len;
	bool looked; /* it was: nothing is asked, and what is set stays */
	/* Set: */
	int err;
	struct fetch_identity identity;
	size_t head_filled;
	char error[CONTEXT_ERROR_MAX];
};

/* Several at once; returns the first of their errors, 0 for none. */
int context_look(struct context *context, struct context_look *looks, size_t n);

/*
 * Which objects a locator stands for; *ret is the caller's, for fetch_list_end(). -ENOTDIR, also
 * where the origin has no lists: it names one object, look at it.
 */
int context_list(struct context *context, struct fetch_list *ret, const char *locator, char *error);

/*
 * The same, and looks at the parts with head_len bytes of room each, begun as soon as they are
 * known: *ret_looks is NULL, or one for each part, to be freed at once with their heads. How these
 * went is in them; the list may be good all the same.
 */
int context_list_look(struct context *context, struct fetch_list *ret, size_t head_len,
		      struct context_look **ret_looks, const char *locator, char *error);

/* One range; it is within the object. */
int context_read(struct context *context, const char *locator,
		 const struct fetch_identity *identity, uint64_t off, void *buf, size_t len,
		 char *error);

/*
 * The whole object from its beginning, in pieces, some of them fetched ahead. take() returns 0, or
 * a negative errno that ends it and is returned, with an empty error.
 */
int context_stream(struct context *context, const char *locator,
		   const struct fetch_identity *identity,
		   int (*take)(void *arg, const void *bytes, size_t len), void *arg, char *error);

/* A small object of text as a whole, terminated, to be freed. -EFBIG: it is longer than max. */
int context_document(struct context *context, const char *locator, size_t max, char **ret,
		     size_t *ret_len, char *error);

/* Bytes to be stored at an origin, see struct fetch_put. */
struct context_put {
	const char *locator, *media_type;
	uint64_t size;
	ssize_t (*read)(struct context_put *put, void *buf, size_t n, uint64_t off);
	void (*stored)(struct context_put *put); /* or NULL */
	bool existed, linked;			 /* set, as those of a fetch_put */
};

/* Several at once, in any order. After the first that fails no other is begun. */
int context_put(struct context *context, struct context_put *const *puts, size_t n, char *error);
