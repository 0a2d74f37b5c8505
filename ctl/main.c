/*
 * catetubectl: options, the table of commands, and what commands share.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/crypto.h"
#include "common/log.h"
#include "ctl/ctl.h"

#define ARENA_CAP (256 << 20)

static int ctl_config(struct ctl *c, int argc, char **argv);
static int ctl_help(struct ctl *c, int argc, char **argv);

/* clang-format off */
static const struct ctl_command commands[] = {
	{"migrate", "[--check]", "bring the database to this program's schema",
	    ctl_migrate, CTL_CONF},
	{"user", "role EMAIL admin|user", "give or take the admin role; totp-off "
	    "EMAIL: log-in asks for no one-time code any more",
	    ctl_user, CTL_PG},
	{"demo", "", "make the demo account, its cat and 30 days of entries",
	    ctl_demo, CTL_PG},
	{"enqueue", "TASK [KWARGS] [--queue Q] [--in S]", "put a job on a queue",
	    ctl_enqueue, CTL_REDIS},
	{"jobs", "list | show ID | ...", "look at jobs, queues and workers, and "
	    "steer them: jobs alone lists its words",
	    ctl_jobs, CTL_CONF},
	{"cron", "list | run NAME", "the schedule; one row of it now", ctl_cron,
	    CTL_REDIS},
	{"import", "FILE --account MAIL [--preview]", "bring the archive of an "
	    "export into an account",
	    ctl_import, CTL_PG},
	{"backup", "list | run | check | verify | restore | keygen",
	    "make, list, try and restore backups (docs/BACKUP.md)",
	    ctl_backup, CTL_CONF},
	{"doctor", "", "look whether everything the service needs is there",
	    ctl_doctor, CTL_CONF},
	{"config", "[sample | markdown]", "list every option of the service",
	    ctl_config, 0},
	{"help", "[COMMAND]", "this text", ctl_help, 0},
};
/* clang-format on */

int
ctl_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("catetubectl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see catetubectl help\n", stderr);
	return CTL_USAGE;
}

int
ctl_fail(const struct ct_err *err)
{
	fputs("catetubectl: ", stderr);
	if (err->nfields == 0)
		fputs(err->msg, stderr);
	for (unsigned i = 0; i < err->nfields; i++)
		fprintf(stderr, "%s%s %s", i > 0 ? "; " : "",
		    err->fields[i].name, err->fields[i].msg);
	fprintf(stderr, "%s%s%s\n", *err->detail ? " (" : "", err->detail,
	    *err->detail ? ")" : "");
	return CTL_FAILED;
}

bool
ctl_flag(int argc, char **argv, const char *flag)
{
	return argc == 2 && strcmp(argv[1], flag) == 0;
}

static int
ctl_config(struct ctl *c, int argc, char **argv)
{
	(void)c;
	if (argc == 1)
		ct_conf_help(stdout);
	else if (ctl_flag(argc, argv, "sample"))
		ct_conf_sample(stdout);
	else if (ctl_flag(argc, argv, "markdown"))
		ct_conf_markdown(stdout);
	else
		return ctl_usage("config takes sample or markdown");
	return 0;
}

static const struct ctl_command *
find(const char *name)
{
	for (size_t i = 0; i < ct_countof(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int
ctl_help(struct ctl *c, int argc, char **argv)
{
	const struct ctl_command *one = argc > 1 ? find(argv[1]) : NULL;

	(void)c;
	if (argc > 2 || (argc == 2 && one == NULL))
		return ctl_usage("help takes the name of one command");
	if (one) {
		printf("catetubectl %s %s\n    %s\n", one->name, one->args,
		    one->help);
		return 0;
	}
	puts("catetubectl [--config FILE] [--json] COMMAND [ARGUMENT...]\n");
	for (size_t i = 0; i < ct_countof(commands); i++)
		printf("  %-9s %-22s %s\n", commands[i].name, commands[i].args,
		    commands[i].help);
	puts("\nExit status: 0 done, 1 failed, 2 called in a wrong way.");
	return 0;
}

static enum ct_rc
prepare(struct ctl *c, unsigned needs, const char *file, struct ct_err *err)
{
	if (needs == 0)
		return CT_OK;
	if (ct_conf_load(&c->conf, file, err) != CT_OK)
		return err->rc;
	c->pg = ct_pg_open(
	    c->conf.database_url, "catetubectl", (int)c->conf.pg_timeout_ms);
	if (ct_redis_open(c->conf.redis_url, (int)c->conf.redis_timeout_ms,
		&c->redis, err) != CT_OK)
		return err->rc;
	if ((needs & CTL_PG) && ct_pg_ready(c->pg, err) != CT_OK)
		return err->rc;
	if ((needs & CTL_REDIS) && ct_redis_ready(c->redis, err) != CT_OK)
		return err->rc;
	return CT_OK;
}

static int
run(const struct ctl_command *cmd, const char *file, bool json, int argc,
    char **argv)
{
	static struct ctl c; /* its strings live as long as the process */
	struct ct_err err;
	int status;

	ct_err_clear(&err);
	c.json = json;
	c.arena = ct_arena_create(ARENA_CAP);
	if (prepare(&c, cmd->needs, file, &err) == CT_OK)
		status = cmd->fn(&c, argc, argv);
	else
		status = ctl_fail(&err);
	ct_arena_destroy(c.arena);
	ct_redis_close(c.redis);
	ct_pg_close(c.pg);
	if (fflush(stdout) != 0 && status == 0) {
		perror("catetubectl: standard output");
		status = CTL_FAILED;
	}
	return status;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	const char *file = NULL;
	bool json = false;
	int o;

	opterr = 0;
	/* '+': what follows the command belongs to the command. */
	while ((o = getopt_long(argc, argv, "+:c:jh", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			file = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			return ctl_help(NULL, 1, argv);
		case ':':
			return ctl_usage("--config needs a file");
		default:
			return ctl_usage("no option %s", argv[optind - 1]);
		}
	}
	if (optind == argc)
		return ctl_usage("which command?");
	const struct ctl_command *cmd = find(argv[optind]);
	if (cmd == NULL)
		return ctl_usage("no command '%s'", argv[optind]);
	/* Commands answer themselves; what the floors below log is for them
	 * only when something is wrong. */
	ct_log_init("ctl", CT_WARN, CT_LOGFMT);
	ct_crypto_init();
	/* --json may stand at the end as well. */
	if (strcmp(argv[argc - 1], "--json") == 0) {
		json = true;
		argc--;
	}
	return run(cmd, file, json, argc - optind, argv + optind);
}
