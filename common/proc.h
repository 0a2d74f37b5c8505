/*
 * Process control: signals as a file descriptor, systemd's notify and socket
 * passing (the door to libsystemd), and a parent that keeps N children alive.
 */
#ifndef CT_COMMON_PROC_H
#define CT_COMMON_PROC_H

#include <sys/types.h>

#include "common/err.h"

/* Block TERM, INT, HUP, QUIT, CHLD, USR1 and return a signalfd; -1: errno. */
int ct_signal_fd(void);
/* The next signal number that arrived on fd, 0 where none. Never blocks. */
int ct_signal_next(int fd);
/* In a child: unblock everything that ct_signal_fd blocked. */
void ct_signal_reset(void);

/*
 * The one listening socket that systemd passed (LISTEN_FDS=1), or -1. More
 * than one, or one that is no listening stream socket, is CT_INVALID.
 */
enum ct_rc ct_listen_passed(int *fd, struct ct_err *err) CT_MUSTCHECK;
/*
 * Make a listening unix socket at path, mode 0660, backlog 4096, removing a
 * stale one (never one that somebody still listens on: CT_CONFLICT).
 */
enum ct_rc ct_listen_unix(
    const char *path, int *fd, struct ct_err *err) CT_MUSTCHECK;

/* sd_notify: "READY=1", "STOPPING=1", "WATCHDOG=1", "RELOADING=1". No-op
 * without systemd. */
void ct_notify(const char *state);
/* Half of WatchdogSec in ms, 0 where there is no watchdog. */
int64_t ct_watchdog_ms(void);

/* Children of a prefork parent. */
struct ct_children;
struct ct_children_opt {
	const char *name; /* for logs and metrics: "fcgi" */
	unsigned n;	  /* how many to keep alive */
	int64_t drain_ms; /* SIGTERM to SIGKILL */
	/* Runs in the child; its return value is the exit status. ready_fd:
	 * write one byte there when able to serve (rolling reload waits). */
	int (*main)(void *arg, unsigned slot, int ready_fd);
	void *arg;
};
/*
 * The parent's whole life: start n children, replace those that die (at once
 * the first time, then back-off 100 ms to 5 s per slot while they die young),
 * SIGHUP: replace one after another, each new one ready before an old one is
 * asked to drain; SIGTERM and SIGINT: drain all, a second one ends at once.
 * Children die with the parent (PR_SET_PDEATHSIG). Says READY when every
 * child is ready, answers the watchdog while all slots are alive. reload, if
 * not NULL, is called on SIGHUP first; its failure leaves everything running.
 * Returns the exit status of the process.
 */
int ct_prefork(const struct ct_children_opt *opt,
    enum ct_rc (*reload)(void *arg, struct ct_err *err));

#endif
