/* SPDX-License-Identifier: MIT */
/* For a daemon that was built without a control socket. */
#include <errno.h>
#include <stdio.h>

#include "daemon/control/control.h"

int control_new(struct control **ret, const struct control_config *config)
{
	*ret = NULL;
	return 0;
}

struct control *control_free(struct control *control)
{
	return NULL;
}

int control_listen(struct control *control, const char *path, const char *group, char *error)
{
	snprintf(error, CONTROL_ERROR_MAX, "%s: this daemon was built without a control socket",
		 path);
	return -EOPNOTSUPP;
}

int control_adopt(struct control *control, int fd)
{
	return -EOPNOTSUPP;
}
