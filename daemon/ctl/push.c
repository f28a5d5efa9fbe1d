/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/push.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/layout-plan.h"
#include "daemon/ctl/progress.h"
#include "daemon/ctl/push-artifact.h"
#include "daemon/util/cleanup.h"
#include "fetchers/oci-reference.h"

#define COMMAND "cachefillctl image push"

enum { OPT_PLAN = 1000 };

static const struct option options[] = {
	{ "plan", required_argument, NULL, OPT_PLAN },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const char help[] =
	"Usage: cachefillctl image push [OPTION]... LAYOUT oci://HOST/REPOSITORY[:TAG]\n"
	"\n"
	"Uploads an image of a layout (DIR or DIR:TAG, as 'image build' makes it) to a\n"
	"registry, with the hash trees of its layers where it was built with --verity:\n"
	"what the registry has already is not sent again. Prints the digest of\n"
	"the manifest. Credentials and certificates are those of the source in the\n"
	"configuration that has the registry, or those of podman login.\n"
	"\n"
	"      --plan FILE        what to fetch of it first, by `cachefillctl trace plan`:\n"
	"                         its manifest says so, and becomes another one\n"
	"      --json             print what was done as JSON\n" CONTEXT_HELP;

static const struct ctl_syntax syntax = { COMMAND, "h", options, help };

struct command {
	struct context context;
	struct layout layout;
	struct push push;
	const char *target, *plan;
	struct oci_reference reference; /* of target */
	struct progress progress;
	uint64_t sent; /* of blobs: stored, or there */
	size_t n_blobs, n_existed;
};

static struct command *command_of(struct push_item *item)
{
	return container_of(item->push, struct command, push);
}

/* ---- bytes ------------------------------------------------------------------------------ */

/* Blobs are hashed while they are sent: a damaged one never gets to its end. */
static int check_piece(struct push_item *item, const void *buf, size_t n, uint64_t off)
{
	char digest[LAYOUT_DIGEST_MAX] = "sha256:";
	int r;

	if (off == 0) {
		item->sha = sha256_free(item->sha);
		item->at = 0;
		r = sha256_new(&item->sha);
		if (r < 0)
			return r;
	}
	if (off != item->at)
		return -EIO;
	sha256_update(item->sha, buf, n);
	item->at += n;
	if (item->at < item->descriptor.size)
		return 0;
	sha256_hex(item->sha, digest + strlen(digest));
	item->sha = sha256_free(item->sha);
	item->damaged = strcmp(digest, item->descriptor.digest) != 0;
	return item->damaged ? -EUCLEAN : 0;
}

static int open_item(struct push_item *item)
{
	_cleanup_free_ char *path = layout_path(item->push->layout->dir, item->descriptor.digest);

	if (!path)
		return -ENOMEM;
	item->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return item->fd < 0 ? -errno : 0;
}

static void show(struct command *c)
{
	uint64_t done = c->sent;

	for (size_t i = 0; i < c->push.n_items; i++)
		done += c->push.items[i].at;
	progress_update(&c->progress, done);
}

static ssize_t read_item(struct context_put *put, void *buf, size_t n, uint64_t off)
{
	struct push_item *item = container_of(put, struct push_item, put);
	ssize_t len;
	int r;

	if (item->is_document) {
		memcpy(buf, item->text + off, n);
		return (ssize_t)n;
	}
	r = item->fd < 0 ? open_item(item) : 0;
	if (r < 0)
		return r;
	len = pread(item->fd, buf, n, (off_t)off);
	if (len <= 0)
		return len < 0 ? -errno : 0;
	r = check_piece(item, buf, (size_t)len, off);
	if (r < 0)
		return r;
	show(command_of(item));
	return len;
}

static void stored(struct context_put *put)
{
	struct push_item *item = container_of(put, struct push_item, put);
	struct command *c = command_of(item);

	if (item->is_document)
		return;
	if (item->fd >= 0)
		close(steal_fd(&item->fd));
	item->at = 0;
	c->sent += item->descriptor.size;
	c->n_blobs++;
	c->n_existed += put->existed;
	show(c);
}

/* ---- the order of it -------------------------------------------------------------------- */

static int set_locator(struct command *c, struct push_item *item, bool last)
{
	const struct oci_reference *ref = &c->reference;
	char *locator;
	int r;

	if (last)
		r = asprintf(&locator, OCI_SCHEME "%s/%s%s%s", ref->registry, ref->repository,
			     ref->digest[0] ? "@" : ":", ref->digest[0] ? ref->digest : ref->tag);
	else
		r = asprintf(&locator, OCI_SCHEME "%s/%s@%s%s", ref->registry, ref->repository,
			     item->descriptor.digest, item->is_document ? "" : "?blob");
	if (r < 0)
		return ctl_error("%s", strerror(ENOMEM));
	item->put.locator = locator;
	item->put.read = read_item;
	item->put.stored = stored;
	return CTL_OK;
}

static int explain(const struct command *c, int err, const char *error)
{
	for (size_t i = 0; i < c->push.n_items; i++)
		if (c->push.items[i].damaged)
			return ctl_error("%s: blob %s is not what its digest says", c->layout.dir,
					 c->push.items[i].descriptor.digest);
	if (err == -EACCES)
		return ctl_error("%s; 'podman login %s' stores credentials that are used here",
				 error, c->reference.registry);
	return ctl_error("%s", error);
}

/* All blobs, several at a time. */
static int send_blobs(struct command *c)
{
	struct context_put **puts = calloc(c->push.n_items, sizeof(struct context_put *));
	char error[CONTEXT_ERROR_MAX];
	size_t n = 0;
	int r;

	if (!puts)
		return ctl_error("%s", strerror(ENOMEM));
	for (size_t i = 0; i < c->push.n_items; i++)
		if (!c->push.items[i].is_document)
			puts[n++] = &c->push.items[i].put;
	progress_begin(&c->progress, "push", c->push.bytes, c->context.json);
	r = context_put(&c->context, puts, n, error);
	progress_end(&c->progress);
	free(puts);
	return r < 0 ? explain(c, r, error) : CTL_OK;
}

/* Each after what it names; the tag is the last thing that is set. */
static int send_documents(struct command *c)
{
	char error[CONTEXT_ERROR_MAX];

	for (size_t i = 0; i < c->push.n_items; i++) {
		struct context_put *put = &c->push.items[i].put;
		int r = c->push.items[i].is_document ? context_put(&c->context, &put, 1, error) : 0;

		if (r < 0)
			return explain(c, r, error);
	}
	return CTL_OK;
}

/* Each belongs to a manifest that is there by now. */
static int send_trees(struct command *c)
{
	_cleanup_free_ char *repository = NULL;
	int status = CTL_OK;

	if (asprintf(&repository, OCI_SCHEME "%s/%s", c->reference.registry,
		     c->reference.repository) < 0) {
		repository = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	for (size_t i = 0; status == CTL_OK && i < c->push.n_trees; i++) {
		const struct push_trees *trees = &c->push.trees[i];
		struct artifact artifact = {
			.context = &c->context,
			.repository = repository,
			.type = PUSH_TREES_ARTIFACT,
			.subject_digest = trees->manifest.digest,
			.subject_type = trees->manifest.media_type,
			.subject_size = trees->manifest.size,
			.layers = trees->layers,
		};

		status = artifact_push(&artifact);
		artifact_end(&artifact);
	}
	return status;
}

static int take_target(struct command *c)
{
	const struct layout_descriptor *top = &c->layout.top;
	const char *why = NULL;

	if (strncmp(c->target, OCI_SCHEME, strlen(OCI_SCHEME)) != 0)
		return ctl_error("%s: it does not begin with " OCI_SCHEME, c->target);
	if (oci_reference_parse(&c->reference, c->target, &why) < 0)
		return ctl_error("%s: %s", c->target, why);
	if (c->reference.select != OCI_SELECT_ONLY)
		return ctl_error("%s: an image is pushed as a whole", c->target);
	if (c->reference.digest[0] && strcmp(c->reference.digest, top->digest) != 0)
		return ctl_error("%s: the image in %s is %s", c->target, c->layout.dir,
				 top->digest);
	return CTL_OK;
}

static int run(struct command *c, const char *layout)
{
	int status = layout_open(&c->layout, layout);

	if (status == CTL_OK && c->plan)
		status = layout_add_plan(c->layout.dir, &c->layout.top, c->plan);
	if (status == CTL_OK)
		status = take_target(c);
	c->push.layout = &c->layout;
	if (status == CTL_OK)
		status = push_collect(&c->push);
	for (size_t i = 0; status == CTL_OK && i < c->push.n_items; i++)
		status = set_locator(c, &c->push.items[i], i == c->push.n_items - 1);
	if (status == CTL_OK)
		status = context_open(&c->context, CONTEXT_ORIGINS);
	if (status == CTL_OK)
		status = send_blobs(c);
	if (status == CTL_OK)
		status = send_documents(c);
	return status == CTL_OK ? send_trees(c) : status;
}

/* ---- the command ------------------------------------------------------------------------ */

static int print(const struct command *c)
{
	json_t *all;
	char *text;

	if (!c->context.json) {
		puts(c->layout.top.digest);
		return CTL_OK;
	}
	all = json_pack("{s:s, s:s, s:I, s:I, s:I}", "ref", c->target, "digest",
			c->layout.top.digest, "blobs", (json_int_t)c->n_blobs, "existed",
			(json_int_t)c->n_existed, "bytes", (json_int_t)c->push.bytes);
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	if (!text)
		return ctl_error("%s", strerror(ENOMEM));
	puts(text);
	free(text);
	return CTL_OK;
}

static int take_options(struct command *c, int argc, char *argv[])
{
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status == CTL_OK ? -1 : status;
		if (opt == OPT_PLAN)
			c->plan = optarg;
		else
			context_option(&c->context, opt);
	}
	if (argc - optind != 2)
		return ctl_usage(COMMAND, "LAYOUT and the place in a registry are needed");
	return CTL_OK;
}

int ctl_image_push(int argc, char *argv[])
{
	struct command c = { .context = CONTEXT_INIT };
	int status = take_options(&c, argc, argv);

	if (status == CTL_OK) {
		c.target = argv[optind + 1];
		status = run(&c, argv[optind]);
		if (status == CTL_OK)
			status = print(&c);
	}
	push_end(&c.push);
	layout_close(&c.layout);
	oci_reference_end(&c.reference);
	context_close(&c.context);
	return status < 0 ? CTL_OK : status;
}
