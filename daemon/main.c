/* SPDX-License-Identifier: MIT */
/*
 * The composition root: the one place that names every concrete type, and wires them together.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/kernel/startup.h"
#include "daemon/main.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "daemon/util/resident.h"

/* ---- end ---------------------------------------------------------------------------------- */

static void daemon_recorded(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop);
}

/* The last answer has been given, and the device is closed. */
static void daemon_stopped(void *arg)
{
	struct daemon *d = arg;

	if (d->recorder)
		recorder_stop(d->recorder, daemon_recorded, d);
	else
		loop_stop(d->loop);
}

/*
 * Where somebody keeps the device, nothing is answered: whoever waits for us waits for the next
 * daemon, or fails when the device is closed for good. We serve until the recording is written.
 */
void daemon_stop(struct daemon *d)
{
	if (d->replacing)
		d->stop_wanted = true;
	if (d->stopping || d->replacing)
		return;
	d->stopping = true;
	watchdog_stop(&d->watchdog);
	notify_stopping();
	prefetch_stop(d->prefetch);
	audit_stop(d->audit);
	space_stop(d->space);
	if (d->kept)
		daemon_stopped(d);
	else
		frontend_stop(d->frontend, daemon_stopped, d);
}

static void daemon_signalled(struct loop_signal *sig, int signo)
{
	struct daemon *d = container_of(sig, struct daemon, signals);

	if (signo == SIGUSR1) {
		daemon_toggle_recording(d);
	} else if (signo == SIGHUP || signo == SIGUSR2) {
		daemon_replace(d, signo == SIGHUP ? "SIGHUP" : "SIGUSR2");
	} else {
		log_info("%s: stopping%s", strsignal(signo),
			 d->kept ? "; the device is left to whoever keeps it" : "");
		daemon_stop(d);
	}
}

static void daemon_lost(void *arg, const char *why)
{
	struct daemon *d = arg;

	log_error("%s", why);
	d->status = EXIT_FAILURE;
	/* Nobody can do anything with it any more, and it is in the way of a new one. */
	if (d->kept)
		notify_unstore(d->name);
	d->kept = false;
	daemon_stop(d);
}

static void daemon_report(const struct daemon *d)
{
	struct engine_stats s = engine_stats(d->engine);

	log_info("served %llu opens (%llu failed) and %llu reads (%llu failed) of %llu bytes; "
		 "fetched %llu bytes in %llu requests and %llu looks, stored %llu bytes",
		 (unsigned long long)s.opens, (unsigned long long)s.opens_failed,
		 (unsigned long long)s.demands, (unsigned long long)s.demands_failed,
		 (unsigned long long)s.demand_bytes, (unsigned long long)s.fetch_bytes,
		 (unsigned long long)s.fetches, (unsigned long long)s.looks,
		 (unsigned long long)s.stored_bytes);
}

static void daemon_free(struct daemon *d)
{
	d->control = control_free(d->control);
	frontend_free(d->frontend);
	prefetch_free(d->prefetch);
	audit_free(d->audit);
	space_free(d->space);
	engine_free(d->engine);
	if (d->recorder && recorder_stats(d->recorder).recording) {
		/* It did not come to a start. */
		recorder_stop(d->recorder, daemon_recorded, d);
		loop_run(d->loop);
	}
	recorder_free(d->recorder);
	d->host.notes = NULL;
	image_catalog_free(d->images);
	origins_free(d->origins);
	free(d->sources);
	state_close(d->state);
	if (d->loop) {
		loop_signal_remove(&d->signals);
		loop_free(d->loop);
	}
	close_fdp(&d->cache_dir_fd);
}

/* ---- beginning ---------------------------------------------------------------------------- */

