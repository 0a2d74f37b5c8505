/*
 * As little of Redis' protocol as the bare front loop needs: a pipeline that
 * is written at once and replies that are stepped through in place.
 */
#ifndef CT_BENCH_RESP_H
#define CT_BENCH_RESP_H

#include <stddef.h>

struct pipe {
	int fd;
	char *out; /* commands that were not sent yet */
	size_t out_n, out_cap;
	char *in;
	size_t in_at, in_n, in_cap;
};

/* Connect to a unix socket; prints and exits where that fails. */
void pipe_open(struct pipe *p, const char *path);
/* Append one command. */
void pipe_add(
    struct pipe *p, int argc, const char *const *argv, const size_t *len);
/* Send what was appended. Exits on failure, as does pipe_reply. */
void pipe_send(struct pipe *p);
/*
 * Step over one reply, waiting for it where need be. Gives its first byte
 * ('*', '$', ':', '+', '-') and, of a string or the last string of an array,
 * the text, which lives until the next call.
 */
char pipe_reply(struct pipe *p, const char **text, size_t *n);
/*
 * Step into an array: how many values follow, each one pipe_reply. Exits where
 * something else comes.
 */
size_t pipe_array(struct pipe *p);

#endif
