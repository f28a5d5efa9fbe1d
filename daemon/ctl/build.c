/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/build.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/ctl/build-out.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/interrupt.h"
#include "daemon/ctl/tree.h"
#include "daemon/util/cleanup.h"

#define COMMAND "cachefillctl image build"

enum {
	OPT_CHUNK_SIZE = 1000,
	OPT_COMPRESS,
	OPT_FORCE,
	OPT_PLAN,
	OPT_TAG,
	OPT_TIMESTAMP,
	OPT_TMP_DIR,
	OPT_UUID,
	OPT_VERITY
};

static const struct option options[] = {
	{ "chunk-size", required_argument, NULL, OPT_CHUNK_SIZE },
	{ "compress", required_argument, NULL, OPT_COMPRESS },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "plan", required_argument, NULL, OPT_PLAN },
	{ "tag", required_argument, NULL, OPT_TAG },
	{ "timestamp", required_argument, NULL, OPT_TIMESTAMP },
	{ "tmp-dir", required_argument, NULL, OPT_TMP_DIR },
	{ "uuid", required_argument, NULL, OPT_UUID },
	{ "verity", no_argument, NULL, OPT_VERITY },
	CONTEXT_OPTION_JSON,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const char help[] =
	"Usage: cachefillctl image build [OPTION]... OUT SOURCE...\n"
	"\n"
	"Makes an image whose layers are EROFS file systems, which can be mounted while\n"
	"their bytes are fetched. SOURCE is a directory, a tar archive, an image of a\n"
	"layout (oci-layout:DIR[:TAG]) or of a registry (oci://HOST/REPOSITORY:TAG); each\n"
	"directory and each archive becomes a layer, from bottom to top. OUT becomes an\n"
	"OCI layout; with a name that ends in .erofs, the EROFS image of a single layer.\n"
	"\n"
	"      --chunk-size SIZE  store files in chunks of SIZE, at least 1M, the same\n"
	"                         ones once (no chunks)\n"
	"      --compress ALG     lz4 or lz4hc[,LEVEL]: such an image is fetched as a whole\n"
	"                         before it can be used\n"
	"      --force            put it in the place of an OUT that exists\n"
	"      --json             print what was made as JSON\n"
	"      --plan FILE        what to fetch of it first, by `cachefillctl trace plan`\n"
	"      --tag TAG          the tag in the layout (that of the source, or latest)\n"
	"      --timestamp SEC    nothing in it is later, seconds since 1970\n"
	"                         ($SOURCE_DATE_EPOCH, or the newest file)\n"
	"      --tmp-dir DIR      where archives are unpacked (/var/tmp)\n"
	"      --uuid UUID        of each file system (zeroes)\n"
	"      --verity           with a hash tree of each layer, for every block of it to be\n"
	"                         checked before it is used: OUT.verity beside "
	"OUT.erofs\n" CONTEXT_HELP;

static const struct ctl_syntax syntax = { COMMAND, "h", options, help };

struct command {
	struct build build;
	struct context context;
	struct build_out out;
};

/* ---- options ---------------------------------------------------------------------------- */

static int take_time(struct build_mkfs *m, const char *text, const char *what)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end || errno || n < 0)
		return ctl_usage(COMMAND, "%s '%s' is no number of seconds", what, text);
	m->timestamp = (time_t)n;
	m->timed = true;
	return CTL_OK;
}

