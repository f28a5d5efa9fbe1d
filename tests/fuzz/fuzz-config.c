/* SPDX-License-Identifier: MIT */
/*
 * config_parse() on any text: a fault names a line of the text, and what is taken is within its
 * bounds and can be resolved with.
 */
#include <errno.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/util/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake-registry.h"

static void check_error(const char *error, const uint8_t *data, size_t n)
{
	unsigned long lines = 1, line;
	char *end;

	for (size_t i = 0; i < n; i++)
		lines += data[i] == '\n';
	FUZZ_CHECK(strlen(error) < CONFIG_ERROR_MAX && strncmp(error, "F:", 2) == 0);
	line = strtoul(error + 2, &end, 10);
	FUZZ_CHECK(line >= 1 && line <= lines && strncmp(end, ": ", 2) == 0 && end[2]);
	for (; *error; error++)
		FUZZ_CHECK((uint8_t)*error >= ' ' && *error != 0x7f);
}

static void check_source(const struct config_source *s)
{
	char locator[LOCATOR_MAX];
	size_t which, at;
	const char *why;

	FUZZ_CHECK(*s->name && *s->where);
	FUZZ_CHECK(resolve_check_template(s->rule.locator, &at, &why) == 0);
	FUZZ_CHECK(s->open_deadline_ms >= 100 && s->open_deadline_ms <= 3600000);
	FUZZ_CHECK(s->read_deadline_ms >= 100 && s->read_deadline_ms <= 3600000);
	FUZZ_CHECK(s->max_requests >= 1 && s->max_requests <= 1024);
	resolve_key(&s->rule, 1, bytes_str("erofs,v"), bytes_str(".."), &which, locator);
}

static void check_config(struct config *config)
{
	char error[CONFIG_ERROR_MAX] = "";

	FUZZ_CHECK(*config->cache_dir == '/' && *config->state_dir == '/' && *config->tag);
	FUZZ_CHECK(config->buffers >= 1 << 20 && config->buffers % 4096 == 0);
	FUZZ_CHECK(config->readahead_max >= 4096 && config->readahead_max % 4096 == 0);
	if (config_finish(config, error) < 0) {
		FUZZ_CHECK(*error);
		return;
	}
	FUZZ_CHECK(config->readahead_max <= config->buffers);
	for (size_t i = 0; i < config->n_sources; i++)
		check_source(&config->sources[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config;
	int r;

	log_set_level(-1);
	FUZZ_CHECK(config_new(&config) == 0);
	r = config_parse(config, "F", (const char *)data, n, error);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0)
		check_error(error, data, n);
	else
		check_config(config);
	config_free(config);
	return 0;
}
