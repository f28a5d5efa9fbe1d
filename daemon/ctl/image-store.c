/* SPDX-License-Identifier: MIT */
/* Images of the store, as the commands look for them. */
#include <errno.h>
#include <string.h>

#include "daemon/ctl/image.h"
#include "daemon/ctl/mount-run.h"
#include "daemon/util/bytes.h"

int image_find(struct context *c, const char *name, struct images_image **ret)
{
	int r = c->images ? images_get(c->images, name, ret) : -ENOENT;
	char printed[256];

	if (r == 0)
		return CTL_OK;
	bytes_print(bytes_str(name), printed, sizeof(printed));
	if (r == -ENOENT)
		return ctl_error("there is no image '%s'; 'cachefillctl image ls' lists them",
				 printed);
	return ctl_error("image '%s': %s", printed, strerror(-r));
}

/* With the records locked: no mount begins, and none ends. */
static int change_unmounted(struct context *c, const struct mount_run *run, const char *name,
			    const char *what, int (*change)(void *arg), void *arg)
{
	const struct mount_record *record;
	struct mount_records records;
	int r = mount_run_list(run, &records);

	if (r < 0)
		return ctl_error("%s: %s", run->dir, strerror(-r));
	record = mount_records_find_image(&records, c->state_dir, name, NULL);
	if (record)
		r = ctl_error("image '%s' is mounted at %s, and cannot be %s before 'cachefillctl "
			      "umount %s'",
			      name, record->dir, what, record->dir);
	else
		r = change(arg);
	mount_records_end(&records);
	return r;
}

int image_unmounted(struct context *c, const char *name, const char *what, int (*change)(void *arg),
		    void *arg)
{
	struct mount_run run;
	int r = mount_run_open(&run, c->run_dir);

	if (r < 0)
		return ctl_error("%s: %s", c->run_dir, strerror(-r));
	r = mount_run_lock(&run, MOUNT_LOCK_RECORDS, NULL, false);
	if (r < 0) {
		mount_run_close(&run);
		return ctl_error("%s: %s", c->run_dir, strerror(-r));
	}
	r = change_unmounted(c, &run, name, what, change, arg);
	mount_run_unlock(&run, MOUNT_LOCK_RECORDS, NULL);
	mount_run_close(&run);
	return r;
}