/* What the specification allows for tags. */
static bool tag_good(const char *text)
{
	static const char rest[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
	size_t n = strlen(text);

	return n > 0 && n <= 128 && *text != '.' && *text != '-' && strspn(text, rest) == n;
}

static int take_option(struct command *c, int opt)
{
	struct build_mkfs *m = &c->build.mkfs;

	switch (opt) {
	case OPT_CHUNK_SIZE:
		if (ctl_parse_bytes(optarg, &m->chunk_size) < 0 ||
		    !build_chunk_size_good(m->chunk_size))
			return ctl_usage(COMMAND,
					 "--chunk-size is a power of two from 1M to 1G: smaller "
					 "ones would be a request each");
		return CTL_OK;
	case OPT_COMPRESS:
		m->compressor = optarg;
		return build_compressor_good(optarg)
			       ? CTL_OK
			       : ctl_usage(COMMAND, "--compress is lz4, lz4hc or lz4hc,LEVEL");
	case OPT_FORCE:
		c->out.force = true;
		return CTL_OK;
	case OPT_PLAN:
		c->build.plan = optarg;
		return CTL_OK;
	case OPT_TAG:
		c->build.tag = optarg;
		return tag_good(optarg) ? CTL_OK
					: ctl_usage(COMMAND, "'%s' cannot be a tag", optarg);
	case OPT_TIMESTAMP:
		return take_time(m, optarg, "--timestamp");
	case OPT_TMP_DIR:
		c->build.tmp_dir = optarg;
		return CTL_OK;
	case OPT_UUID:
		m->uuid = optarg;
		return build_uuid_good(optarg) ? CTL_OK
					       : ctl_usage(COMMAND, "'%s' is no UUID", optarg);
	case OPT_VERITY:
		c->build.verity = c->out.verity = true;
		return CTL_OK;
	default:
		context_option(&c->context, opt);
		return CTL_OK;
	}
}

static int take_options(struct command *c, int argc, char *argv[])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int opt, status = CTL_OK;

	while (status == CTL_OK &&
	       (opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status == CTL_OK ? -1 : status;
		status = take_option(c, opt);
	}
	if (status != CTL_OK)
		return status;
	if (argc - optind < 2)
		return ctl_usage(COMMAND, "OUT and at least one SOURCE are needed");
	if (c->build.mkfs.chunk_size && c->build.mkfs.compressor)
		return ctl_usage(COMMAND, "chunks are never compressed");
	if (!c->build.mkfs.timed && epoch && *epoch)
		return take_time(&c->build.mkfs, epoch, "SOURCE_DATE_EPOCH");
	return CTL_OK;
}

/* mkfs.erofs would find its own output among its input. */
static int check_inside(const struct command *c)
{
	for (size_t i = 0; i < c->build.n_layers; i++) {
		const char *dir = c->build.layers[i].dir;
		size_t n = dir ? strlen(dir) : 0;

		if (n > 0 && strncmp(c->out.place, dir, n) == 0 &&
		    (c->out.place[n] == '/' || strcmp(dir, "/") == 0))
			return ctl_error("%s: it would be made inside of %s", c->out.name, dir);
	}
	return CTL_OK;
}

/* ---- the work --------------------------------------------------------------------------- */

static int open_sources(struct command *c, int n, char *sources[])
{
	bool remote = false;
	int status = CTL_OK;

	for (int i = 0; i < n; i++) {
		remote = remote || build_source_remote(sources[i]);
		/* Now, and not after minutes. */
		if (build_source_archived(sources[i]) && geteuid() != 0)
			return ctl_error("%s: only root can unpack archives with their owners and "
					 "devices; directories can be built by anybody",
					 sources[i]);
	}
	if (remote)
		status = context_open(&c->context, CONTEXT_ORIGINS);
	for (int i = 0; status == CTL_OK && i < n; i++)
		status = build_add_source(&c->build, sources[i]);
	return status;
}

static int make_work(struct build *b)
{
	if (b->n_dirs == b->n_layers)
		return CTL_OK;
	if (build_dirs_new(&b->dirs) < 0)
		return ctl_error("%s", strerror(ENOMEM));
	if (asprintf(&b->work, "%s/cachefillctl-build.XXXXXX", b->tmp_dir) < 0) {
		b->work = NULL;
		return ctl_error("%s", strerror(ENOMEM));
	}
	if (mkdtemp(b->work)) {
		char *path = realpath(b->work, NULL);

		if (path) {
			free(b->work);
			b->work = path;
			return CTL_OK;
		}
	}
	free(b->work);
	b->work = NULL;
	return ctl_error("%s: %s", b->tmp_dir, strerror(errno));
}

static char *below_out(const struct command *c, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", c->out.unfinished, name) >= 0)
		return path;
	ctl_error("%s", strerror(ENOMEM));
	return NULL;
}

/* A file of the result gets its place in the layout. */
static int adopt(struct command *c, const char *file, struct layout_descriptor *ret)
{
	struct progress progress;
	int status;

	progress_begin(&progress, "digest", 0, c->build.mkfs.json);
	status = layout_adopt(c->out.unfinished, file, &progress, ret);
	progress_end(&progress);
	return status;
}

static int build_one(struct command *c, size_t number, const char *file, const char *tree)
{
	struct build_layer *l = &c->build.layers[number];
	int status = build_layer(&c->build, number, file);

	if (status == CTL_OK && c->build.verity)
		status = build_verity(file, tree, "hash tree", c->build.mkfs.json, l->verity);
	if (status != CTL_OK || c->out.plain)
		return status;
	if (c->build.verity)
		status = adopt(c, tree, &l->tree);
	return status == CTL_OK ? adopt(c, file, &l->result) : status;
}

static int build_layers(struct command *c)
{
	_cleanup_free_ char *file = below_out(c, "layer.tmp"), *tree = below_out(c, "tree.tmp");
	int status = file && tree ? CTL_OK : CTL_FAILED;

	for (size_t i = 0; status == CTL_OK && i < c->build.n_layers; i++)
		status = interrupt_pending() ? CTL_FAILED : build_one(c, i, file, tree);
	return status;
}

static int finish_plain(struct command *c)
{
	_cleanup_free_ char *file = below_out(c, "layer.tmp"), *tree = below_out(c, "tree.tmp");
	struct stat st = { 0 };
	int status = CTL_OK;

	if (!file || !tree)
		return CTL_FAILED;
	stat(file, &st);
	c->build.layers[0].result.size = (uint64_t)st.st_size;
	/* What nobody looks for yet comes first. */
	if (c->build.verity)
		status = build_out_finish_tree(&c->out, tree);
	return status == CTL_OK ? build_out_finish(&c->out, file, 0644) : status;
}

static int finish_layout(struct command *c, struct layout_descriptor *manifest)
{
	int status = build_write_image(&c->build, c->out.unfinished, manifest);

	return status == CTL_OK ? build_out_finish(&c->out, c->out.unfinished, 0755) : status;
}

static int run(struct command *c, int n, char *sources[], struct layout_descriptor *manifest)
{
	int status = build_out_find(&c->out);

	if (status == CTL_OK)
		status = open_sources(c, n, sources);
	if (status == CTL_OK && c->out.plain && c->build.n_layers != 1)
		status = ctl_error("%s: there are %zu layers, and an EROFS image has one; a layout "
				   "can have any number",
				   c->out.name, c->build.n_layers);
	if (status == CTL_OK && c->out.plain && c->build.plan)
		status = ctl_error("%s: only a layout can have a plan", c->out.name);
	if (status == CTL_OK)
		status = check_inside(c);
	if (status == CTL_OK)
		status = make_work(&c->build);
	if (status == CTL_OK)
		status = build_out_begin(&c->out);
	if (status == CTL_OK)
		status = build_layers(c);
	if (status == CTL_OK)
		status = c->out.plain ? finish_plain(c) : finish_layout(c, manifest);
	return status;
}

/* ---- what was made ---------------------------------------------------------------------- */

static int print_json(const struct command *c, const struct layout_descriptor *manifest)
{
	json_t *layers = json_array(), *all;
	char *text;

	for (size_t i = 0; i < c->build.n_layers; i++) {
		const struct build_layer *l = &c->build.layers[i];
		json_t *layer = json_pack("{s:s, s:s, s:I}", "source", l->name, "title", l->title,
					  "size", (json_int_t)l->result.size);

		if (l->result.digest[0])
			json_object_set_new(layer, "digest", json_string(l->result.digest));
		if (l->verity[0])
			json_object_set_new(layer, "fsverity", json_string(l->verity));
		json_array_append_new(layers, layer);
	}
	all = json_pack("{s:s, s:o}", "out", c->out.name, "layers", layers);
	if (manifest->digest[0])
		json_object_set_new(all, "digest", json_string(manifest->digest));
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	if (!text)
		return ctl_error("%s: it was made, but its names are no UTF-8", c->out.name);
	puts(text);
	free(text);
	return CTL_OK;
}

static int print(const struct command *c, const struct layout_descriptor *manifest)
{
	uint64_t bytes = 0;
	char size[24];

	if (c->context.json)
		return print_json(c, manifest);
	for (size_t i = 0; i < c->build.n_layers; i++)
		bytes += c->build.layers[i].result.size;
	ctl_bytes(bytes, size, sizeof(size));
	if (c->out.plain)
		printf("%s: EROFS image, %s\n%s%s", c->out.name, size, c->build.layers[0].verity,
		       c->build.verity ? "\n" : "");
	else
		printf("%s: %zu layer%s, %s\n%s\n", c->out.name, c->build.n_layers,
		       c->build.n_layers == 1 ? "" : "s", size, manifest->digest);
	if (c->build.mkfs.compressor)
		fprintf(stderr,
			"cachefillctl: %s: it is compressed: it is fetched as a whole "
			"before it can be used\n",
			c->out.name);
	return CTL_OK;
}

/* ---- the command ------------------------------------------------------------------------ */

void build_end(struct build *b)
{
	for (size_t i = 0; i < b->n_layers; i++) {
		free(b->layers[i].name);
		free(b->layers[i].title);
		free(b->layers[i].dir);
		free(b->layers[i].archive);
		free(b->layers[i].locator);
		free(b->layers[i].diff_id);
		layout_descriptor_end(&b->layers[i].result);
		layout_descriptor_end(&b->layers[i].tree);
	}
	free(b->layers);
	build_dirs_free(b->dirs);
	json_decref(b->config);
	json_decref(b->annotations);
	free(b->source_tag);
	free(b->work);
}

static int remove_work(const struct build *b)
{
	int r = b->work ? tree_remove(b->work) : 0;

	return r < 0 ? ctl_error("%s: it cannot be removed: %s", b->work, strerror(-r)) : CTL_OK;
}

int ctl_image_build(int argc, char *argv[])
{
	struct command c = {
		.build = { .tmp_dir = "/var/tmp", .mkfs.uuid = BUILD_UUID_NONE },
		.context = CONTEXT_INIT,
	};
	struct layout_descriptor manifest = { 0 };
	int status = take_options(&c, argc, argv);

	if (status == CTL_OK) {
		/* Names in archives are UTF-8, and stay it. */
		setlocale(LC_CTYPE, "C.UTF-8");
		umask(022);
		c.out.name = argv[optind];
		c.build.context = &c.context;
		c.build.mkfs.json = c.context.json;
		interrupt_catch();
		status = run(&c, argc - optind - 1, argv + optind + 1, &manifest);
		if (remove_work(&c.build) != CTL_OK)
			status = CTL_FAILED;
		if (build_out_end(&c.out) != CTL_OK)
			status = CTL_FAILED;
		if (status == CTL_OK)
			status = print(&c, &manifest);
	}
	build_end(&c.build);
	context_close(&c.context);
	interrupt_finish();
	return status < 0 ? CTL_OK : status;
}
