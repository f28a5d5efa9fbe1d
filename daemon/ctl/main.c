/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/cache.h"
#include "daemon/ctl/ctl.h"
#include "daemon/ctl/image.h"
#include "daemon/ctl/prefetch.h"

static const struct ctl_command commands[] = {
	{ "image", "COMMAND ...", "remember images by name, make and publish them", ctl_image },
	{ "trace", "COMMAND ...", "look at recorded requests, cut and replay them", ctl_trace },
	{ "mount", "[OPTION]... IMAGE|REF DIR", "mount an image, its bytes come when they are read",
	  ctl_mount },
	{ "umount", "[OPTION]... DIR...", "undo that", ctl_umount },
	{ "mounts", "[--json]", "list the images that are mounted", ctl_mounts },
	{ "als", "COMMAND ...", "let podman find the layers of images", ctl_als },
	{ "du", "[OPTION]... [IMAGE|OBJECT]...", "list what is cached, by image", ctl_du },
	{ "pin", "[OPTION]... IMAGE|OBJECT...", "keep what is cached of it", ctl_pin },
	{ "unpin", "[OPTION]... IMAGE|OBJECT...", "take that back", ctl_unpin },
#ifdef HAVE_DAEMON_COMMANDS
	{ "prefetch", "[OPTION]... IMAGE|OBJECT [RANGE]...", "fetch what nobody has read yet",
	  ctl_prefetch },
	{ "warm", "[OPTION]... TRACE...", "fetch what recorded traces have read", ctl_warm },
	{ "status", "[OPTION]...", "say what the daemon is and has done", ctl_status },
	{ "objects", "[OPTION]... [OBJECT]", "list what is open", ctl_objects },
	{ "flights", "[OPTION]...", "list what is being fetched", ctl_flights },
	{ "origins", "[OPTION]...", "say where bytes come from, and how that goes", ctl_origins },
	{ "top", "[OPTION]...", "say over and over what the daemon does", ctl_top },
	{ "events", "[OPTION]...", "say what happens, as it happens", ctl_events },
	{ "metrics", "[OPTION]...", "print metrics for Prometheus", ctl_metrics },
	{ "whois", "[OPTION]... WHAT", "say which objects are meant by something", ctl_whois },
	{ "purge", "[OPTION]... VOLUME[/COOKIE]", "forget what keys mean", ctl_purge },
	{ "evict", "[OPTION]... IMAGE|OBJECT...", "drop what is cached of it", ctl_evict },
	{ "doctor", "[OPTION]...", "look for what is wrong, and say what to do", ctl_doctor },
	{ "explain", "[OPTION]... OBJECT", "say what an object is, and whether it works",
	  ctl_explain },
#ifdef HAVE_BUGREPORT
	{ "bugreport", "[OPTION]...", "write what others need to see into an archive",
	  ctl_bugreport },
#endif
	{ "gc", "[OPTION]...", "drop what is cached and nobody needs any more", ctl_gc },
	{ "reload", "[OPTION]...", "have the daemon read its configuration again", ctl_reload },
	{ "log-level", "[OPTION]... [LEVEL]", "say how much is logged, or change it",
	  ctl_log_level },
#endif
	{ NULL },
};

/* A result that did not arrive is trouble; that nobody wanted the rest of it is none to tell. */
static int finish(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		ctl_error("standard output: %s", strerror(errno ? errno : EIO));
	return status == CTL_OK ? CTL_FAILED : status;
}

/* mount(8) and umount(8) call it by other names. */
static int run_helper(const char *name, int argc, char *argv[])
{
	ctl_program = name;
	return name[0] == 'u' ? ctl_umount_helper(argc, argv) : ctl_mount_helper(argc, argv);
}

int main(int argc, char *argv[])
{
	const char *name = argc > 0 ? basename(argv[0]) : "";

	if (strcmp(name, "mount.cachefill") == 0 || strcmp(name, "umount.cachefill") == 0)
		return run_helper(name, argc, argv);
	return finish(ctl_dispatch(commands, "cachefillctl", argc, argv));
}
