/*
 * catetubectl migrate: applies what is missing, or says whether something is.
 */
#include <stdio.h>

#include "common/jw.h"
#include "ctl/ctl.h"
#include "db/migrate.h"

/* ct_migrate's callback has no argument. One migration runs per process. */
static struct {
	bool json;
	size_t n;
	struct ct_jw jw;
} out;

static void
applied(const char *name)
{
	out.n++;
	if (out.json) {
		ct_jw_cstr(&out.jw, name);
		return;
	}
	printf("applied %s\n", name);
	fflush(stdout);
}

static int
check(struct ctl *c)
{
	struct ct_err err;

	ct_err_clear(&err);
	if (ct_migrate_check(c->pg, &err) != CT_OK)
		return ctl_fail(&err);
	puts(c->json ? "{\"up_to_date\":true}" : "up to date");
	return 0;
}

int
ctl_migrate(struct ctl *c, int argc, char **argv)
{
	struct ct_err err;
	struct ct_buf b;

	if (ctl_flag(argc, argv, "--check"))
		return check(c);
	if (argc > 1)
		return ctl_usage("migrate takes --check or nothing");
	ct_err_clear(&err);
	ct_buf_init(&b, c->arena, 1024);
	ct_jw_init(&out.jw, &b);
	out.json = c->json;
	ct_jw_obj(&out.jw);
	ct_jw_key(&out.jw, "applied");
	ct_jw_arr(&out.jw);
	enum ct_rc rc = ct_migrate(c->pg, applied, &err);
	ct_jw_end(&out.jw);
	ct_jw_end(&out.jw);
	if (c->json)
		printf("%.*s\n", CT_STR_FMT(ct_buf_str(&b)));
	else if (rc == CT_OK && out.n == 0)
		puts("up to date");
	return rc == CT_OK ? 0 : ctl_fail(&err);
}
