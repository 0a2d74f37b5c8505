/*
 * The cluster is run by user postgres when we are root, because PostgreSQL
 * refuses to run as root; else by ourselves.
 */
#include "tests/support/private_pg.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "db/pg.h"

#define START_MS 30000

static char bin_dir[128];

static void
die(const struct private_pg *c, const char *what)
{
	fprintf(stderr, "private_pg: %s: %s\n", what, strerror(errno));
	if (c) {
		char line[512];
		snprintf(line, sizeof(line), "%s/log", c->dir);
		FILE *f = fopen(line, "r");
		while (f && fgets(line, sizeof(line), f))
			fputs(line, stderr);
		if (f)
			fclose(f);
		if (c->pid)
			kill(c->pid, SIGQUIT);
	}
	abort();
}

#define ARGS_MAX 40

/* $CT_PG_BIN, else the newest one that Debian has installed. */
static void
find_bin(void)
{
	const char *env = getenv("CT_PG_BIN");
	glob_t g;

	if (bin_dir[0])
		return;
	if (env) {
		snprintf(bin_dir, sizeof(bin_dir), "%s", env);
		return;
	}
	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) != 0)
		die(NULL, "no PostgreSQL server is installed");
	snprintf(bin_dir, sizeof(bin_dir), "%s", g.gl_pathv[g.gl_pathc - 1]);
	globfree(&g);
}

/* In the child: become postgres, send output to the log, run argv. */
static void
run_child(const struct private_pg *c, const char *const *argv)
{
	char path[256];
	const char *args[ARGS_MAX + 1] = {0};
	struct passwd *pw = getuid() == 0 ? getpwnam("postgres") : NULL;

	snprintf(path, sizeof(path), "%s/log", c->dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	if (pw && (initgroups(pw->pw_name, pw->pw_gid) != 0 ||
		      setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0))
		_exit(126);
	/* After setuid, which clears it. SIGQUIT: stop without a checkpoint. */
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (chdir(c->dir) != 0)
		_exit(126);
	/* By its whole name: it looks beside itself for the other programs. */
	snprintf(path, sizeof(path), "%s/%s", bin_dir, argv[0]);
	args[0] = path;
	for (int i = 1; argv[i - 1] && i < ARGS_MAX; i++)
		args[i] = argv[i];
	execv(path, (char *const *)(uintptr_t)args);
	_exit(127);
}

static pid_t
spawn(const struct private_pg *c, const char *const *argv)
{
	fflush(NULL);
	pid_t pid = fork();

	if (pid < 0)
		die(c, "fork");
	if (pid == 0)
		run_child(c, argv);
	return pid;
}

static int
reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static void
make_dir(struct private_pg *c)
{
	struct passwd *pw = getpwnam("postgres");

	snprintf(c->dir, sizeof(c->dir), "/tmp/ct-pg-XXXXXX");
	if (mkdtemp(c->dir) == NULL)
		die(NULL, "mkdtemp");
	if (getuid() == 0 &&
	    (pw == NULL || chown(c->dir, pw->pw_uid, pw->pw_gid) != 0))
		die(NULL, "chown to postgres");
	if (chmod(c->dir, 0755) != 0)
		die(NULL, "chmod");
}

struct private_pg *
private_pg_new(void)
{
	static const char *const initdb[] = {"initdb", "--no-sync", "-A",
	    "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D",
	    "data", NULL};
	struct private_pg *c = calloc(1, sizeof(*c));

	if (c == NULL)
		die(NULL, "out of memory");
	find_bin();
	make_dir(c);
	snprintf(c->url, sizeof(c->url),
	    "host=%s user=postgres dbname=postgres", c->dir);
	if (reap(spawn(c, initdb)) != 0)
		die(c, "initdb");
	private_pg_start(c);
	return c;
}

static bool
answers(const struct private_pg *c, int64_t timeout_ms)
{
	struct ct_err err;
	struct ct_pg *pg = ct_pg_open(c->url, "private_pg", 2000);
	int64_t until = ct_mono_ms() + timeout_ms;
	bool up = false;

	while (!(up = ct_pg_ready(pg, &err) == CT_OK) && ct_mono_ms() < until)
		usleep(10000);
	ct_pg_close(pg);
	return up;
}

void
private_pg_start(struct private_pg *c)
{
	const char *const postgres[] = {"postgres", "-D", "data", "-k", c->dir,
	    "-c", "listen_addresses=", "-c", "fsync=off", "-c",
	    "full_page_writes=off", "-c", "max_connections=60", "-c",
	    "shared_buffers=32MB", "-c", "autovacuum=off", "-c",
	    "unix_socket_permissions=0777", NULL};

	c->pid = spawn(c, postgres);
	if (!answers(c, START_MS))
		die(c, "no answer");
}

void
private_pg_stop(struct private_pg *c)
{
	if (c->pid == 0)
		return;
	kill(c->pid, SIGCONT);
	kill(c->pid, SIGINT);
	reap(c->pid);
	c->pid = 0;
}

void
private_pg_kill(struct private_pg *c)
{
	char path[128];

	kill(c->pid, SIGKILL);
	reap(c->pid);
	c->pid = 0;
	/* A pid file of a dead process would still hold up the next start
	 * while backends end; they do so as soon as they look. */
	snprintf(path, sizeof(path), "%s/data/postmaster.pid", c->dir);
	unlink(path);
}

static void
signal_all(const struct private_pg *c, int sig)
{
	char path[64];
	char pid[16];

	kill(c->pid, sig);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)c->pid,
	    (int)c->pid);
	FILE *f = fopen(path, "r");
	while (f && fscanf(f, "%15s", pid) == 1)
		kill((pid_t)atoi(pid), sig);
	if (f)
		fclose(f);
}

void
private_pg_freeze(struct private_pg *c)
{
	signal_all(c, SIGSTOP);
}

void
private_pg_thaw(struct private_pg *c)
{
	signal_all(c, SIGCONT);
}

const char *
private_pg_database(struct private_pg *c, const char *name)
{
	static char url[200];
	char sql[100];
	struct ct_err err;
	struct ct_pg *pg = ct_pg_open(c->url, "private_pg", 20000);

	snprintf(sql, sizeof(sql), "create database %s", name);
	if (ct_pg_script(pg, sql, &err) != CT_OK)
		die(c, err.detail);
	ct_pg_close(pg);
	snprintf(
	    url, sizeof(url), "host=%s user=postgres dbname=%s", c->dir, name);
	return url;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
private_pg_free(struct private_pg *c)
{
	if (c == NULL)
		return;
	private_pg_stop(c);
	nftw(c->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(c);
}
