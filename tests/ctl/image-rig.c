/* SPDX-License-Identifier: MIT */
#include "tests/ctl/image-rig.h"

#include <check.h>
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/superblock.h"

#define WORDS_MAX 24

uint8_t *erofs_bytes(const struct erofs_file *file, size_t *ret_len)
{
	size_t len = (file->blocks ? file->blocks : 2) * IMAGE_BLOCK;
	uint32_t blocks =
		htole32(file->says_blocks ? file->says_blocks : (uint32_t)(len / IMAGE_BLOCK));
	uint16_t devices = htole16(file->devices);
	uint8_t *bytes = malloc(len);

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, file->seed, len);
	for (size_t i = 0; i < 1024 + 128; i++)
		bytes[i] = superblock_byte(i);
	bytes[1024 + 12] = file->block_bits ? file->block_bits : 12;
	if (file->begin)
		memcpy(bytes, file->begin, strlen(file->begin));
	memcpy(bytes + 1024 + 36, &blocks, sizeof(blocks));
	bytes[1024 + 80] = file->incompat;
	memcpy(bytes + 1024 + 86, &devices, sizeof(devices));
	*ret_len = len;
	return bytes;
}

void erofs_write(const char *path, const struct erofs_file *file)
{
	size_t len;
	uint8_t *bytes = erofs_bytes(file, &len);

	file_write(path, bytes, len);
	free(bytes);
}

void image_configure(const char *text)
{
	file_write("conf", text, strlen(text));
}

/* With the options for the store, behind the name of the command. */
static const char *const *with_options(const char *const *words)
{
	static const char *all[WORDS_MAX];
	static const char *const options[] = { "--config", "conf",	"--state-dir",
					       "state",	   "--run-dir", "run" };
	size_t n = 0;

	if (!file_exists("conf"))
		image_configure("open-deadline = 5s\nread-deadline = 5s\n");
	all[n++] = "image";
	all[n++] = words[0];
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		all[n++] = options[i];
	for (words++; *words; words++) {
		ck_assert_uint_lt(n, WORDS_MAX - 1);
		all[n++] = *words;
	}
	all[n] = NULL;
	return all;
}

struct ctl_result *image_run(const char *const *words)
{
	return ctl_run(with_options(words));
}

void image_expect(const struct ctl_result *result, int status, const char *err, const char *out)
{
	ck_assert_msg(result->status == status, "%d instead of %d: %s%s", result->status, status,
		      result->out, result->err);
	ck_assert_msg(*err ? strstr(result->err, err) != NULL : result->err[0] == '\0',
		      "no '%s' in: %s", err, result->err);
	ck_assert_msg(strstr(result->out, out) != NULL, "no '%s' in: %s", out, result->out);
}

unsigned int image_count(void)
{
	struct ctl_result *r = IMAGE("ls", "--names");

	ctl_assert_ok(r);
	ck_assert_int_eq(system("! find state -mindepth 1 ! -name 'images.db*' ! -name index "
				"2> /dev/null | grep ."),
			 0);
	return (unsigned int)ctl_lines(r->out);
}

/* ---- beside us ---------------------------------------------------------------------------- */

static _Noreturn void execute(const char *const *all)
{
	const char *argv[WORDS_MAX + 1] = { "cachefillctl" };

	for (size_t i = 0; all[i]; i++)
		argv[i + 1] = all[i];
	execv(getenv("CACHEFILLCTL"), (char *const *)argv);
	_exit(127);
}

pid_t image_start(const char *const *words)
{
	const char *const *all = with_options(words);
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		/* check(3) has a use of its own for them. */
		for (int i = 1; i < NSIG; i++)
			signal(i, SIG_DFL);
		execute(all);
	}
	return pid;
}

/* ---- a terminal --------------------------------------------------------------------------- */

char *image_run_asked(const char *const *words, const char *text)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	const char *const *all = with_options(words);
	static char out[16384];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	ck_assert_int_ge(terminal, 0);
	ck_assert_int_eq(grantpt(terminal), 0);
	ck_assert_int_eq(unlockpt(terminal), 0);
	/* It waits there until it is asked for. */
	ck_assert_int_eq(write(terminal, text, strlen(text)), (ssize_t)strlen(text));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);

		for (int fd = 0; fd < 3; fd++)
			dup2(slave, fd);
		execute(all);
	}
	/* -EIO: nobody has it open any more. */
	while (n < sizeof(out) - 1 && (got = read(terminal, out + n, sizeof(out) - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(terminal);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	return out;
}
