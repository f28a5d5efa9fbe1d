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
#include "daemon/util/cleanup.h"
#include "daemon/util/locator.h"
#include "daemon/util/sha256.h"

#define COMMAND	      "cachefillctl image push-index"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE    "application/vnd.oci.image.index.v1+json"
#define EMPTY_TYPE    "application/vnd.oci.empty.v1+json"

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
	int fd;	       /* owned; or -1: of a text */
	const char *text;
	char digest[DIGEST_MAX];
};

struct push_index {
	struct context context;
	struct images_image *image; /* owned */
	char *repository;	    /* owned: "oci://HOST/NAME" */
	struct piece pieces[FETCH_LIST_MAX + 1];
	size_t n_pieces;
	json_t *layers; /* owned */
	char *manifest; /* owned: of the artifact */
	char digest[DIGEST_MAX];
};

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

static int digest_of(const char *text, char ret[DIGEST_MAX])
{
	struct sha256 *sha = NULL;

	if (sha256_new(&sha) < 0)
		return no_memory();
	sha256_update(sha, text, strlen(text));
	strcpy(ret, "sha256:");
	sha256_hex(sha, ret + 7);
	sha256_free(sha);
	return CTL_OK;
}

/* ---- storing ------------------------------------------------------------------------------ */

static ssize_t read_piece(struct context_put *put, void *buf, size_t n, uint64_t off)
{
	struct piece *piece = container_of(put, struct piece, put);
	ssize_t len;

	if (piece->fd < 0) {
		memcpy(buf, piece->text + off, n);
		return (ssize_t)n;
	}
	len = pread(piece->fd, buf, n, (off_t)off);
	return len < 0 ? -errno : len;
}

static int send(struct push_index *p, struct context_put *const *puts, size_t n)
{
	char error[CONTEXT_ERROR_MAX];
	int r = context_put(&p->context, puts, n, error);

	if (r < 0) {
		image_add_hint(error, r, puts[0]->locator);
		return ctl_error("%s", error);
	}
	return CTL_OK;
}

static int send_blobs(struct push_index *p)
{
	struct context_put *puts[FETCH_LIST_MAX + 1];

	for (size_t i = 0; i < p->n_pieces; i++)
		puts[i] = &p->pieces[i].put;
	return send(p, puts, p->n_pieces);
}

static int send_text(struct push_index *p, const char *where, const char *type, const char *text,
		     bool *ret_linked)
{
	struct piece piece = { .fd = -1, .text = text };
	struct context_put *put = &piece.put;
	int status;

	if (asprintf(&piece.locator, "%s%s", p->repository, where) < 0)
		return no_memory();
	*put = (struct context_put){ .locator = piece.locator,
				     .media_type = type,
				     .size = strlen(text),
				     .read = read_piece };
	status = send(p, &put, 1);
	*ret_linked = put->linked;
	free(piece.locator);
	return status;
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

static json_t *subject_of(const struct images_image *image)
{
	json_t *manifest = json_loads(image->manifest, 0, NULL), *subject;
	const char *type = json_string_value(json_object_get(manifest, "mediaType"));

	subject = json_pack("{s:s, s:s, s:I}", "mediaType", type ?: MANIFEST_TYPE, "digest",
			    image->manifest_digest, "size", (json_int_t)strlen(image->manifest));
	json_decref(manifest);
	return subject;
}

static int make_manifest(struct push_index *p)
{
	struct piece *empty = &p->pieces[p->n_pieces];
	json_t *all;

	*empty = (struct piece){ .fd = -1, .text = "{}" };
	p->n_pieces++;
	if (digest_of(empty->text, empty->digest) != CTL_OK || set_put(p, empty, 2) != CTL_OK)
		return CTL_FAILED;
	all = json_pack("{s:i, s:s, s:s, s:{s:s, s:s, s:i}, s:O, s:o}", "schemaVersion", 2,
			"mediaType", MANIFEST_TYPE, "artifactType", IMAGE_TAR_ARTIFACT, "config",
			"mediaType", EMPTY_TYPE, "digest", empty->digest, "size", 2, "layers",
			p->layers, "subject", subject_of(p->image));
	p->manifest = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return p->manifest ? digest_of(p->manifest, p->digest) : no_memory();
}

/* ---- the index of those registries that keep none ----------------------------------------- */

static int read_index(struct push_index *p, const char *tag, json_t **ret)
{
	_cleanup_free_ char *locator = NULL;
	char error[CONTEXT_ERROR_MAX];
	struct fetch_list list = { 0 };
	int r;

	if (asprintf(&locator, "%s%s?referrers", p->repository, tag) < 0) {
		locator = NULL;
		return no_memory();
	}
	r = context_list(&p->context, &list, locator, error);
	if (r == -ENOENT)
		*ret = json_pack("{s:i, s:s, s:[]}", "schemaVersion", 2, "mediaType", INDEX_TYPE,
				 "manifests");
	else if (r < 0)
		return ctl_error("%s", error);
	else
		*ret = json_loads(list.manifest, 0, NULL);
	fetch_list_end(&list);
	return *ret ? CTL_OK : no_memory();
}

/* The newest is the last. False: no memory. */
static bool add_to_index(const struct push_index *p, json_t *index)
{
	json_t *manifests = json_object_get(index, "manifests");

	for (size_t i = json_array_size(manifests); i-- > 0;) {
		const json_t *digest = json_object_get(json_array_get(manifests, i), "digest");

		if (strcmp(json_string_value(digest) ?: "", p->digest) == 0)
			json_array_remove(manifests, i);
	}
	return json_array_append_new(manifests, json_pack("{s:s, s:s, s:I, s:s}", "mediaType",
							  MANIFEST_TYPE, "digest", p->digest,
							  "size", (json_int_t)strlen(p->manifest),
							  "artifactType", IMAGE_TAR_ARTIFACT)) == 0;
}

static int update_index(struct push_index *p)
{
	_cleanup_free_ char *text = NULL;
	char tag[DIGEST_MAX + 1];
	json_t *index = NULL;
	bool linked;
	int status;

	snprintf(tag, sizeof(tag), ":%s", p->image->manifest_digest);
	tag[strcspn(tag + 1, ":") + 1] = '-';
	status = read_index(p, tag, &index);
	if (status == CTL_OK && add_to_index(p, index))
		text = json_dumps(index, JSON_COMPACT);
	json_decref(index);
	if (status != CTL_OK)
		return status;
	return text ? send_text(p, tag, INDEX_TYPE, text, &linked) : no_memory();
}

/* ---- the command -------------------------------------------------------------------------- */

static int run(struct push_index *p, const char *name)
{
	char where[DIGEST_MAX + 1];
	bool linked = false;
	int status = context_open(&p->context, CONTEXT_READ | CONTEXT_ORIGINS);

	if (status == CTL_OK)
		status = image_find(&p->context, name, &p->image);
	if (status == CTL_OK)
		status = collect(p);
	if (status == CTL_OK)
		status = make_manifest(p);
	if (status == CTL_OK)
		status = send_blobs(p);
	snprintf(where, sizeof(where), "@%s", p->digest);
	if (status == CTL_OK)
		status = send_text(p, where, MANIFEST_TYPE, p->manifest, &linked);
	if (status == CTL_OK && !linked)
		status = update_index(p);
	if (status == CTL_OK)
		puts(p->digest);
	return status;
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
	free(p->manifest);
	free(p->repository);
	images_image_free(p->image);
	context_close(&p->context);
	free(p);
	return status;
}
