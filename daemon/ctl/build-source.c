/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/ctl/build.h"
#include "daemon/util/cleanup.h"
#include "fetchers/oci-image.h"

#define REMOTE "oci://"

bool build_source_remote(const char *source)
{
	return strncmp(source, REMOTE, strlen(REMOTE)) == 0;
}

bool build_source_archived(const char *source)
{
	struct stat st;

	return build_source_remote(source) ||
	       strncmp(source, LAYOUT_PREFIX, strlen(LAYOUT_PREFIX)) == 0 ||
	       (stat(source, &st) == 0 && S_ISREG(st.st_mode));
}

static int no_memory(void)
{
	return ctl_error("%s", strerror(ENOMEM));
}

/* A new one at the end, all of it zero; NULL: no memory. */
static struct build_layer *add_layer(struct build *b)
{
	struct build_layer *layers = reallocarray(b->layers, b->n_layers + 1, sizeof(*layers));

	if (!layers)
		return NULL;
	b->layers = layers;
	layers[b->n_layers] = (struct build_layer){ 0 };
	return &layers[b->n_layers++];
}

/* ---- directories and archives ----------------------------------------------------------- */

static int add_local(struct build *b, const char *source, bool is_dir)
{
	_cleanup_free_ char *path = realpath(source, NULL);
	struct build_layer *l = path ? add_layer(b) : NULL;
	const char *base = path ? strrchr(path, '/') + 1 : NULL;

	if (!path)
		return ctl_error("%s: %s", source, strerror(errno));
	if (!l)
		return no_memory();
	l->name = strdup(source);
	if (asprintf(&l->title, "%s.erofs", *base ? base : "root") < 0)
		l->title = NULL;
	if (is_dir)
		l->dir = steal(&path);
	else
		l->archive = steal(&path);
	b->n_dirs += is_dir;
	return l->name && l->title ? CTL_OK : no_memory();
}

/* ---- images ----------------------------------------------------------------------------- */

/* Tar, and of the compressions only those that there are in images; not what is encrypted. */
static bool is_archive(const char *type)
{
	static const char *const types[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
	};
	static const char *const endings[] = { "", "+gzip", "+zstd", ".gzip", ".zstd" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i]);

		for (size_t k = 0; k < sizeof(endings) / sizeof(endings[0]); k++)
			if (strncmp(type, types[i], n) == 0 && strcmp(type + n, endings[k]) == 0)
				return true;
	}
	return false;
}

/* What manifest and configuration say of a layer. */
struct told {
	const char *digest, *type, *title, *diff_id;
};

static int add_archive(struct build *b, const char *source, const struct told *told,
		       struct build_layer **ret)
{
	const char *digest = told->digest, *type = told->type, *title = told->title;
	struct build_layer *l;

	if (!is_archive(type))
		return ctl_error("%s: layer %s is no tar archive, but '%.80s'", source, digest,
				 type);
	if (!layout_digest_good(digest))
		return ctl_error("%s: layer %s has another digest than sha256", source, digest);
	l = add_layer(b);
	if (!l)
		return no_memory();
	l->name = strdup(digest);
	strcpy(l->digest, digest);
	if (*title)
		l->title = strdup(title);
	else if (asprintf(&l->title, "%.12s.erofs", digest + strlen("sha256:")) < 0)
		l->title = NULL;
	l->diff_id = *told->diff_id ? strdup(told->diff_id) : NULL;
	*ret = l;
	return l->name && l->title && (l->diff_id || !*told->diff_id) ? CTL_OK : no_memory();
}

/* Of an image: what is kept of its documents. */
static int take_documents(struct build *b, const char *source, const char *manifest,
			  const char *config, const char *tag)
{
	json_t *document = json_loads(manifest, JSON_REJECT_DUPLICATES, NULL), *notes;

	json_decref(b->config);
	json_decref(b->annotations);
	free(b->source_tag);
	notes = json_object_get(document, "annotations");
	b->annotations = json_is_object(notes) ? json_deep_copy(notes) : NULL;
	b->config = *config ? json_loads(config, JSON_REJECT_DUPLICATES, NULL) : NULL;
	b->source_tag = *tag ? strdup(tag) : NULL;
	json_decref(document);
	if (*config && !json_is_object(b->config))
		return ctl_error("%s: its configuration is not JSON", source);
	return *tag && !b->source_tag ? no_memory() : CTL_OK;
}

