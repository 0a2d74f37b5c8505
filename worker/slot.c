/*
 * The children of a node: how one is started, given a job, limited and
 * missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/metrics.h"
#include "common/proc.h"
#include "worker/node.h"

#define CANCEL_GRACE_MS 5000
#define YOUNG_MS	1000
#define BACKOFF_MS	100
#define BACKOFF_MAX_MS	5000

/* Keep standard error and the one socket. */
static void
close_others(int keep)
{
	if (keep > 3)
		close_range(3, (unsigned)keep - 1, 0);
	close_range((unsigned)keep + 1, ~0U, 0);
}

static void
limit_memory(int64_t mib)
{
/* The sanitizers reserve terabytes of address space. */
#if !defined(__SANITIZE_ADDRESS__)
	struct rlimit lim = {
	    .rlim_cur = (rlim_t)mib << 20, .rlim_max = (rlim_t)mib << 20};

	if (setrlimit(RLIMIT_AS, &lim) != 0)
		ct_log(CT_WARN, "slot", "no memory limit: %s", strerror(errno));
#else
	(void)mib;
#endif
}

static void CT_NORETURN
child(const struct ct_node *n, const struct ct_slot *s, int fd, pid_t parent)
{
	const struct ct_wire wire = {.fd = fd, .in = s->in};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	ct_signal_reset();
	close_others(fd);
	prctl(PR_SET_NAME, "catetube-job");
	limit_memory(n->conf->job_mem_mib);
	_exit(ct_child_main(n->conf, &wire));
}

static bool
start_child(struct ct_node *n, struct ct_slot *s)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
	pid_t parent = getpid();
	int size = (int)sizeof(struct ct_frame) * 4;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
		return false;
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	s->pid = fork();
	if (s->pid == 0) {
		close(fd[0]);
		child(n, s, fd[1], parent);
	}
	close(fd[1]);
	if (s->pid < 0 ||
	    epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, fd[0], &ev) != 0) {
		ct_log(CT_ERROR, "slot", "cannot start a child: %s",
		    strerror(errno));
		close(fd[0]);
		s->pid = s->pid < 0 ? 0 : s->pid;
		return false;
	}
	s->fd = fd[0];
	s->jobs = 0;
	s->old = false;
	s->leaves = false;
	s->born_ms = ct_mono_ms();
	s->state = CT_SLOT_IDLE;
	return true;
}

void
ct_slots_fill(struct ct_node *n)
{
	int64_t now = ct_mono_ms();
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state != CT_SLOT_EMPTY || now < s->retry_ms)
			continue;
		if (start_child(n, s))
			n->rung = true;
		else
			s->retry_ms = now + BACKOFF_MAX_MS;
	}
}

static int64_t
shorter(int64_t own_ms, int64_t asked_ms)
{
	return asked_ms > 0 && asked_ms < own_ms ? asked_ms : own_ms;
}

void
ct_slot_run(struct ct_node *n, struct ct_slot *s)
{
	struct ct_wire_in *in = s->in;
	const struct ct_msg *m = &s->msg;

	in->task = (uint32_t)(s->task - ct_tasks);
	in->base64 = m->base64;
	in->retries = m->retries;
	in->id_n = (uint32_t)m->id.n;
	in->body_n = (uint32_t)m->body.n;
	memcpy(in->id, m->id.p, m->id.n);
	memcpy(in->body, m->body.p, m->body.n);
	s->began_ms = ct_mono_ms();
	s->soft_at_ms =
	    s->began_ms + shorter((int64_t)s->task->soft_s * 1000, m->soft_ms);
	s->hard_at_ms =
	    s->began_ms + shorter((int64_t)s->task->hard_s * 1000, m->hard_ms);
	s->stop = CT_STOP_NONE;
	s->state = CT_SLOT_BUSY;
	ct_settle_begun(s);
	ct_events_started(n, s);
	if (s->pid == 0)
		ct_settle_death(n, s);
	/* A child that is dying is noticed by its signal. */
	else if (send(s->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		kill(s->pid, SIGKILL);
	ct_log(CT_DEBUG, "slot", "job %.*s on pid %d of %s", CT_STR_FMT(m->id),
	    (int)s->pid, n->name);
}

bool
ct_slot_frames(struct ct_node *n, struct ct_slot *s)
{
	static struct ct_frame f;
	ssize_t got;

	while (s->fd >= 0) {
		got = recv(s->fd, &f, sizeof(f), MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			/* At its end the fd would wake the loop for ever. */
			if (got == 0) {
				close(s->fd);
				s->fd = -1;
			}
			return true;
		}
		if (s->state != CT_SLOT_BUSY ||
		    (size_t)got < offsetof(struct ct_frame, text) ||
		    (size_t)got != offsetof(struct ct_frame, text) + f.value_n +
				       f.trace_n ||
		    f.rc >= CT_RC_COUNT)
			continue;
		if (f.kind != CT_FRAME_PROGRESS) {
			/* Its last word on this job: none other is due. */
			s->jobs++;
			ct_settle_frame(n, s, &f);
			return true;
		} else if (!ct_link_progress(
			       n, s, (struct ct_str){f.text, f.value_n})) {
			return false;
		}
	}
	return true;
}

bool
ct_slot_stays(const struct ct_node *n, const struct ct_slot *s)
{
	return s->pid > 0 && s->fd >= 0 && !s->leaves &&
	       s->jobs < n->conf->child_jobs;
}

/* Closing the socket tells an idle child to exit. */
static void
let_go(struct ct_slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->state = s->pid > 0 ? CT_SLOT_LEAVING : CT_SLOT_EMPTY;
}

void
ct_slots_reload(struct ct_node *n)
{
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++)
		s->old = s->pid > 0;
}

void
ct_slots_roll(struct ct_node *n)
{
	struct ct_slot *s, *next = NULL;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->leaves)
			return;
		if (s->old && s->state != CT_SLOT_EMPTY)
			next = s;
	}
	if (next == NULL)
		return;
	next->leaves = true;
	if (next->state == CT_SLOT_IDLE)
		let_go(next);
}

