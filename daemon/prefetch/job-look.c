/* SPDX-License-Identifier: MIT */
/* How a job does. */
#include "daemon/prefetch/prefetch-internal.h"
#include "daemon/util/checked.h"

/* Behind its place is nothing but what is under way, or was passed over. */
uint64_t job_done_bytes(const struct job *j)
{
	const struct ranges *r = &j->ranges;
	uint64_t reached =
		j->place.at < r->n ? r->list[j->place.at].before + j->place.off : r->bytes;
	uint64_t missing = j->skipped;

	for (size_t i = 0; i < PREFETCH_REQUESTS_MAX; i++)
		if (j->fetches[i].runs)
			missing += j->fetches[i].work.len;
	return reached > missing ? reached - missing : 0;
}

static enum prefetch_state state_of(const struct job *j)
{
	unsigned int waiting = 0;

	if (prefetch_has_ended(j->state))
		return j->state;
	if (j->wait == JOB_WAITS_DISK)
		return PREFETCH_LOW_DISK;
	if (j->wait == JOB_WAITS_RETRY)
		return PREFETCH_RETRYING;
	if (j->wait == JOB_WAITS_OPEN)
		return PREFETCH_UNOPENED;
	for (size_t i = 0; i < PREFETCH_REQUESTS_MAX; i++)
		waiting += j->fetches[i].runs && engine_prefetch_waits(&j->fetches[i].work);
	return waiting > 0 && waiting == j->running ? PREFETCH_PAUSED : PREFETCH_RUNNING;
}

void job_look(const struct job *j, struct prefetch_view *ret)
{
	bool ended = prefetch_has_ended(j->state);
	/* It stands at the first place that it passed over, and has been everywhere. */
	bool turned = j->wait == JOB_WAITS_OPEN || j->wait == JOB_WAITS_SOON;

	*ret = (struct prefetch_view){
		.number = j->number,
		.name = j->name,
		.state = state_of(j),
		.rate = j->wishes.rate,
		.requests = j->wishes.requests,
		.running = j->running,
		.plan = j->wishes.plan,
		.known = ended ? j->bytes > 0 : ranges_known(&j->ranges),
		.bytes = ended ? j->bytes : j->ranges.bytes,
		.fetched = j->fetched,
		.ranges = ended ? j->n_ranges : j->ranges.n,
		.objects = ended ? j->n_objects : j->ranges.n_objects,
		.err = j->err,
		.error = j->error,
		.age = job_now(j) - j->began,
		.took = ended ? j->ended - j->began : 0,
		.reads = j->reads,
		.met = j->met,
	};
	if (ret->known)
		ret->done = ended || turned ? j->done : min_u64(job_done_bytes(j), ret->bytes);
}
