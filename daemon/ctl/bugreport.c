/* SPDX-License-Identifier: MIT */
#include "daemon/ctl/bugreport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/apart.h"
#include "daemon/util/cleanup.h"

enum { OPT_ANONYMISE = 256, OPT_SOCKET };

static const struct option options[] = {
	{ "anonymise", no_argument, NULL, OPT_ANONYMISE },
	{ "output", required_argument, NULL, 'o' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	CONTEXT_OPTIONS,
	{ NULL },
};

static const struct ctl_syntax syntax = {
	"cachefillctl bugreport",
	"ho:",
	options,
	"Usage: cachefillctl bugreport [OPTION]...\n"
	"\n"
	"Writes what others need to see of this host into one tar archive: versions, what\n"
	"`doctor` says, what the daemon does, the configuration and the end of the log,\n"
	"without passwords and tokens. Works also while mounts hang. Look at it before\n"
	"you give it away.\n"
	"\n"
	"      --anonymise        also without names of images, objects, sources and places,\n"
	"                         and without the log\n"
	"  -o, --output FILE      write there (cachefilld-bugreport-TIME.tar)\n"
	"      --socket PATH      where the daemon listens (control-socket in\n"
	"                         cachefilld.conf)\n" CONTEXT_HELP "\n"
	"See cachefillctl-doctor(1).\n",
};

/* What becomes of names. */
enum names { NONE_THERE, IN_JSON, IN_LABELS, ANYWHERE };

struct part {
	const char *file;
	int (*run)(void *report);
	unsigned int seconds;
	enum names names;
};

static const struct part parts[] = {
	{ "version.txt", report_version, 5, NONE_THERE },
	{ "probe.txt", report_probe, 15, NONE_THERE },
	{ "doctor.json", report_doctor, 40, IN_JSON },
	{ "status.json", report_status, 10, IN_JSON },
	{ "objects.json", report_objects, 10, IN_JSON },
	{ "origins.json", report_origins, 10, IN_JSON },
	{ "flights.json", report_flights, 10, IN_JSON },
	{ "metrics.txt", report_metrics, 10, IN_LABELS },
	{ "config.json", report_config, 5, IN_JSON },
	{ "log.txt", report_log, 20, ANYWHERE },
};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static char *without_names(const struct part *part, struct apart *apart, json_t *known)
{
	switch (part->names) {
	case IN_JSON:
		return report_names_json(known, apart->out);
	case IN_LABELS:
		return report_names_metrics(known, apart->out);
	case NONE_THERE:
		return steal(&apart->out);
	case ANYWHERE:
		break;
	}
	return strdup("");
}

static int add_part(struct report_tar *tar, const struct report *report, const struct part *part,
		    struct apart *apart, json_t *known)
{
	_cleanup_free_ char *changed = NULL;

	if (!apart->out)
		return ctl_error("out of memory");
	if (!report->anonymous)
		return report_tar_add(tar, part->file, apart->out, apart->n_out);
	changed = without_names(part, apart, known);
	if (!changed)
		return ctl_error("out of memory");
	return *changed ? report_tar_add(tar, part->file, changed, strlen(changed)) : CTL_OK;
}

/* A line for each part that has not come to a good end; nothing is printed, since much may be wrong
 * where this is needed. */
static void note_trouble(FILE *trouble, const struct report *report, const struct part *part,
			 const struct apart *apart)
{
	if (apart->status == 0)
		return;
	fprintf(trouble, "%s: ", part->file);
	if (apart->status == -ETIMEDOUT)
		fprintf(trouble, "no end within %u s\n", part->seconds);
	else if (apart->status < 0)
		fprintf(trouble, "%s\n", strerror(-apart->status));
	else
		fprintf(trouble, "status %d\n", apart->status);
	if (apart->err && !report->anonymous)
		fputs(apart->err, trouble);
}

static int collect(struct report_tar *tar, struct report *report, FILE *trouble)
{
	struct apart aparts[N_PARTS];
	json_t *known = json_object();
	int status = CTL_OK;

	for (size_t i = 0; i < N_PARTS; i++) {
		aparts[i] = (struct apart){ parts[i].run, report, parts[i].seconds };
		apart_start(&aparts[i]);
	}
	for (size_t i = 0; i < N_PARTS; i++) {
		apart_wait(&aparts[i]);
		note_trouble(trouble, report, &parts[i], &aparts[i]);
		if (status == CTL_OK)
			status = add_part(tar, report, &parts[i], &aparts[i], known);
		apart_end(&aparts[i]);
	}
	json_decref(known);
	return status;
}

static int write_report(struct report *report, const char *path)
{
	_cleanup_free_ char *text = NULL;
	struct report_tar *tar;
	size_t n = 0;
	FILE *trouble;
	int status = report_tar_begin(&tar, path);

	if (status != CTL_OK)
		return status;
	trouble = open_memstream(&text, &n);
	status = trouble ? collect(tar, report, trouble) : ctl_error("out of memory");
	if (trouble && fclose(trouble) != 0 && status == CTL_OK)
		status = ctl_error("out of memory");
	if (status == CTL_OK && n > 0)
		status = report_tar_add(tar, "trouble.txt", text, n);
	return report_tar_end(tar, status == CTL_OK);
}

static void name_by_time(char path[64])
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(path, 64, "cachefilld-bugreport-%Y%m%d-%H%M%S.tar", &tm);
}

int ctl_bugreport(int argc, char *argv[])
{
	struct report report = { .context = CONTEXT_INIT };
	const char *path = NULL;
	char by_time[64];
	int opt, status;

	while ((opt = ctl_getopt(&syntax, argc, argv, &status)) != CTL_OPTIONS_END) {
		if (opt == CTL_OPTIONS_EXIT)
			return status;
		if (opt == 'o')
			path = optarg;
		else if (opt == OPT_ANONYMISE)
			report.anonymous = true;
		else if (opt == OPT_SOCKET)
			report.socket = optarg;
		else
			context_option(&report.context, opt);
	}
	if (argc != optind)
		return ctl_usage(syntax.command, "takes no arguments");
	name_by_time(by_time);
	path = path ?: by_time;
	status = write_report(&report, path);
	if (status == CTL_OK && strcmp(path, "-") != 0)
		puts(path);
	return status;
}
