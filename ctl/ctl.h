/*
 * catetubectl: the operator's tool. A command is one row in the table of
 * main.c and one function int ctl_x(struct ctl *, int argc, char **argv), where
 * argv[0] is the command's name and the return value the exit status:
 * 0 done, 1 failed, 2 called in a wrong way.
 */
#ifndef CT_CTL_CTL_H
#define CT_CTL_CTL_H

#include "common/conf.h"
#include "common/redis.h"
#include "db/pg.h"

#define CTL_FAILED 1
#define CTL_USAGE  2

/* What main prepares before a command runs. */
enum ctl_needs {
	CTL_CONF = 1 << 0,  /* conf is loaded; pg and redis are made from it,
			       but connect at their first use */
	CTL_PG = 1 << 1,    /* pg is connected (and conf loaded) */
	CTL_REDIS = 1 << 2, /* redis is connected (and conf loaded) */
};

struct ctl {
	struct ct_conf conf;
	struct ct_pg *pg;
	struct ct_redis *redis;
	struct ct_arena *arena;
	bool json; /* --json: the result as JSON on standard output */
};

struct ctl_command {
	const char *name;
	const char *args; /* as --help shows them */
	const char *help;
	int (*fn)(struct ctl *c, int argc, char **argv);
	unsigned needs; /* enum ctl_needs */
};

int ctl_migrate(struct ctl *c, int argc, char **argv);
int ctl_doctor(struct ctl *c, int argc, char **argv);
int ctl_user(struct ctl *c, int argc, char **argv);
int ctl_demo(struct ctl *c, int argc, char **argv);
int ctl_enqueue(struct ctl *c, int argc, char **argv);
int ctl_jobs(struct ctl *c, int argc, char **argv);
int ctl_cron(struct ctl *c, int argc, char **argv);
int ctl_import(struct ctl *c, int argc, char **argv);
int ctl_backup(struct ctl *c, int argc, char **argv);

/* One line on standard error; returns CTL_USAGE. */
int ctl_usage(const char *fmt, ...) CT_PRINTF(1, 2);
/* The same for an error, with its detail; returns CTL_FAILED. */
int ctl_fail(const struct ct_err *err);
/* True where the one argument after the command is `flag`. */
bool ctl_flag(int argc, char **argv, const char *flag);

/* Forget every cached answer and copy of a session in Redis. CT_RETRY. */
enum ct_rc ctl_drop_copies(struct ctl *c, struct ct_err *err) CT_MUSTCHECK;

#endif
