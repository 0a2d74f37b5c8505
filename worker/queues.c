/*
 * The queues that a node serves: parsed from the option, changed by remote
 * control, and the order in which one turn asks their lists.
 */
#include <string.h>

#include "worker/node.h"

#define STARVE_TURN 16
#define NAME_MAX_N  64
#define NAMES_CAP   ((size_t)1 << 20)

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
		if (name.n == 0 || name.n > NAME_MAX_N ||
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

/* Names as the option can hold them, that no other list can have. */
static bool
is_name(struct ct_str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == ',' ||
		    s.p[i] == ':')
			return false;
	return s.n > 0 && s.n <= NAME_MAX_N && ct_utf8_ok(s);
}

static struct ct_queue_row *
find(struct ct_queues *q, struct ct_str name)
{
	size_t i;

	for (i = 0; i < q->n; i++)
		if (ct_str_eq(q->row[i].list[0], name))
			return &q->row[i];
	return NULL;
}

/* The names move to a new arena, so that changes leave nothing behind. */
static void
renew(struct ct_queues *q, struct ct_arena **names)
{
	struct ct_arena *fresh = ct_arena_create(NAMES_CAP);
	size_t i;
	int step;

	for (i = 0; i < q->n; i++)
		for (step = 0; step < CT_STEPS; step++)
			q->row[i].list[step] =
			    ct_str_dup(fresh, q->row[i].list[step]);
	ct_arena_destroy(*names);
	*names = fresh;
}

enum ct_rc
ct_queues_add(struct ct_queues *q, struct ct_arena **names, struct ct_str name,
    struct ct_err *err)
{
	struct ct_queue_row *row;
	int step;

	if (!is_name(name))
		return ct_fail(err, CT_INVALID, NULL,
		    "queue must be a name of 1 to %d bytes without blanks, "
		    "commas and colons",
		    NAME_MAX_N);
	if (find(q, name) != NULL)
		return CT_OK;
	if (q->n == CT_QUEUES_MAX)
		return ct_fail(err, CT_INVALID, NULL,
		    "this node serves %d queues already, that is the most",
		    CT_QUEUES_MAX);
	row = &q->row[q->n++];
	*row = (struct ct_queue_row){.weight = 1};
	for (step = 0; step < CT_STEPS; step++)
		row->list[step] = ct_msg_list(*names, name, step);
	renew(q, names);
	return CT_OK;
}

enum ct_rc
ct_queues_drop(struct ct_queues *q, struct ct_arena **names, struct ct_str name,
    struct ct_err *err)
{
	struct ct_queue_row *row = find(q, name);

	if (row == NULL)
		return ct_fail(
		    err, CT_INVALID, NULL, "this node does not serve it");
	if (q->n == 1)
		return ct_fail(err, CT_INVALID, NULL,
		    "this is the node's last queue: use shutdown");
	memmove(
	    row, row + 1, (size_t)(q->row + q->n - (row + 1)) * sizeof(*row));
	q->n--;
	renew(q, names);
	return CT_OK;
}

const char *
ct_queues_text(const struct ct_queues *q, struct ct_arena *a)
{
	struct ct_buf b;
	size_t i;

	ct_buf_init(&b, a, 256);
	for (i = 0; i < q->n; i++)
		ct_buf_addf(&b, "%s%.*s:%lld", i == 0 ? "" : ",",
		    CT_STR_FMT(q->row[i].list[0]), (long long)q->row[i].weight);
	ct_buf_addc(&b, '\0');
	return b.p;
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
