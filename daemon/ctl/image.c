/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/image.h"

#include <stddef.h>

static const struct ctl_command commands[] = {
	{ "add", "[OPTION]... NAME REF...", "remember what REF leads to under a name",
	  ctl_image_add },
	{ "ls", "[OPTION]...", "list the images that are known", ctl_image_ls },
	{ "inspect", "[OPTION]... NAME", "say what an image consists of", ctl_image_inspect },
	{ "refresh", "[OPTION]... NAME", "ask its origins again, show and apply what has changed",
	  ctl_image_refresh },
	{ "plan", "[OPTION]... NAME [FILE]", "say what to fetch of an image first, or set that",
	  ctl_image_plan },
	{ "rm", "[OPTION]... NAME...", "forget images", ctl_image_rm },
#ifdef HAVE_IMAGE_BUILD
	{ "build", "[OPTION]... OUT SOURCE...", "make an image of EROFS layers", ctl_image_build },
	{ "push", "[OPTION]... LAYOUT oci://...", "upload an image to a registry", ctl_image_push },
#endif
#ifdef HAVE_TARMAP
	{ "push-index", "[OPTION]... NAME", "upload what was made of tar layers",
	  ctl_image_push_index },
#endif
	{ NULL },
};

int ctl_image(int argc, char *argv[])
{
	return ctl_dispatch(commands, "cachefillctl image", argc, argv);
}
