/* SPDX-License-Identifier: MIT */
#include "daemon/watchdog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/util/log.h"

/* Deadlines are kept by timers, which may be late by a turn or two. */
#define GRACE (5 * NSEC_PER_SEC)

static uint64_t read_number(const char *name)
{
	const char *text = getenv(name);
	unsigned long long n;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : 0;
}

/* ns; 0: it is not wanted, or of another process. */
static uint64_t wanted(void)
{
	uint64_t usec = read_number("WATCHDOG_USEC");

	if (getenv("WATCHDOG_PID") && read_number("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return usec <= UINT64_MAX / 1000 ? usec * 1000 : 0;
}

static void complain(struct watchdog *w, const struct engine_waiting *oldest, uint64_t now)
{
	const struct log_subject subject = { oldest->volume, oldest->cookie, oldest->source };
	char v[512], c[512], why[256];

	if (w->silent)
		return;
	w->silent = true;
	engine_waiting_print(oldest, now, why, sizeof(why));
	log_about(LOG_ERR, &subject,
		  "%s/%s: a request is overdue by %.1f s, and the service manager is told nothing "
		  "until it is answered: %s",
		  bytes_print(oldest->volume, v, sizeof(v)),
		  bytes_print(oldest->cookie, c, sizeof(c)), (double)(now - oldest->due) / 1e9,
		  why);
}

static void watchdog_fire(struct loop_timer *timer)
{
	struct watchdog *w = container_of(timer, struct watchdog, timer);
	uint64_t now = loop_now(w->loop);
	struct engine_waiting oldest;

	if (engine_oldest(w->engine, &oldest) && now > oldest.due + GRACE) {
		complain(w, &oldest, now);
	} else {
		w->silent = false;
		notify_alive();
	}
	loop_timer_set(w->loop, timer, now + w->every);
}

int watchdog_start(struct watchdog *w, struct loop *loop, const struct engine *engine)
{
	*w = (struct watchdog){
		.loop = loop,
		.engine = engine,
		.timer = { .fire = watchdog_fire },
		.every = wanted() / 2,
	};
	return w->every ? loop_timer_set(loop, &w->timer, loop_now(loop)) : 0;
}

void watchdog_stop(struct watchdog *w)
{
	loop_timer_cancel(&w->timer);
}
