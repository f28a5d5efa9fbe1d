/* SPDX-License-Identifier: MIT */
/*
 * cachefillctl mount and umount.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl/ctl.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/mount-command.h"
#include "daemon/ctl/mount-image.h"
#include "daemon/ctl/prefetch.h"
#include "daemon/util/cleanup.h"

enum { OPT_READ_AHEAD = 256, OPT_ALL, OPT_PREFETCH };

static const struct option mount_longs[] = {
	{ "writable", optional_argument, NULL, 'w' },
	{ "options", required_argument, NULL, 'o' },
	{ "read-ahead", required_argument, NULL, OPT_READ_AHEAD },
#ifdef HAVE_DAEMON_COMMANDS
	{ "prefetch", no_argument, NULL, OPT_PREFETCH },
#endif
	CONTEXT_OPTIONS_REGISTRY,
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax mount_syntax = {
	"cachefillctl mount",
	"w::o:h",
	mount_longs,
	"Usage: cachefillctl mount [OPTION]... IMAGE|REF DIR\n"
	"\n"
	"Mounts an image of the store, or what a reference leads to, on DIR. Its bytes\n"
	"are fetched when they are first read.\n"
	"\n"
	"  -w, --writable[=DIR]   what is written goes to memory, or to DIR/upper\n"
	"  -o, --options OPTIONS  as in fstab(5): nodev, nosuid, noexec, noatime, ...\n"
	"      --read-ahead SIZE  of the kernel; it has 128KiB by itself\n"
#ifdef HAVE_DAEMON_COMMANDS
	"      --prefetch         have the daemon fetch what its plan says, or all of it,\n"
	"                         from then on, beside what is read\n"
#endif
	CONTEXT_HELP_REGISTRY
		CONTEXT_HELP,
};

static const struct option umount_longs[] = {
	{ "lazy", no_argument, NULL, 'l' },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "run-dir", required_argument, NULL, CONTEXT_OPT_RUN_DIR },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static const struct ctl_syntax umount_syntax = {
	"cachefillctl umount",
	"lh",
	umount_longs,
	"Usage: cachefillctl umount [OPTION]... DIR...\n"
	"       cachefillctl umount [OPTION]... --all\n"
	"\n"
	"Undoes what 'cachefillctl mount' made, and what others left half-made.\n"
	"\n"
	"      --all              all images that are mounted\n"
	"  -l, --lazy             also in use: it ends with the last user\n"
	"      --run-dir DIR      where it is noted what is mounted (" CONTEXT_RUN_DIR ")\n"
	"  -h, --help             print this\n",
};

/* ---- options ------------------------------------------------------------------------------ */

struct arguments {
	struct context context;
	struct mount_options options;
	bool lazy, all, prefetch;
};

static int replace(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int take_writable(struct mount_options *options, const char *dir)
{
	options->writable = dir ? MOUNT_IN_DIR : MOUNT_IN_MEMORY;
	return dir ? replace(&options->upper, dir) : 0;
}

static int take_option(struct arguments *a, int opt, char *error)
{
	switch (opt) {
	case 'w':
		return take_writable(&a->options, optarg);
	case 'o':
		return mount_options_add(&a->options, optarg, error);
	case OPT_READ_AHEAD:
		return mount_options_read_ahead(&a->options, optarg, error);
	case 'l':
		a->lazy = true;
		return 0;
	case OPT_ALL:
		a->all = true;
		return 0;
	case OPT_PREFETCH:
		a->prefetch = true;
		return 0;
	}
	return context_option(&a->context, opt) ? 0 : -EINVAL;
}

/* True: go on. Else *ret_status is to be returned. */
static bool take_options(const struct ctl_syntax *syntax, int argc, char *argv[],
			 struct arguments *a, int *ret_status)
{
	char error[MOUNT_ERROR_MAX];
	int opt;

	mount_options_begin(&a->options);
	while ((opt = ctl_getopt(syntax, argc, argv, ret_status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return false;
		snprintf(error, sizeof(error), "out of memory");
		if (take_option(a, opt, error) < 0) {
			*ret_status = ctl_usage(syntax->command, "%s", error);
			return false;
		}
	}
	return true;
}

/* ---- commands ----------------------------------------------------------------------------- */

/* It is mounted in any case. */
static void prefetch(const struct arguments *a, const char *image)
{
#ifdef HAVE_DAEMON_COMMANDS
	struct prefetch_order order = {
		.context = {
			.config_file = a->options.config ?: a->context.config_file,
			.state_dir_option = a->options.state_dir ?: a->context.state_dir_option,
			.run_dir = a->options.run_dir ?: a->context.run_dir,
			.index_fd = -1,
		},
	};
	_cleanup_free_ char *locator = NULL;
	char error[CONTEXT_ERROR_MAX], name[IMAGE_NAME_MAX];
	bool device;

	order.name = image_ref_print(image, name, sizeof(name));
	if (mount_image_is_ref(image) &&
	    image_ref_locator(image, &locator, &device, error) < 0)
		return;
	if (prefetch_image(&order, locator ? locator : image) != CTL_OK)
		ctl_error("warning: %s is mounted, and nothing is fetched before it is read",
			  image);
#endif
}

static int run_mount(int argc, char *argv[], struct arguments *a)
{
	char error[MOUNT_ERROR_MAX];
	int r;

	if (argc - optind != 2)
		return ctl_usage(mount_syntax.command, "an image and a directory are expected");
	if (mount_options_check(&a->options, error) < 0)
		return ctl_usage(mount_syntax.command, "%s", error);
	r = mount_command(&a->context, &a->options, argv[optind], argv[optind + 1]);
	if (r == -EALREADY)
		return ctl_error("%s: %s is mounted there already", argv[optind + 1], argv[optind]);
	if (r == 0 && a->prefetch)
		prefetch(a, argv[optind]);
	return r < 0 ? CTL_FAILED : CTL_OK;
}

int ctl_mount(int argc, char *argv[])
{
	struct arguments a = { .context = CONTEXT_INIT };
	int status;

	if (take_options(&mount_syntax, argc, argv, &a, &status))
		status = run_mount(argc, argv, &a);
	mount_options_end(&a.options);
	return status;
}

static int run_umount(int argc, char *argv[], const struct arguments *a)
{
	int status = CTL_OK;

	if (a->all != (argc == optind))
		return ctl_usage(umount_syntax.command,
				 a->all ? "--all is for all, without a directory"
					: "a directory is missing, or --all");
	if (a->all && umount_all_command(a->context.run_dir, a->lazy) < 0)
		status = CTL_FAILED;
	for (int i = optind; i < argc; i++)
		if (umount_command(a->context.run_dir, argv[i], a->lazy) < 0)
			status = CTL_FAILED;
	return status;
}

int ctl_umount(int argc, char *argv[])
{
	struct arguments a = { .context = CONTEXT_INIT };
	int status;

	if (take_options(&umount_syntax, argc, argv, &a, &status))
		status = run_umount(argc, argv, &a);
	mount_options_end(&a.options);
	return status;
}
