/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "daemon/ctl/daemon-top.h"

#define ROWS_DEFAULT 24
#define ROWS_AROUND  6 /* title, rates and keys, with blank lines between them */
#define ROWS_MIN     2

static struct termios before;
static bool keys; /* they come as they are pressed, and `before` is to come back */

/* Ctrl-C is one of them, and Ctrl-Z is none: it would leave the terminal as it is here. */
static void take_keys(void)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* The other screen, without a cursor, where what is too long is cut. */
void top_terminal_begin(void)
{
	take_keys();
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
}

void top_terminal_end(void)
{
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	keys = false;
}

static unsigned int rows(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row
									       : ROWS_DEFAULT;
}

unsigned int top_terminal_rows(void)
{
	return rows() > ROWS_AROUND + ROWS_MIN ? rows() - ROWS_AROUND : ROWS_MIN;
}

static void put_keys(const struct top_view *view)
{
	for (size_t i = 0; i < TOP_VIEWS; i++)
		printf(&top_views[i] == view ? "[%zu %s] " : " %zu %s  ", i + 1, top_views[i].name);
	fputs("  Tab next   q quit\033[K", stdout);
}

/* Each line is drawn over the one before, so that nothing flickers. */
void top_terminal_draw(const char *text, const struct top_view *view)
{
	unsigned int last = rows();

	fputs("\033[H", stdout);
	for (unsigned int row = 1; row < last && *text; row++) {
		size_t n = strcspn(text, "\n");

		printf("\033[K%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
	printf("\033[J\033[%u;1H", last);
	put_keys(view);
	fflush(stdout);
}

static int wait_for(uint64_t ns)
{
	struct pollfd fd = { .fd = keys ? STDIN_FILENO : -1, .events = POLLIN };
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000),
			       .tv_nsec = (long)(ns % 1000000000) };

	return ppoll(&fd, 1, &ts, NULL);
}

int top_terminal_key(uint64_t ns)
{
	unsigned char key;
	ssize_t n;

	if (wait_for(ns) <= 0)
		return TOP_KEY_NONE;
	n = read(STDIN_FILENO, &key, 1);
	if (n == 1)
		return key;
	return n < 0 && errno == EINTR ? TOP_KEY_NONE : TOP_KEY_END;
}
