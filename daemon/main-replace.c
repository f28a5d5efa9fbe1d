/* SPDX-License-Identifier: MIT */
/*
 * SIGUSR2: the next program takes over in this process, with the device.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/main.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"

/* As the next one will find it: what is wrong is said, and costs nothing yet. */
static bool daemon_may_be_replaced(struct daemon *d)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct options options;
	bool good;
	int argc = 0, err;

	if (!d->restore) {
		log_warning("SIGUSR2: this kernel has no `restore`, so that no other process can "
			    "go on with what is open: stop the service, and start it again");
		return false;
	}
	while (d->program.argv[argc])
		argc++;
	err = handover_enter(&d->program);
	if (err == 0 && access(d->program.path, X_OK) < 0)
		err = -errno;
	if (err < 0)
		log_error("SIGUSR2: cannot start %s: %s: this process goes on", d->program.path,
			  strerror(-err));
	good = err == 0 && config_new(&config) == 0 &&
	       options_parse(&options, config, argc, d->program.argv) == OPTIONS_RUN;
	handover_leave();
	if (err == 0 && !good)
		log_error("SIGUSR2: the configuration is not good: this process goes on");
	return good;
}

/* The recording is closed. What is in flight is asked for again by the next process. */
static void daemon_exec(void *arg)
{
	struct daemon *d = arg;
	int err = handover_exec(&d->program, d->device, d->name);

	log_error("cannot start %s: %s: this process goes on", d->program.path, strerror(-err));
	d->replacing = false;
	if (d->stop_wanted)
		daemon_stop(d);
	else if (d->resume_recording && d->config->trace)
		daemon_record_configured(d);
}

void daemon_replace(struct daemon *d)
{
	if (d->stopping || d->replacing || !daemon_may_be_replaced(d))
		return;
	log_info("SIGUSR2: %s goes on", d->program.path);
	d->replacing = true;
	d->resume_recording = d->recorder && recorder_stats(d->recorder).recording;
	if (d->recorder)
		recorder_stop(d->recorder, daemon_exec, d);
	else
		daemon_exec(d);
}