static int daemon_make_loop(struct daemon *d)
{
	static const int signos[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	int err = d->options.poll_loop ? -ENOSYS : loop_new(&d->loop, LOOP_URING);

	if (err < 0 && !d->options.poll_loop)
		log_warning("io_uring is not available (%s): slower system calls are used",
			    strerror(-err));
	if (err < 0)
		err = loop_new(&d->loop, LOOP_POLL);
	if (err < 0)
		return err;
	d->signals.caught = daemon_signalled;
	err = loop_signal_add(d->loop, &d->signals, signos, sizeof(signos) / sizeof(signos[0]));
	if (err < 0)
		d->loop = loop_free(d->loop);
	else
		loop_set_host(d->loop, &d->host);
	return err;
}

/*
 * While there is nothing that a child could inherit. A predecessor without helpers has left its
 * filter of system calls: what is mounted is served all the same.
 */
static int daemon_start_helpers(struct daemon *d)
{
	int err = d->config->credential_helpers
			  ? credential_agent_start(&d->host.credentials, privileges_drop)
			  : 0;

	if (err == -ENOSYS) {
		log_error("credential helpers are not run, since the process before this one did "
			  "not want any, and is confined (seccomp): restart the service");
		return 0;
	}
	if (err < 0)
		log_error("cannot start the process that runs credential helpers: %s",
			  strerror(-err));
	return err;
}

static int daemon_make_source(struct daemon *d, size_t i)
{
	char error[ORIGINS_ERROR_MAX];
	struct origin origin;
	int err = origins_get(d->origins, i, &origin, error);

	if (err < 0)
		log_error("%s", error);
	else
		d->sources[i] = image_catalog_source(&origin);
	return err;
}

static int daemon_make_sources(struct daemon *d)
{
	const struct config *c = d->config;
	int err = origins_new(&d->origins, d->loop, c);

	d->sources = calloc(c->n_sources + 1, sizeof(*d->sources));
	if (!d->sources)
		return -ENOMEM;
	for (size_t i = 0; err == 0 && i < c->n_sources; i++)
		err = daemon_make_source(d, i);
	if (err == 0)
		err = image_catalog_new(&d->images, c->state_dir, c->image_domain, d->origins);
	if (err == 0)
		d->host.notes = image_catalog_notes(d->images);
	return err;
}

static int daemon_make_space(struct daemon *d)
{
	const struct config *c = d->config;
	struct space_config config = {
		.loop = d->loop,
		.limits = { .kernel = c->limits, .size = c->size_limit },
		.cache_dir = c->cache_dir,
		.state_dir = c->state_dir,
		.image_domain = c->image_domain,
	};

	return space_new(&d->space, &config);
}

static int daemon_make_engine(struct daemon *d)
{
	const struct config *c = d->config;
	bool may_record = c->trace || strcmp(c->control_socket, "none") != 0;
	int err = may_record ? recorder_new(&d->recorder, d->loop) : 0;

	if (err == 0)
		err = daemon_make_sources(d);
	if (err == 0)
		err = daemon_make_space(d);
	if (err == 0)
		err = audit_new(&d->audit, d->loop, d->state);
	if (err < 0)
		return err;
	d->engine_config = (struct engine_config){
		.loop = d->loop,
		.state = d->state,
		.sources = d->sources,
		.n_sources = c->n_sources,
		.n_spare = IMAGE_CATALOG_SPARE,
		.catalog = image_catalog_of(d->images),
		.buffers = c->buffers,
		.readahead_max = c->readahead_max,
		.names_max = c->names_max,
		.slow_request = c->slow_request_ms * NSEC_PER_MSEC,
		.observer = d->recorder ? recorder_observer(d->recorder) : NULL,
		.room = space_room(d->space),
	};
	return engine_new(&d->engine, &d->engine_config);
}

/* Readers need none of it. */
static void daemon_make_prefetch(struct daemon *d)
{
	const struct prefetch_config config = {
		.loop = d->loop,
		.engine = d->engine,
		.dir = d->config->state_dir,
		.rate = d->config->prefetch_rate,
		.requests = d->config->prefetch_requests,
	};

	if (prefetch_new(&d->prefetch, &config) < 0)
		log_error("out of memory: nothing can be prefetched");
}

/* Before the capabilities go: the directory of the file may belong to somebody else. */
static int daemon_tap(struct daemon *d, struct port **port)
{
	int err = d->recorder ? recorder_port(d->recorder, port, *port) : 0;

	if (err < 0)
		log_error("cannot record: %s", strerror(-err));
	else if (d->config->trace)
		err = daemon_record_configured(d);
	return err;
}

static int daemon_serve(struct daemon *d, struct frontend_config *config)
{
	int err = d->cache_dir_fd < 0 ? -ENOENT : state_claim(d->state, d->cache_dir_fd);

	config->cache_dir_fd = d->cache_dir_fd;
	daemon_make_prefetch(d);
	daemon_control(d); /* while it can still be given to a group */
	if (err == 0)
		err = privileges_drop();
	if (err == 0)
		err = frontend_new(&d->frontend, config);
	if (err < 0) {
		log_error("cannot start: %s", strerror(-err));
		return err;
	}
	space_start(d->space, d->engine, d->port, d->cache_dir_fd);
	audit_start(d->audit, d->engine, d->space, d->cache_dir_fd);
	return 0;
}

/*
 * Before the first mount: from here on a crash of ours is nothing but a pause for readers. Whoever
 * gave it to us has a copy already, and might have no room for another.
 */
static void daemon_leave_copy(struct daemon *d, bool inherited)
{
	int err = inherited ? 0 : notify_store(d->device, d->name);

	d->kept = err == 0 && getenv("NOTIFY_SOCKET");
	if (err < 0 && err != -EPIPE)
		log_warning("the service manager does not keep the device (%s): mounts do not "
			    "survive a restart of the daemon",
			    strerror(-err));
}

/*
 * A device that is bound to another directory: what is to be dropped would be looked for in the
 * wrong place. To let it go would fail all that is mounted.
 */
static bool daemon_fits(const struct daemon *d)
{
	if (strchr(d->inherited.name, '-') == NULL || strcmp(d->inherited.name, d->name) == 0)
		return true;
	log_error("the device that was passed on is bound to another directory than %s: set `dir` "
		  "to what it was, or unmount all images and stop the service before it is started "
		  "with this one",
		  d->config->cache_dir);
	return false;
}

/* The device of the daemon before us, or else a new one. */
static enum startup_status daemon_device(struct daemon *d, const struct startup_config *startup,
					 struct frontend_config *config, char *error)
{
	enum startup_status status;

	if (d->inherited.device >= 0) {
		status = startup_adopt(&config->port, steal_fd(&d->inherited.device), startup,
				       error);
		config->restore = config->take_over = true;
		if (status == STARTUP_OK)
			return status;
		log_error("%s What is mounted has to be unmounted, and mounted again.", error);
		notify_unstore(d->inherited.name);
	}
	config->take_over = false;
	return startup_bind(&config->port, &config->restore, startup, error);
}

static int daemon_open_cache_dir(struct daemon *d)
{
	int err;

	d->cache_dir_fd = open(d->config->cache_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = d->cache_dir_fd < 0 ? -errno : handover_name(d->name, d->cache_dir_fd);
	return err;
}

/* Binds, and drops what only binding needs; from here on the kernel's requests arrive. */
static int daemon_bind(struct daemon *d, const struct startup_config *startup)
{
	struct frontend_config config = {
		.loop = d->loop,
		.engine = d->engine,
		.lost = daemon_lost,
		.arg = d,
	};
	enum startup_status status;
	char error[STARTUP_ERROR_MAX];
	bool found = daemon_open_cache_dir(d) == 0;

	if (d->inherited.device >= 0 && !daemon_fits(d))
		return EXIT_FAILURE;
	status = daemon_device(d, startup, &config, error);
	if (status != STARTUP_OK) {
		log_error("%s", error);
		return (int)status;
	}
	d->device = config.port->fd;
	d->restore = config.restore;
	if (!d->restore)
		log_warning("this kernel has no `restore`: mounts do not survive a restart of the "
			    "daemon (6.8 and late 6.1.y and 6.6.y have it)");
	else if (found)
		daemon_leave_copy(d, config.take_over);
	d->port = config.port;
	if (daemon_tap(d, &config.port) < 0 || daemon_serve(d, &config) < 0) {
		config.port->ops->free(config.port);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int daemon_start(struct daemon *d, const struct startup_config *startup)
{
	int err = daemon_make_loop(d);

	if (err == 0)
		err = state_open(&d->state, d->config->state_dir);
	if (err == 0)
		err = daemon_make_engine(d);
	if (err < 0) {
		log_error("cannot start: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	return daemon_bind(d, startup);
}

/* All that is open and in flight is the next daemon's: the kernel closes our descriptors, and the
 * device lives on in its copy. */
static _Noreturn void daemon_leave(struct daemon *d)
{
	state_close(d->state);
	_exit(d->status);
}

/* Whoever goes on after us has the filter from the start, and has to fork for the helpers. */
static void daemon_confine(const struct daemon *d)
{
	if (d->host.credentials && d->config->seccomp != SYSCALL_FILTER_NO)
		log_info("no filter of system calls: credential helpers are run");
	else
		privileges_confine(d->config->seccomp);
}

static int daemon_run(struct daemon *d, const struct startup_config *startup)
{
	int err, status = daemon_start(d, startup);

	if (status != EXIT_SUCCESS)
		return status;
	log_info("serving %s from %zu source%s, and images in domain %s", startup->cache_dir,
		 d->config->n_sources, d->config->n_sources == 1 ? "" : "s",
		 d->config->image_domain);
	daemon_confine(d);
	resident_forget_start();
	notify_ready(d->options.notify_fd);
	if (watchdog_start(&d->watchdog, d->loop, d->engine) < 0)
		log_error("the watchdog cannot be told of: %s", strerror(ENOMEM));
	err = loop_run(d->loop);
	if (err < 0) {
		log_error("the event loop failed: %s", strerror(-err));
		/* Nothing can be unwound without a loop; the kernel fails what is open. */
		_exit(EXIT_FAILURE);
	}
	daemon_report(d);
	if (d->kept)
		daemon_leave(d);
	return d->status;
}

static void daemon_forget_program(struct daemon *d)
{
	handover_program_clear(&d->program);
}

int main(int argc, char *argv[])
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(daemon_forget_program) struct daemon d = { .cache_dir_fd = -1 };
	struct startup_config startup;
	enum options_action action;
	int status;

	handover_take(&d.inherited);
	if (handover_program(&d.program, argv) < 0 || config_new(&config) < 0) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	action = options_parse(&d.options, config, argc, argv);
	if (action == OPTIONS_EXIT_OK)
		return EXIT_SUCCESS;
	/* Not 2, after which nobody would try again: readers wait until it is mended. */
	if (action == OPTIONS_EXIT_USAGE)
		return d.inherited.device >= 0 ? EXIT_FAILURE : 2;
	log_set_level(config->log_level);
	d.config = config;
	startup = (struct startup_config){
		.device = config->device,
		.cache_dir = config->cache_dir,
		.tag = config->tag,
		.secctx = config->secctx,
		.limits = config->limits,
	};
	if (action == OPTIONS_PROBE)
		return (int)startup_probe(&startup);

	signal(SIGPIPE, SIG_IGN);
	setenv(OPTIONS_SUCCESSOR, "1", 1);
	if (d.options.keeper) {
		config = config_free(config);
		return keeper_run(&d.program, d.options.notify_fd);
	}
	umask(077);
	privileges_hide();
	privileges_raise_nofile();
	/* Not where somebody may mount, or unmount, what we serve. */
	handover_leave();
	/* The process before us, which we are, may have left the one that ran its helpers. */
	credential_agent_disown();
	if (daemon_start_helpers(&d) < 0)
		return EXIT_FAILURE;
	status = daemon_run(&d, &startup);
	daemon_free(&d);
	credential_agent_free(d.host.credentials);
	return status;
}