static int add_remote(struct build *b, const char *source)
{
	char error[CONTEXT_ERROR_MAX];
	const char *tag = strrchr(source, ':');
	struct fetch_list list;
	int r = context_list(b->context, &list, source, error), status = CTL_OK;

	if (r == -ENOTDIR)
		return ctl_error("%s: it names no image of layers", source);
	if (r < 0)
		return ctl_error("%s", error);
	for (size_t i = 0; status == CTL_OK && i < list.n_parts; i++) {
		const struct fetch_part *part = &list.parts[i];
		const struct told told = { part->digest, part->media_type, part->title,
					   part->diff_id };
		struct build_layer *l = NULL;

		status = add_archive(b, source, &told, &l);
		if (status != CTL_OK)
			break;
		l->locator = strdup(part->locator);
		l->identity = part->identity;
		status = l->locator ? CTL_OK : no_memory();
	}
	if (status == CTL_OK)
		status = take_documents(b, source, list.manifest, list.config,
					strchr(source, '@') || strchr(tag, '/') ? "" : tag + 1);
	fetch_list_end(&list);
	return status;
}

/* From an index to the manifest of this host's platform. */
static int descend(const struct layout *layout, struct layout_descriptor *d, char **ret_text)
{
	static const struct oci_reference all = { .select = OCI_SELECT_MANIFEST };
	struct oci_platform platform;

	oci_platform_host(&platform);
	for (int depth = 0; depth < 4; depth++) {
		char why[OCI_WHY_MAX] = "";
		struct oci_choice choice;
		int status = layout_read_text(layout->dir, d, ret_text), r;

		if (status != CTL_OK)
			return status;
		r = oci_manifest_choose(&choice, *ret_text, strlen(*ret_text), d->media_type, &all,
					&platform, why);
		if (r == 0 && !choice.is_manifest)
			return CTL_OK;
		free(*ret_text);
		*ret_text = NULL;
		if (r < 0)
			return ctl_error("%s: %s: %s", layout->dir, d->digest, why);
		if (!layout_digest_good(choice.digest))
			return ctl_error("%s: %s has another digest than sha256", layout->dir,
					 choice.digest);
		strcpy(d->digest, choice.digest);
		d->size = choice.size;
		d->media_type[0] = '\0';
	}
	return ctl_error("%s: indexes inside of indexes", layout->dir);
}

static int read_config(const struct layout *layout, const struct oci_image *image, char **ret)
{
	struct layout_descriptor d = { .size = image->config_size };

	if (!image->has_config) {
		*ret = strdup("");
		return *ret ? CTL_OK : no_memory();
	}
	if (!layout_digest_good(image->config_digest))
		return ctl_error("%s: the configuration has another digest than sha256",
				 layout->dir);
	strcpy(d.digest, image->config_digest);
	return layout_read_text(layout->dir, &d, ret);
}

static int add_layout_layers(struct build *b, const struct layout *layout,
			     const struct oci_image *image)
{
	for (size_t i = 0; i < image->n_layers; i++) {
		const struct oci_layer *from = &image->layers[i];
		const struct told told = { from->digest, from->media_type, from->title,
					   from->diff_id };
		struct layout_descriptor d = { .size = from->size };
		struct build_layer *l = NULL;
		int status = add_archive(b, layout->dir, &told, &l), fd;

		if (status != CTL_OK)
			return status;
		strcpy(d.digest, l->digest);
		l->archive = layout_path(layout->dir, d.digest);
		if (!l->archive)
			return no_memory();
		/* Early: its bytes are looked at when it is its turn. */
		status = layout_open_blob(layout->dir, &d, &fd);
		if (status != CTL_OK)
			return status;
		close(fd);
	}
	return CTL_OK;
}

static int add_layout(struct build *b, const char *source)
{
	_cleanup_free_ char *manifest = NULL, *config = NULL;
	struct oci_image image = { 0 };
	char why[OCI_WHY_MAX] = "";
	struct layout layout;
	int status = layout_open(&layout, source);

	if (status != CTL_OK)
		return status;
	status = descend(&layout, &layout.top, &manifest);
	if (status == CTL_OK && oci_image_read(&image, manifest, strlen(manifest), why) < 0)
		status = ctl_error("%s: %s: %s", layout.dir, layout.top.digest, why);
	if (status == CTL_OK)
		status = read_config(&layout, &image, &config);
	if (status == CTL_OK && *config &&
	    oci_image_configure(&image, config, strlen(config), why) < 0)
		status = ctl_error("%s: %s: %s", layout.dir, layout.top.digest, why);
	if (status == CTL_OK)
		status = add_layout_layers(b, &layout, &image);
	if (status == CTL_OK)
		status = take_documents(b, source, manifest, config, layout.tag);
	oci_image_end(&image);
	layout_close(&layout);
	return status;
}

/* ---- all of them ------------------------------------------------------------------------ */

int build_add_source(struct build *b, const char *source)
{
	struct stat st;

	if (build_source_remote(source))
		return add_remote(b, source);
	if (strncmp(source, LAYOUT_PREFIX, strlen(LAYOUT_PREFIX)) == 0)
		return add_layout(b, source);
	if (stat(source, &st) < 0)
		return ctl_error("%s: %s", source, strerror(errno));
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return ctl_error("%s: it is neither a directory nor a tar archive", source);
	return add_local(b, source, S_ISDIR(st.st_mode));
}
