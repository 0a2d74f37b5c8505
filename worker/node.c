/*
 * The loop of a worker node.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/metrics.h"
#include "common/proc.h"
#include "worker/node.h"

#define NAMES_CAP	((size_t)1 << 20)
#define SCRATCH_CAP	((size_t)256 << 20)
#define SLOT_CAP	((size_t)64 << 20)
#define EVENTS		64
#define CLAIM_MS	250 /* without a bell */
#define AUDIT_MS	30000
#define AIDE_BACKOFF_MS 1000
#define KILL_GRACE_MS	2000

static int
watch(struct ct_node *n, int fd, void *who)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = who};

	return epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static enum ct_rc
set_up(struct ct_node *n, struct ct_err *err)
{
	struct ct_slot *s;
	enum ct_rc rc;

	gethostname(n->host, sizeof(n->host) - 1);
	if (n->conf->node[0] != '\0')
		snprintf(n->name, sizeof(n->name), "%s", n->conf->node);
	else
		snprintf(n->name, sizeof(n->name), "catetube@%s", n->host);
	n->aide[0] = (struct ct_aide){"catetube-relay", ct_relay_main, 0, 0};
	if (n->conf->cron)
		n->aide[1] =
		    (struct ct_aide){"catetube-cron", ct_cron_main, 0, 0};
	n->names = ct_arena_create(NAMES_CAP);
	n->scratch = ct_arena_create(SCRATCH_CAP);
	rc = ct_queues_parse(&n->queues, n->names, n->conf->queues, err);
	if (rc == CT_OK)
		rc = ct_control_init(n, err);
	if (rc != CT_OK)
		return rc;
	n->trip = ct_metric(CT_M_JOBS_TRIP, "");
	n->nslots = (size_t)n->conf->worker_children;
	n->slot = calloc(n->nslots, sizeof(*n->slot));
	n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	n->signal_fd = ct_signal_fd();
	if (n->slot == NULL || n->epoll_fd < 0 || n->signal_fd < 0 ||
	    watch(n, n->signal_fd, n) != 0) {
		ct_fail(err, CT_INTERNAL, NULL, "cannot set up the node");
		return ct_err_detail(err, "%s", strerror(errno));
	}
	for (s = n->slot; s < n->slot + n->nslots; s++) {
		s->fd = -1;
		s->a = ct_arena_create(SLOT_CAP);
		s->in = mmap(NULL, sizeof(*s->in), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (s->in == MAP_FAILED)
			return ct_fail(err, CT_INTERNAL, NULL,
			    "no memory for the pages of the children");
	}
	return CT_OK;
}

static void
start_aide(struct ct_node *n, struct ct_aide *aide, int64_t now)
{
	pid_t parent = getpid();

	aide->retry_ms = now + AIDE_BACKOFF_MS;
	aide->pid = fork();
	if (aide->pid < 0)
		aide->pid = 0;
	if (aide->pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	ct_signal_reset();
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close_range(3, ~0U, 0);
	prctl(PR_SET_NAME, aide->name);
	_exit(aide->main(n->conf));
}

/* Those that a stop leaves alone die with the node. */
static void
tell_aides(const struct ct_node *n, int (*only)(const struct ct_conf *conf))
{
	for (size_t i = 0; i < CT_AIDES; i++)
		if (n->aide[i].pid > 0 &&
		    (only == NULL || n->aide[i].main == only))
			kill(n->aide[i].pid, SIGTERM);
}

static bool
is_busy(const struct ct_node *n)
{
	return ct_slots_count(n, CT_SLOT_BUSY) > 0 ||
	       (ct_slots_count(n, CT_SLOT_ENDED) > 0 && ct_link_up(n));
}

void
ct_node_drain(struct ct_node *n)
{
	if (n->draining)
		return;
	n->draining = true;
	n->drain_at_ms = ct_mono_ms() + n->conf->drain_s * 1000;
	tell_aides(n, ct_cron_main);
	ct_notify("STOPPING=1");
	ct_log(CT_INFO, "node", "draining: %zu jobs run",
	    ct_slots_count(n, CT_SLOT_BUSY));
}

/* Signals. false: end at once. */
static bool
on_signals(struct ct_node *n)
{
	int sig;

	while ((sig = ct_signal_next(n->signal_fd)) != 0) {
		if (sig == SIGCHLD) {
			ct_slots_reap(n);
		} else if (sig == SIGHUP) {
			ct_log(CT_INFO, "node", "replacing the children");
			ct_slots_reload(n);
			tell_aides(n, NULL);
		} else if (sig == SIGTERM || sig == SIGINT) {
			if (n->stopped)
				return false;
			n->stopped = true;
			ct_node_drain(n);
		}
	}
	return true;
}

/*
 * A node that could not beat stops its jobs before others may take them: it
 * may be cut off, or may have slept. Looked at before anything is written.
 */
static void
fence_self(struct ct_node *n, int64_t now)
{
	if (n->link.wid[0] != '\0' &&
	    now - n->link.beat_ok_ms > n->conf->lease_ms * 7 / 10)
		ct_link_lose(n);
}

/* What is due by the clock. */
static void
on_time(struct ct_node *n, int64_t now)
{
	if (ct_due(&n->next_dog_ms, now, CT_IDLE_MS))
		ct_notify("WATCHDOG=1");
	for (size_t i = 0; i < CT_AIDES; i++)
		if (n->aide[i].pid == 0 && !n->draining &&
		    n->aide[i].main != NULL && now >= n->aide[i].retry_ms)
			start_aide(n, &n->aide[i], now);
	if (!n->draining) {
		ct_slots_roll(n);
		ct_slots_fill(n);
	}
	if (!ct_link_up(n) && !ct_link_try(n))
		return;
	n->duties = ct_duties_due(n, now);
	if (ct_due(&n->next_audit_ms, now, AUDIT_MS) && !ct_link_audit(n))
		return;
	if (ct_due(&n->next_claim_ms, now,
		n->link.bell != NULL && n->link.armed ? CT_IDLE_MS : CLAIM_MS))
		n->rung = true;
	ct_bell_hang(n);
	ct_control_hang(n);
}

static void
drain(struct ct_node *n, int64_t now)
{
	size_t i;

	if (!n->draining || now < n->drain_at_ms)
		return;
	for (i = 0; i < n->nslots; i++)
		ct_slot_stop(&n->slot[i], CT_STOP_DRAIN);
	if (now < n->drain_at_ms + KILL_GRACE_MS)
		return;
	for (i = 0; i < n->nslots; i++)
		if (n->slot[i].state == CT_SLOT_BUSY && n->slot[i].pid > 0)
			kill(n->slot[i].pid, SIGKILL);
}

static int
wait_ms(const struct ct_node *n, int64_t now, int64_t limits_at)
{
	const int64_t at[] = {n->next_beat_ms, n->next_reap_ms,
	    n->next_promote_ms, n->next_claim_ms, n->next_dog_ms};
	int64_t next = limits_at;
	size_t i;

	if (!ct_link_up(n))
		next = n->link.retry_ms < next ? n->link.retry_ms : next;
	for (i = 0; i < ct_countof(at); i++)
		if (at[i] < next && (ct_link_up(n) || &at[i] == &at[4]))
			next = at[i];
	if (n->draining || next > now + CT_IDLE_MS)
		next = now + (n->draining ? 50 : CT_IDLE_MS);
	return next <= now ? 0 : (int)(next - now);
}

/* Events. false: end at once. */
static bool
on_events(struct ct_node *n, const struct epoll_event *ev, int got)
{
	bool children = false;
	int i;

	for (i = 0; i < got; i++) {
		if (ev[i].data.ptr == &n->link)
			ct_bell_rings(n);
		else if (ev[i].data.ptr == &n->control)
			ct_control_serve(n);
		else if (ev[i].data.ptr == n)
			children = true;
		else
			ct_slot_frames(n, ev[i].data.ptr);
	}
	return !children || on_signals(n);
}

static void
loop(struct ct_node *n)
{
	struct epoll_event ev[EVENTS];
	int64_t now, limits_at;
	bool more;
	int got;

	do {
		ct_arena_reset(n->scratch);
		now = ct_mono_ms();
		fence_self(n, now);
		on_time(n, now);
		if (n->control.more)
			ct_control_serve(n);
		limits_at = ct_slots_limits(n, now);
		drain(n, now);
		more = false;
		ct_link_round(n, &more);
		ct_events_flush(n);
		more = more || n->control.more;
		now = ct_mono_ms();
		got = epoll_wait(n->epoll_fd, ev, EVENTS,
		    more ? 0 : wait_ms(n, now, limits_at));
		/* It may have been stopped while it waited. */
		fence_self(n, ct_mono_ms());
		if (!on_events(n, ev, got))
			return;
	} while (!n->draining || is_busy(n));
}

int
ct_node_run(const struct ct_conf *conf)
{
	static struct ct_node n;
	struct ct_err err;

	ct_err_clear(&err);
	n = (struct ct_node){.conf = conf};
	if (set_up(&n, &err) != CT_OK) {
		ct_log(CT_ERROR, "node", "%s %s", err.msg, err.detail);
		return 1;
	}
	ct_notify("READY=1");
	ct_log(CT_INFO, "node", "%s: %zu children, queues %s", n.name, n.nslots,
	    conf->queues);
	loop(&n);
	ct_events_offline(&n);
	ct_link_leave(&n);
	ct_log(CT_INFO, "node", "%s ends", n.name);
	return 0;
}
