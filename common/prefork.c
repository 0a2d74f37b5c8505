/*
 * A parent that keeps N children alive, replaces them one after another on a
 * reload, and drains them at the end. One thread, one poll loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/proc.h"

enum {
	YOUNG_MS = 1000, /* dying before is dying young */
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	READY_MAX_MS = 30000, /* a new child of a reload gets that long */
};

struct child {
	pid_t pid;    /* 0: none */
	int ready_fd; /* its end of the ready pipe here; -1: ready or lost */
	bool ready;
	int64_t started_ms;
	int64_t kill_at_ms; /* asked to drain; 0: not asked */
};

/*
 * A slot has the child that serves, during a reload the one that shall follow
 * it, and the one before that drains.
 */
enum { CUR, NEXT, OLD, ROLES };

struct slot {
	struct child c[ROLES];
	unsigned strikes; /* deaths in a row, all but the first one young */
	int64_t start_at_ms;
};

struct parent {
	const struct ct_children_opt *opt;
	enum ct_rc (*reload)(void *arg, struct ct_err *err);
	struct slot *slots;
	struct pollfd *polls;
	struct ct_cell *restarts;
	pid_t pid;
	int signals;
	unsigned roll; /* slot being replaced; opt->n: no reload runs */
	bool roll_again;
	bool said_ready;
	bool stopping;
	bool cut; /* some child was killed, not drained */
	int64_t watchdog_ms;
	int64_t watchdog_at_ms;
};

/* --- one child --------------------------------------------------------- */

static int
child_main(struct parent *p, unsigned slot, int ready_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != p->pid)
		return 1; /* the parent died before prctl */
	close(p->signals);
	for (unsigned i = 0; i < p->opt->n; i++) {
		for (int k = 0; k < ROLES; k++) {
			if (p->slots[i].c[k].ready_fd >= 0)
				close(p->slots[i].c[k].ready_fd);
		}
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	ct_signal_reset();
	return p->opt->main(p->opt->arg, slot, ready_fd);
}

/* Forks one into c; false where that failed. */
static bool
start_child(struct parent *p, unsigned slot, struct child *c)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit(child_main(p, slot, ends[1]));
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return false;
	}
	*c = (struct child){
	    .pid = pid, .ready_fd = ends[0], .started_ms = ct_mono_ms()};
	return true;
}

static void
forget_child(struct child *c)
{
	if (c->ready_fd >= 0)
		close(c->ready_fd);
	*c = (struct child){.ready_fd = -1};
}

static void
drain_child(struct parent *p, struct child *c)
{
	if (!c->pid || c->kill_at_ms)
		return;
	kill(c->pid, SIGTERM);
	c->kill_at_ms = ct_mono_ms() + p->opt->drain_ms;
}

static void
kill_child(struct parent *p, struct child *c)
{
	if (!c->pid)
		return;
	p->cut = true;
	kill(c->pid, SIGKILL);
	c->kill_at_ms = INT64_MAX;
}

static bool
all(const struct parent *p, bool (*test)(const struct child *))
{
	for (unsigned i = 0; i < p->opt->n; i++) {
		if (!test(&p->slots[i].c[CUR]))
			return false;
	}
	return true;
}

static bool
is_alive(const struct child *c)
{
	return c->pid != 0;
}

static bool
is_ready(const struct child *c)
{
	return c->ready;
}

/* --- starting ---------------------------------------------------------- */

/* Delay before the next start after the strikes-th death in a row. */
static int64_t
delay_ms(unsigned strikes)
{
	int64_t ms = BACKOFF_MIN_MS;

	if (strikes <= 1)
		return 0;
	for (unsigned i = 2; i < strikes && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

static void
count_death(struct slot *s, bool young)
{
	s->strikes = young ? s->strikes + 1 : 1;
	s->start_at_ms = ct_mono_ms() + delay_ms(s->strikes);
}

static void
start_due(struct parent *p)
{
	int64_t now = ct_mono_ms();

	for (unsigned i = 0; i < p->opt->n && !p->stopping; i++) {
		struct slot *s = &p->slots[i];

		if (s->c[CUR].pid || now < s->start_at_ms)
			continue;
		if (!start_child(p, i, &s->c[CUR])) {
			ct_log(CT_ERROR, "proc", "%s %u: fork: %s",
			    p->opt->name, i, strerror(errno));
			count_death(s, true);
		} else if (s->strikes) {
			ct_metric_add(p->restarts, 1);
		}
	}
}

/* --- reload ------------------------------------------------------------ */

static void
end_roll(struct parent *p)
{
	p->roll = p->opt->n;
	ct_notify("READY=1");
}

static void
give_up_roll(struct parent *p, const char *why)
{
	ct_log(CT_ERROR, "proc", "%s: reload given up at child %u: %s",
	    p->opt->name, p->roll, why);
	end_roll(p);
}

static void
begin_roll(struct parent *p)
{
	char state[64];
	struct ct_err err;

	p->roll_again = false;
	if (p->reload && p->reload(p->opt->arg, &err) != CT_OK) {
		struct ct_line l;

		ct_line_begin(&l, CT_ERROR, "reload refused");
		ct_line_err(&l, &err);
		ct_line_end(&l);
		return;
	}
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)ct_mono_us());
	ct_notify(state);
	p->roll = 0;
}

