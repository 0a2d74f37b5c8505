/*
 * The queues that a node serves: parsed from the option, and the order in
 * which one turn asks their lists.
 */
#include <string.h>

#include "worker/node.h"

#define STARVE_TURN 16

enum ct_rc
ct_queues_parse(struct ct_queues *q, struct ct_arena *a, const char *text,
    struct ct_err *err)
{
	struct ct_str rest = ct_str_of(text), part, name;
	struct ct_queue_row *row;
	int step;

	*q = (struct ct_queues){0};
	while (rest.p != NULL) {
		part = ct_str_trim(ct_str_split(&rest, ','));
		if (part.n == 0)
			continue;
		if (q->n == CT_QUEUES_MAX)
			return ct_fail(err, CT_INVALID, NULL,
			    "CATETUBE_QUEUES names more than %d queues",
			    CT_QUEUES_MAX);
		row = &q->row[q->n++];
		name = ct_str_split(&part, ':');
		row->weight = 1;
		if (name.n == 0 || name.n > 64 ||
		    memchr(name.p, '\n', name.n) != NULL ||
		    (part.p != NULL &&
			!ct_str_i64(part, 1, 1000, &row->weight)))
			return ct_fail(err, CT_INVALID, NULL,
			    "CATETUBE_QUEUES must be name:weight,... with "
			    "weights from 1 to 1000");
		for (step = 0; step < CT_STEPS; step++)
			row->list[step] = ct_msg_list(a, name, step);
	}
	if (q->n == 0)
		return ct_fail(
		    err, CT_INVALID, NULL, "CATETUBE_QUEUES names no queue");
	return CT_OK;
}

/* Smooth weighted round robin: the queue whose turn it is. */
static size_t
next_queue(struct ct_queues *q)
{
	int64_t sum = 0;
	size_t i, best = 0;

	for (i = 0; i < q->n; i++) {
		q->row[i].credit += q->row[i].weight;
		sum += q->row[i].weight;
		if (q->row[i].credit > q->row[best].credit)
			best = i;
	}
	q->row[best].credit -= sum;
	return best;
}

int
ct_queues_order(struct ct_queues *q, struct ct_str *lists)
{
	bool reversed = ++q->turn % STARVE_TURN == 0;
	size_t first = next_queue(q), i;
	int n = 0, step;

	for (step = 0; step < CT_STEPS; step++)
		for (i = 0; i < q->n; i++)
			lists[n++] =
			    q->row[(first + i) % q->n]
				.list[reversed ? CT_STEPS - 1 - step : step];
	return n;
}
