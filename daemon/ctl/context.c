/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/context.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "daemon/util/log.h"
#include "fetchers/credential-agent.h"

bool context_option(struct context *c, int opt)
{
	switch (opt) {
	case CONTEXT_OPT_CONFIG:
		c->config_file = optarg;
		return true;
	case CONTEXT_OPT_STATE_DIR:
		c->state_dir_option = optarg;
		return true;
	case CONTEXT_OPT_RUN_DIR:
		c->run_dir = optarg;
		return true;
	case CONTEXT_OPT_JSON:
		c->json = true;
		return true;
	case CONTEXT_OPT_NO_VERITY:
		c->no_verity = true;
		return true;
	case CONTEXT_OPT_NO_REFERRERS:
		c->no_referrers = true;
		return true;
	default:
		return false;
	}
}

/* As an option is meant: from where we are. Owned by the caller; NULL: no memory. */
static char *absolute(const char *path)
{
	_cleanup_free_ char *here = *path == '/' ? NULL : getcwd(NULL, 0);
	char *text = NULL;

	if (*path == '/')
		return strdup(path);
	return here && asprintf(&text, "%s/%s", here, path) >= 0 ? text : NULL;
}

static int set_state_dir(struct context *c, char *error)
{
	_cleanup_free_ char *path = NULL;

	if (!c->state_dir_option)
		return 0;
	path = absolute(c->state_dir_option);
	if (path && *c->state_dir_option)
		return config_set(c->config, "state-dir", path, error);
	snprintf(error, CONFIG_ERROR_MAX, "--state-dir '%s': %s", c->state_dir_option,
		 strerror(path ? EINVAL : errno));
	return -EINVAL;
}

int context_load(struct context *c, char *error)
{
	int r;

	log_set_level(LOG_WARNING);
	if (c->config)
		return 0;
	snprintf(error, CONFIG_ERROR_MAX, "out of memory");
	r = config_new(&c->config);
	if (r == 0) {
		r = config_load(c->config, c->config_file ?: CACHEFILLD_CONF, error);
		if (r == -ENOENT && !c->config_file)
			r = 0;
	}
	if (r == 0)
		r = set_state_dir(c, error);
	if (r == 0)
		r = config_finish(c->config, error);
	if (r < 0)
		c->config = config_free(c->config);
	else
		c->state_dir = c->config->state_dir;
	return r;
}

static int open_store(struct context *c, unsigned int needs)
{
	char error[IMAGES_ERROR_MAX] = "out of memory";
	int r = images_open(&c->images, c->state_dir,
			    needs & CONTEXT_WRITE ? IMAGES_WRITE : IMAGES_READ, error);

	if (r == -ENOENT && !(needs & CONTEXT_WRITE))
		return CTL_OK;
	return r < 0 ? ctl_error("%s", error) : CTL_OK;
}

static_assert((int)FETCH_NOTE_MAX == (int)IMAGES_HINT_MAX, "a note is kept as a hint");

static bool recall(struct fetch_notes *notes, const char *name, char ret[FETCH_NOTE_MAX])
{
	const struct context *c = container_of(notes, struct context, notes);

	return images_recall(c->images, name, ret) == 0;
}

/* Nobody needs it: what goes wrong has been logged. */
static void remember(struct fetch_notes *notes, const char *name, const char *text)
{
	const struct context *c = container_of(notes, struct context, notes);

	(void)images_remember(c->images, name, text);
}

static int open_origins(struct context *c, bool writes)
{
	/* Without io_uring, which a command that mostly waits does not miss. */
	int r = loop_new(&c->loop, LOOP_POLL);

	c->notes = (struct fetch_notes){ recall, writes ? remember : NULL };
	c->host.notes = c->images ? &c->notes : NULL;
	if (r == 0)
		loop_set_host(c->loop, &c->host);
	if (r == 0)
		r = origins_new(&c->origins, c->loop, c->config);
	return r < 0 ? ctl_error("%s", strerror(-r)) : CTL_OK;
}

int context_open(struct context *c, unsigned int needs)
{
	char error[CONFIG_ERROR_MAX];
	int status = context_load(c, error) < 0 ? ctl_error("%s", error) : CTL_OK;

	/* A tool may start programs; but not once it has opened something. */
	if (status == CTL_OK && (needs & CONTEXT_ORIGINS) &&
	    credential_agent_start(&c->host.credentials, NULL) < 0)
		return ctl_error("cannot start a process: %s", strerror(errno));
	if (status == CTL_OK && (needs & (CONTEXT_READ | CONTEXT_WRITE)))
		status = open_store(c, needs);
	if (status == CTL_OK && (needs & CONTEXT_ORIGINS))
		status = open_origins(c, needs & CONTEXT_WRITE);
	return status;
}

void context_close(struct context *c)
{
	c->origins = origins_free(c->origins);
	c->loop = loop_free(c->loop);
	c->host.credentials = credential_agent_free(c->host.credentials);
	c->host.notes = NULL;
	c->images = images_close(c->images);
	c->config = config_free(c->config);
	c->state_dir = NULL;
	close_fdp(&c->index_fd);
	c->index_fd = -1;
}
