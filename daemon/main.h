/* SPDX-License-Identifier: MIT */
/*
 * What the daemon consists of. Internal to daemon/main*.c, which name every concrete type and wire
 * them together.
 */
#pragma once

#include <stdbool.h>

#include "daemon/audit/audit.h"
#include "daemon/config.h"
#include "daemon/control/control.h"
#include "daemon/engine/engine.h"
#include "daemon/frontend/cachefiles.h"
#include "daemon/handover.h"
#include "daemon/image-catalog.h"
#include "daemon/loop/loop.h"
#include "daemon/options.h"
#include "daemon/origins.h"
#include "daemon/prefetch/prefetch.h"
#include "daemon/record/recorder.h"
#include "daemon/space/space.h"
#include "daemon/state.h"
#include "daemon/watchdog.h"
#include "fetchers/credential-agent.h"

struct daemon {
	struct config *config;
	struct options options;
	struct fetch_host host; /* owns who runs credential helpers, where that is wanted */
	struct loop *loop;
	struct state *state;
	struct origins *origins;
	struct image_catalog *images;
	struct engine_source_config *sources; /* one per source of the configuration */
	struct engine_config engine_config;
	struct engine *engine;
	struct recorder *recorder; /* NULL: nobody can ask for a trace */
	struct control *control;
	struct prefetch *prefetch; /* NULL: there was no memory for it */
	struct space *space;
	struct audit *audit; /* or NULL */
	struct port *port;   /* the front end's, without a recorder around it */
	struct frontend *frontend;
	struct loop_signal signals;
	struct loop_deferred reload; /* when the answer is on its way that says so */
	struct watchdog watchdog;
	int cache_dir_fd;
	int status;
	bool stopping;

	/* Going on after another process, and leaving to the next. */
	struct handover_program program;
	struct handover inherited;
	char name[HANDOVER_NAME_MAX]; /* of the device, for whoever keeps it */
	int device;		      /* borrowed from the front end's port */
	bool restore;		      /* the kernel can do it */
	bool kept;		      /* somebody has a copy of the device */
	bool replacing, resume_recording, stop_wanted;
};

static inline void config_freep(struct config **config)
{
	config_free(*config);
}

/* Nothing new is taken, and the loop ends when all has its end. */
void daemon_stop(struct daemon *daemon);

/* ---- main-watch.c: who looks on ------------------------------------------------------------ */

/* Records into the configured file, or the next to it; what fails is logged. */
int daemon_record_configured(struct daemon *daemon);

/* SIGUSR1 */
void daemon_toggle_recording(struct daemon *daemon);

/* Readers need no control socket: without one the daemon serves all the same. */
void daemon_control(struct daemon *daemon);

/* ---- main-replace.c ------------------------------------------------------------------------ */

/*
 * Whether the next program could go on, and with which configuration, which is the caller's then.
 * -EOPNOTSUPP, -EALREADY, -EBUSY: not now; -EINVAL: the configuration is bad; others: something
 * that it names is. error (CONTROL_ERROR_MAX bytes): a sentence.
 */
int daemon_check_successor(struct daemon *daemon, struct config **ret, char *error);

/* The next program goes on in this process, or this one does, and says why. */
void daemon_replace(struct daemon *daemon, const char *why);
