/* SPDX-License-Identifier: MIT */
/* What was made of the tar layers of an image, for others who have that image. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/image-tar-fetch.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/layout.h"
#include "daemon/ctl/push-artifact.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "daemon/util/sha256.h"

#define COMMAND "cachefillctl image push-index"

static const struct option options[] = { CONTEXT_OPTIONS, { NULL } };

static const char help[] =
	"Usage: cachefillctl image push-index [OPTION]... NAME\n"
	"\n"
	"Uploads what was made of the tar layers of an image to the registry that the image\n"
	"is from, where 'image add' of other hosts finds it: they need not read the layers.\n"
	"Prints the digest of its manifest.\n"
	"\n" CONTEXT_HELP "\n"
	"See cachefillctl-image(1).\n";

static const struct ctl_syntax syntax = { COMMAND, "h", options, help };

enum { DIGEST_MAX = 7 + SHA256_HEX };

/* One thing that is stored. */
struct piece {
	struct context_put put;
	char *locator; /* owned */
	int fd;	       /* owned */
	char digest[DIGEST_MAX];
};

struct push_index {
	struct context context;
	struct images_image *image; /* owned */
	char *repository;	    /* owned: "oci://HOST/NAME" */
	struct piece pieces[FETCH_LIST_MAX];
	size_t n_pieces;
	json_t *layers; /* owned */
};

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

/* ---- storing ------------------------------------------------------------------------------ */

static ssize_t read_piece(struct context_put *put, void *buf, size_t n, uint64_t off)
{
	struct piece *piece = container_of(put, struct piece, put);
	ssize_t len = pread(piece->fd, buf, n, (off_t)off);

	return len < 0 ? -errno : len;
}

static int send_blobs(struct push_index *p)
{
	struct context_put *puts[FETCH_LIST_MAX];
	char error[CONTEXT_ERROR_MAX];
	int r;

	for (size_t i = 0; i < p->n_pieces; i++)
		puts[i] = &p->pieces[i].put;
	r = context_put(&p->context, puts, p->n_pieces, error);
	if (r == 0)
		return CTL_OK;
	image_add_hint(error, r, puts[0]->locator);
	return ctl_error("%s", error);
}

/* ---- what there is ------------------------------------------------------------------------ */

static int set_put(struct push_index *p, struct piece *piece, uint64_t size)
{
	piece->put.size = size;
	piece->put.read = read_piece;
	if (asprintf(&piece->locator, "%s@%s?blob", p->repository, piece->digest) < 0) {
		piece->locator = NULL;
		return no_memory();
	}
	piece->put.locator = piece->locator;
	return CTL_OK;
}

/* A file of the store, whose name is its digest. */
static int add_file(struct push_index *p, const char *layer, enum layer_file which,
		    const char *path)
{
	struct piece *piece = &p->pieces[p->n_pieces];
	const char *name = strrchr(path, '/');
	struct stat st;

	*piece = (struct piece){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) };
	p->n_pieces++;
	if (piece->fd < 0 || fstat(piece->fd, &st) < 0)
		return ctl_error("%s: %s", path, strerror(errno));
	snprintf(piece->digest, sizeof(piece->digest), "sha256:%.64s", name ? name + 1 : path);
	if (json_array_append_new(p->layers,
				  json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType",
					    image_tar_types[which], "digest", piece->digest, "size",
					    (json_int_t)st.st_size, "annotations",
					    IMAGE_TAR_ANNOTATION, layer)) < 0)
		return no_memory();
	return set_put(p, piece, (uint64_t)st.st_size);
}

static int add_image(struct push_index *p, const struct images_layer *l, const char *map)
{
	_cleanup_free_ char *path = NULL;
	int dir = (int)(strrchr(map, '/') - map);

	/* "meta:SHA-256" */
	if (asprintf(&path, "%.*s/%s.erofs", dir, map, strchr(l->primary.cookie, ':') + 1) < 0) {
		path = NULL;
		return no_memory();
	}
	return add_file(p, l->origin_digest, LAYER_IMAGE, path);
}

