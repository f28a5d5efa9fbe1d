/* SPDX-License-Identifier: MIT */
/* Whether a plan is of what is read. */
#include "daemon/prefetch/prefetch-internal.h"
#include "daemon/util/checked.h"

/* Readers who miss something are judged so many at a time. The kernel does not tell of reads that
 * find their bytes: where only one of JUDGE_PART, twice in a row, wants what the plan has or what
 * lies beside it, the plan is not of what is read. */
#define JUDGE_READS   64
#define JUDGE_PART    16
#define JUDGE_WINDOWS 2

static void judge_window(struct job *j)
{
	bool bad = j->window_fetched > 0 && j->window_met * JUDGE_PART < j->window;

	j->bad = bad ? j->bad + 1 : 0;
	j->window = j->window_met = 0;
	j->window_fetched = j->fetched;
	if (!j->wishes.plan || j->bad < JUDGE_WINDOWS)
		return;
	j->useless = true; /* not from inside the engine */
	job_kick(j);
}

void job_judge(struct job *j, struct bytes volume, struct bytes cookie, uint64_t off, uint64_t len)
{
	int64_t object = ranges_find(&j->ranges, volume, cookie);
	uint64_t end;
	bool met;

	if (object < 0)
		return;
	met = !add_u64(off, len, &end) || ranges_meet(&j->ranges, (uint32_t)object, off, end);
	j->reads++;
	j->window++;
	j->met += met;
	j->window_met += met;
	j->prefetch->stats.reads++;
	j->prefetch->stats.met += met;
	if (j->window == JUDGE_READS)
		judge_window(j);
}