void
ct_slot_done(struct ct_node *n, struct ct_slot *s)
{
	ct_arena_reset(s->a);
	s->task = NULL;
	s->msg = (struct ct_msg){0};
	if (ct_slot_stays(n, s))
		s->state = CT_SLOT_IDLE;
	else
		let_go(s);
}

static void
buried(struct ct_node *n, struct ct_slot *s, int status)
{
	int64_t now = ct_mono_ms();

	/* An answer that was sent before the end counts. */
	ct_slot_frames(n, s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->pid = 0;
	s->leaves = false;
	if (s->state == CT_SLOT_BUSY) {
		ct_log(CT_WARN, "slot", "child died in job %.*s: %s %d",
		    CT_STR_FMT(s->msg.id),
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
		s->jobs++;
		ct_settle_death(n, s);
	}
	ct_metric_add(ct_metric(CT_M_CHILD_RESTARTS, "proc=\"worker\""), 1);
	/* One that never did anything may not be able to. */
	if (s->jobs == 0 && now - s->born_ms < YOUNG_MS) {
		s->backoff_ms =
		    s->backoff_ms == 0 ? BACKOFF_MS : 2 * s->backoff_ms;
		if (s->backoff_ms > BACKOFF_MAX_MS)
			s->backoff_ms = BACKOFF_MAX_MS;
	} else {
		s->backoff_ms = 0;
	}
	s->retry_ms = now + s->backoff_ms;
	if (s->state != CT_SLOT_ENDED && s->state != CT_SLOT_STARTING)
		s->state = CT_SLOT_EMPTY;
}

void
ct_slots_reap(struct ct_node *n)
{
	struct ct_slot *s;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < CT_AIDES; i++)
			if (pid == n->aide[i].pid)
				n->aide[i].pid = 0;
		for (s = n->slot; s < n->slot + n->nslots; s++)
			if (s->pid == pid)
				buried(n, s, status);
	}
}

void
ct_slot_stop(struct ct_slot *s, enum ct_stop why)
{
	if (s->state != CT_SLOT_BUSY || s->pid <= 0 || s->stop >= why)
		return;
	s->stop = why;
	if (why == CT_STOP_HARD) {
		kill(s->pid, SIGKILL);
		return;
	}
	kill(s->pid, SIGTERM);
	if (why != CT_STOP_SOFT &&
	    s->hard_at_ms > ct_mono_ms() + CANCEL_GRACE_MS)
		s->hard_at_ms = ct_mono_ms() + CANCEL_GRACE_MS;
}

int64_t
ct_slots_limits(struct ct_node *n, int64_t now)
{
	int64_t next = INT64_MAX, at;
	struct ct_slot *s;

	for (s = n->slot; s < n->slot + n->nslots; s++) {
		if (s->state == CT_SLOT_EMPTY && !n->draining &&
		    s->retry_ms < next)
			next = s->retry_ms;
		if (s->state != CT_SLOT_BUSY || s->pid <= 0)
			continue;
		if (now >= s->hard_at_ms) {
			/* A stop that was asked for keeps its reason. */
			if (s->stop > CT_STOP_HARD)
				kill(s->pid, SIGKILL);
			else
				ct_slot_stop(s, CT_STOP_HARD);
			continue;
		}
		if (now >= s->soft_at_ms)
			ct_slot_stop(s, CT_STOP_SOFT);
		at = s->stop != CT_STOP_NONE || s->hard_at_ms < s->soft_at_ms
			 ? s->hard_at_ms
			 : s->soft_at_ms;
		if (at < next)
			next = at;
	}
	return next;
}

void
ct_slot_fence(const struct ct_node *n, struct ct_slot *s)
{
	if (s->state < CT_SLOT_STARTING || s->state > CT_SLOT_ENDED)
		return;
	if (s->state == CT_SLOT_BUSY && s->pid > 0)
		kill(s->pid, SIGKILL);
	if (s->state == CT_SLOT_BUSY)
		let_go(s);
	ct_arena_reset(s->a);
	s->msg = (struct ct_msg){0};
	if (s->state == CT_SLOT_STARTING || s->state == CT_SLOT_ENDED)
		s->state = CT_SLOT_IDLE;
	if (s->state == CT_SLOT_IDLE && !ct_slot_stays(n, s))
		let_go(s);
}

size_t
ct_slots_count(const struct ct_node *n, enum ct_slot_state state)
{
	size_t i, count = 0;

	for (i = 0; i < n->nslots; i++)
		count += n->slot[i].state == state;
	return count;
}

struct ct_slot *
ct_slot_idle(struct ct_node *n)
{
	size_t i;

	for (i = 0; i < n->nslots; i++)
		if (n->slot[i].state == CT_SLOT_IDLE && n->slot[i].fd >= 0)
			return &n->slot[i];
	return NULL;
}
