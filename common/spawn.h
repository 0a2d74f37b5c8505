/*
 * One child process at the other end of a pipe: we read what it writes, or
 * write what it reads. Its standard error is taken meanwhile, so that neither
 * side can wait for the other for ever, and kept for the error's text. It dies
 * with its parent (PR_SET_PDEATHSIG), and has no other descriptor of ours.
 */
#ifndef CT_COMMON_SPAWN_H
#define CT_COMMON_SPAWN_H

#include <sys/types.h>

#include "common/err.h"

#define CT_SPAWN_SAID 4096

enum ct_spawn_way {
	CT_SPAWN_WRITES, /* we read its standard output */
	CT_SPAWN_READS	 /* we write to its standard input; its standard output
			    goes to /dev/null */
};

struct ct_spawn {
	/* Set by the caller: */
	int64_t idle_ms;	  /* without a byte: it is killed */
	bool (*go_on)(void *arg); /* asked 4 times a second; may be NULL */
	void *arg;
	/* Ours; all zero before the start: */
	bool running;
	enum ct_spawn_way way;
	pid_t pid;
	int fd;
	int err_fd;
	char name[32]; /* for the sentences */
	size_t said_n;
	char said[CT_SPAWN_SAID]; /* the first that it wrote on stderr */
};

/*
 * argv[0] is a path and is not looked up; env is all of the environment. Both
 * end in NULL. CT_INVALID: it cannot be executed. CT_RETRY: no processes or
 * descriptors left.
 */
enum ct_rc ct_spawn_start(struct ct_spawn *c, enum ct_spawn_way way,
    const char *const *argv, const char *const *env,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * The calls below wait. They fail with CT_RETRY: it failed (its first line with
 * "error" is the detail), it said nothing for idle_ms, or go_on was false (code
 * "stopped"). It is killed and collected by then.
 */
/* Up to size bytes; *n is 0 at the end. */
enum ct_rc ct_spawn_read(struct ct_spawn *c, void *buf, size_t size, size_t *n,
    struct ct_err *err) CT_MUSTCHECK;
enum ct_rc ct_spawn_write(struct ct_spawn *c, const void *p, size_t n,
    struct ct_err *err) CT_MUSTCHECK;
/* No more bytes: wait until it ends. CT_OK: with status 0. */
enum ct_rc ct_spawn_end(struct ct_spawn *c, struct ct_err *err) CT_MUSTCHECK;
/* Kill and collect it where it runs. */
void ct_spawn_kill(struct ct_spawn *c);

#endif
