/* SPDX-License-Identifier: MIT */
#include "tests/lib/nginx.h"

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/replay/pattern.h"
#include "tests/lib/shell.h"
#include "tests/lib/temporary.h"

const char *nginx_missing(void)
{
	const char *old = getenv("PATH");
	char path[4096];

	if (have("nginx"))
		return NULL;
	/* Where Debian has it, also for those who are not root. */
	snprintf(path, sizeof(path), "%s:/usr/sbin", old ? old : "/usr/bin:/bin");
	setenv("PATH", path, 1);
	return have("nginx") ? NULL : "no nginx here";
}

__attribute__((format(printf, 3, 0))) static void write_config(const char *path, const char *base,
							       const char *fmt, va_list ap)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	fprintf(f,
		"daemon off; pid %1$s.pid; error_log %1$s.err; worker_processes 1;\n"
		"%2$s"
		"events { worker_connections 512; }\n"
		"http {\n"
		"client_body_temp_path %1$s.t1; proxy_temp_path %1$s.t2;\n"
		"fastcgi_temp_path %1$s.t3; uwsgi_temp_path %1$s.t4; scgi_temp_path %1$s.t5;\n",
		base, geteuid() == 0 ? "user root;\n" : "");
	vfprintf(f, fmt, ap);
	fputs("}\n", f);
	fclose(f);
}

pid_t nginx_start(const char *dir, const char *name, const char *fmt, ...)
{
	char base[TEMPORARY_MAX + 32], conf[sizeof(base) + 8];
	va_list ap;
	pid_t pid;

	ck_assert_int_lt(snprintf(base, sizeof(base), "%s/%s", dir, name), (int)sizeof(base));
	snprintf(conf, sizeof(conf), "%s.conf", base);
	va_start(ap, fmt);
	write_config(conf, base, fmt, ap);
	va_end(ap);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	/* Not to outlive a test that dies. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execlp("nginx", "nginx", "-c", conf, "-e", "/dev/null", (char *)NULL);
	_exit(127);
}

void nginx_stop(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

void nginx_put(const char *dir, const char *name, uint64_t size, unsigned int version)
{
	char path[TEMPORARY_MAX + 16];
	char *bytes = malloc(size + 1);
	FILE *f;

	snprintf(path, sizeof(path), "%s/new", dir);
	pattern_fill(bytes, size, pattern_key(name) + version, 0);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
	fclose(f);
	free(bytes);
	sh("touch -d @%u %s && mv %s %s/www/%s", 1700000000 + version, path, path, dir, name);
}
