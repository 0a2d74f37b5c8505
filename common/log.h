/*
 * One line per event on standard error, logfmt or JSON, at most 8 KiB, one
 * write(2) each unless held. Control characters and bad UTF-8 are escaped, so
 * that no value can forge a second line. Keeps errno. Thread-safe.
 * Nothing secret has a way in: callers pass names and numbers, never bodies,
 * cookies, tokens or addresses of mail.
 */
#ifndef CT_COMMON_LOG_H
#define CT_COMMON_LOG_H

#include "common/err.h"
#include "common/str.h"

enum ct_level { CT_DEBUG, CT_INFO, CT_WARN, CT_ERROR };
enum ct_log_format { CT_LOGFMT, CT_LOGJSON };

/* proc: short name of this process, copied, such as "fcgi" or "worker". */
void ct_log_init(const char *proc, enum ct_level min, enum ct_log_format f);

/* ts=… level=… proc=… src=… msg="…" */
void ct_log(enum ct_level level, const char *src, const char *fmt, ...)
    CT_PRINTF(3, 4);

/* A structured line, such as one per request. Lives on the caller's stack. */
struct ct_line {
	enum ct_level level;
	bool off; /* below the minimum level: all calls do nothing */
	size_t n;
	char p[2048]; /* longer lines are cut with a mark */
};
void ct_line_begin(struct ct_line *l, enum ct_level level, const char *event);
void ct_line_str(struct ct_line *l, const char *key, struct ct_str v);
void ct_line_i64(struct ct_line *l, const char *key, int64_t v);
/* v in thousandths: 1234 prints 1.234 */
void ct_line_milli(struct ct_line *l, const char *key, int64_t v);
/* rc name, code, msg, bad fields and the log-only detail. */
void ct_line_err(struct ct_line *l, const struct ct_err *err);
void ct_line_end(struct ct_line *l);

/*
 * Hold this thread's lines in a buffer (64 KiB, flushed when full) until
 * ct_log_flush(): for loops that answer many requests per round.
 * WARN and above flush at once.
 */
void ct_log_hold(void);
void ct_log_flush(void);

#endif