/* One step of a reload, if it can be made now. */
static void
roll_step(struct parent *p)
{
	struct slot *s = &p->slots[p->roll];
	struct child *next = &s->c[NEXT];

	if (s->c[OLD].pid)
		return; /* an earlier reload still drains here */
	if (!next->pid) {
		if (!start_child(p, p->roll, next))
			give_up_roll(p, strerror(errno));
		return;
	}
	if (next->ready || !s->c[CUR].pid) {
		drain_child(p, &s->c[CUR]);
		s->c[OLD] = s->c[CUR];
		s->c[CUR] = *next;
		*next = (struct child){.ready_fd = -1};
		p->roll++;
		if (p->roll == p->opt->n)
			end_roll(p);
	} else if (ct_mono_ms() - next->started_ms > READY_MAX_MS) {
		kill(next->pid, SIGKILL); /* its death ends the reload */
	}
}

static void
roll(struct parent *p)
{
	unsigned before;

	if (p->stopping)
		return;
	if (p->roll == p->opt->n && p->roll_again)
		begin_roll(p);
	do {
		before = p->roll;
		if (p->roll < p->opt->n)
			roll_step(p);
	} while (p->roll != before && p->roll < p->opt->n);
}

/* --- ends -------------------------------------------------------------- */

static void
log_death(struct parent *p, unsigned slot, pid_t pid, int status)
{
	bool killed = WIFSIGNALED(status);
	int code = killed ? WTERMSIG(status) : WEXITSTATUS(status);

	ct_log(killed || code ? CT_WARN : CT_INFO, "proc",
	    "%s %u: pid %d ended by %s %d", p->opt->name, slot, (int)pid,
	    killed ? "signal" : "exit", code);
}

static void
buried(struct parent *p, unsigned slot, int role, int status)
{
	struct slot *s = &p->slots[slot];
	struct child dead = s->c[role];

	log_death(p, slot, dead.pid, status);
	forget_child(&s->c[role]);
	if (p->stopping)
		return;
	if (role == CUR)
		count_death(s, ct_mono_ms() - dead.started_ms < YOUNG_MS);
	else if (role == NEXT)
		give_up_roll(p, "the new child ended");
}

static void
reap(struct parent *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < p->opt->n * ROLES; i++) {
			unsigned slot = i / ROLES;
			int role = (int)(i % ROLES);

			if (p->slots[slot].c[role].pid == pid)
				buried(p, slot, role, status);
		}
	}
}

static void
kill_overdue(struct parent *p)
{
	int64_t now = ct_mono_ms();

	for (unsigned i = 0; i < p->opt->n * ROLES; i++) {
		struct child *c = &p->slots[i / ROLES].c[i % ROLES];

		if (!c->kill_at_ms || now < c->kill_at_ms)
			continue;
		ct_log(CT_WARN, "proc", "%s: pid %d did not drain, killed",
		    p->opt->name, (int)c->pid);
		kill_child(p, c);
	}
}

static void
stop(struct parent *p)
{
	bool again = p->stopping;

	if (!again)
		ct_notify("STOPPING=1");
	p->stopping = true;
	for (unsigned i = 0; i < p->opt->n * ROLES; i++) {
		struct child *c = &p->slots[i / ROLES].c[i % ROLES];

		if (again)
			kill_child(p, c);
		else
			drain_child(p, c);
	}
}

/* --- the loop ---------------------------------------------------------- */