/* "tarmap:MAP;BLOB", "tarmap:MAP;gunzip:INDEX;BLOB" */
static int add_layer(struct push_index *p, const struct images_layer *l)
{
	_cleanup_free_ char *map = NULL, *gzindex = NULL;
	const char *blob = l->devices[0].locator;
	int status, r = locator_split_indexed(blob, &map, &blob);

	if (r == 0 && strchr(blob, ';'))
		r = locator_split_indexed(blob, &gzindex, &blob);
	if (r == 0 && !p->repository)
		r = image_tar_repository(blob, &p->repository);
	if (r < 0)
		return ctl_error("image '%s': %s", p->image->name,
				 r == -EINVAL ? "it is not from a registry" : strerror(-r));
	status = add_image(p, l, map);
	if (status == CTL_OK)
		status = add_file(p, l->origin_digest, LAYER_MAP, map);
	if (status == CTL_OK && gzindex)
		status = add_file(p, l->origin_digest, LAYER_GZINDEX, gzindex);
	return status;
}

static bool is_tar(const struct images_layer *l)
{
	return l->n_devices == 1 && strncmp(l->devices[0].locator, "tarmap:", 7) == 0 &&
	       strncmp(l->primary.cookie, "meta:", 5) == 0;
}

static int collect(struct push_index *p)
{
	const struct images_image *image = p->image;
	int status = CTL_OK;

	p->layers = json_array();
	if (!p->layers)
		return no_memory();
	if (!*image->manifest_digest)
		return ctl_error("image '%s': it is no image of one manifest of a registry",
				 image->name);
	for (size_t i = 0; i < image->n_layers && status == CTL_OK; i++) {
		/* A layer has up to three; those that find no room are read by who adds it. */
		if (is_tar(&image->layers[i]) && p->n_pieces + 3 <= FETCH_LIST_MAX)
			status = add_layer(p, &image->layers[i]);
	}
	if (status == CTL_OK && p->n_pieces == 0)
		return ctl_error("image '%s': none of its layers is a tar archive", image->name);
	return status;
}

/* ---- the artifact ------------------------------------------------------------------------- */

static int push_artifact(struct push_index *p)
{
	json_t *manifest = json_loads(p->image->manifest, 0, NULL);
	const char *type = json_string_value(json_object_get(manifest, "mediaType"));
	struct artifact artifact = {
		.context = &p->context,
		.repository = p->repository,
		.type = IMAGE_TAR_ARTIFACT,
		.subject_digest = p->image->manifest_digest,
		.subject_type = type ?: LAYOUT_MANIFEST_TYPE,
		.subject_size = strlen(p->image->manifest),
		.layers = p->layers,
	};
	int status = artifact_push(&artifact);

	if (status == CTL_OK)
		puts(artifact.digest);
	artifact_end(&artifact);
	json_decref(manifest);
	return status;
}

/* ---- the command -------------------------------------------------------------------------- */

static int run(struct push_index *p, const char *name)
{
	int status = context_open(&p->context, CONTEXT_READ | CONTEXT_ORIGINS);

	if (status == CTL_OK)
		status = image_find(&p->context, name, &p->image);
	if (status == CTL_OK)
		status = collect(p);
	if (status == CTL_OK)
		status = send_blobs(p);
	return status == CTL_OK ? push_artifact(p) : status;
}

int ctl_image_push_index(int argc, char *argv[])
{
	struct push_index *p;
	struct context context = CONTEXT_INIT;
	int opt, status = CTL_OK;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END)
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		else
			context_option(&context, opt);
	if (argc - optind != 1)
		return ctl_usage(syntax.command, "the NAME of an image is needed");
	p = calloc(1, sizeof(*p));
	if (!p)
		return no_memory();
	p->context = context;
	status = run(p, argv[optind]);
	for (size_t i = 0; i < p->n_pieces; i++) {
		close_fdp(&p->pieces[i].fd);
		free(p->pieces[i].locator);
	}
	json_decref(p->layers);
	free(p->repository);
	images_image_free(p->image);
	context_close(&p->context);
	free(p);
	return status;
}
