/* SPDX-License-Identifier: MIT */
#include "fetchers/front.h"

static struct fetcher *next_of(struct fetcher *fetcher)
{
	return container_of(fetcher, struct fetch_front, base)->next;
}

static void front_list(struct fetcher *fetcher, struct fetch_list *list)
{
	next_of(fetcher)->ops->list(next_of(fetcher), list);
}

static void front_cancel_list(struct fetcher *fetcher, struct fetch_list *list)
{
	next_of(fetcher)->ops->cancel_list(next_of(fetcher), list);
}

static void front_put(struct fetcher *fetcher, struct fetch_put *put)
{
	next_of(fetcher)->ops->put(next_of(fetcher), put);
}

static void front_cancel_put(struct fetcher *fetcher, struct fetch_put *put)
{
	next_of(fetcher)->ops->cancel_put(next_of(fetcher), put);
}

void fetch_front_init(struct fetch_front *front, const struct fetcher_ops *ops,
		      struct fetcher *next)
{
	front->base.ops = &front->ops;
	front->base.source = next->source;
	front->ops = *ops;
	front->next = next;
	if (next->ops->list) {
		front->ops.list = front_list;
		front->ops.cancel_list = front_cancel_list;
	}
	if (next->ops->put) {
		front->ops.put = front_put;
		front->ops.cancel_put = front_cancel_put;
	}
}