static void
take_signals(struct parent *p)
{
	int sig;

	while ((sig = ct_signal_next(p->signals)) != 0) {
		switch (sig) {
		case SIGTERM:
		case SIGINT:
		case SIGQUIT:
			stop(p);
			break;
		case SIGHUP:
			p->roll_again = true;
			break;
		default: /* SIGCHLD: reap runs every turn */
			break;
		}
	}
}

/* The byte that says ready, or the end of a child that never will be. */
static void
take_ready(struct child *c)
{
	char byte;
	ssize_t n = read(c->ready_fd, &byte, 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->ready = n == 1;
	close(c->ready_fd);
	c->ready_fd = -1;
}

static void
say(struct parent *p)
{
	int64_t now = ct_mono_ms();

	if (!p->said_ready && all(p, is_ready)) {
		p->said_ready = true;
		ct_notify("READY=1");
	}
	if (!p->watchdog_ms || now < p->watchdog_at_ms)
		return;
	p->watchdog_at_ms = now + p->watchdog_ms;
	if (p->stopping || all(p, is_alive))
		ct_notify("WATCHDOG=1");
}

static bool
any_left(const struct parent *p)
{
	for (unsigned i = 0; i < p->opt->n * ROLES; i++) {
		if (p->slots[i / ROLES].c[i % ROLES].pid)
			return true;
	}
	return false;
}

static void
sooner(int64_t *at, int64_t candidate)
{
	if (candidate < *at)
		*at = candidate;
}

/* When the loop has something to do even if nothing happens. */
static int64_t
next_turn_ms(const struct parent *p)
{
	int64_t at = INT64_MAX;

	for (unsigned i = 0; i < p->opt->n; i++) {
		const struct slot *s = &p->slots[i];

		if (!p->stopping && !s->c[CUR].pid)
			sooner(&at, s->start_at_ms);
		for (int k = 0; k < ROLES; k++) {
			if (s->c[k].kill_at_ms)
				sooner(&at, s->c[k].kill_at_ms);
		}
		if (s->c[NEXT].pid)
			sooner(&at, s->c[NEXT].started_ms + READY_MAX_MS + 1);
	}
	if (p->watchdog_ms)
		sooner(&at, p->watchdog_at_ms);
	return at;
}

static void
wait_turn(struct parent *p)
{
	int64_t at = next_turn_ms(p);
	int64_t left = at == INT64_MAX ? -1 : at - ct_mono_ms();
	nfds_t n = p->opt->n * ROLES;

	if (at != INT64_MAX && left < 0)
		left = 0;
	for (unsigned i = 0; i < n; i++) {
		p->polls[i].fd = p->slots[i / ROLES].c[i % ROLES].ready_fd;
		p->polls[i].events = POLLIN;
		p->polls[i].revents = 0;
	}
	p->polls[n] = (struct pollfd){.fd = p->signals, .events = POLLIN};
	if (poll(p->polls, n + 1, left > INT_MAX ? INT_MAX : (int)left) <= 0)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (p->polls[i].revents)
			take_ready(&p->slots[i / ROLES].c[i % ROLES]);
	}
}

static int
run(struct parent *p)
{
	for (;;) {
		reap(p);
		if (p->stopping && !any_left(p))
			return p->cut ? 1 : 0;
		start_due(p);
		roll(p);
		kill_overdue(p);
		say(p);
		wait_turn(p);
		take_signals(p);
	}
}

int
ct_prefork(const struct ct_children_opt *opt,
    enum ct_rc (*reload)(void *arg, struct ct_err *err))
{
	struct parent p = {.opt = opt, .reload = reload, .pid = getpid()};
	char label[CT_METRIC_LABELS];
	int status;

	p.roll = opt->n;
	p.slots = calloc(opt->n, sizeof(*p.slots));
	p.polls = calloc(opt->n * ROLES + 1, sizeof(*p.polls));
	p.signals = ct_signal_fd();
	if (!p.slots || !p.polls || p.signals < 0)
		ct_bug("cannot start children: %s", strerror(errno));
	for (unsigned i = 0; i < opt->n * ROLES; i++)
		p.slots[i / ROLES].c[i % ROLES].ready_fd = -1;
	snprintf(label, sizeof(label), "proc=\"%s\"", opt->name);
	p.restarts = ct_metric(CT_M_CHILD_RESTARTS, label);
	p.watchdog_ms = ct_watchdog_ms();
	status = run(&p);
	close(p.signals);
	free(p.slots);
	free(p.polls);
	return status;
}
