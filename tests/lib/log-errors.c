/* SPDX-License-Identifier: MIT */
#include "tests/lib/log-errors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/util/log.h"

static int log_fd, saved_fd;
static char text[8192];

void listen_to_errors(void)
{
	saved_fd = dup(STDERR_FILENO);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	dup2(log_fd, STDERR_FILENO);
	log_set_level(LOG_ERR);
}

void end_listening(void)
{
	ssize_t n;

	dup2(saved_fd, STDERR_FILENO);
	log_set_level(LOG_CRIT);
	n = pread(log_fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(saved_fd);
	close(log_fd);
}

unsigned int count_of(const char *in, const char *what)
{
	unsigned int n = 0;

	for (; (in = strstr(in, what)); in++)
		n++;
	return n;
}

unsigned int heard(const char *what)
{
	return count_of(text, what);
}
