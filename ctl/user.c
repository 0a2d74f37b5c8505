/* catetubectl user: the rights that no request can give. */
#include <stdio.h>
#include <string.h>

#include "common/cache.h"
#include "ctl/ctl.h"
#include "db/mail.h"
#include "db/totp.h"

enum ct_rc
ctl_drop_copies(struct ctl *c, struct ct_err *err)
{
	const char *url = c->conf.redis_cache_url[0] ? c->conf.redis_cache_url
						     : c->conf.redis_url;
	struct ct_redis *r;

	if (ct_redis_open(url, (int)c->conf.redis_timeout_ms, &r, err) != CT_OK)
		return err->rc;
	ct_cache_owe();
	if (ct_cache_settle(r, err) == CT_OK)
		ct_err_clear(err);
	ct_redis_close(r);
	return err->rc;
}

static int
set_role(struct ctl *c, char **argv)
{
	struct ct_err err;
	struct ct_uuid id;
	char text[CT_UUID_TEXT];

	ct_err_clear(&err);
	if (ct_account_set_role(c->pg, c->arena, ct_str_of(argv[2]),
		ct_str_of(argv[3]), &id, &err) != CT_OK)
		return ctl_fail(&err);
	/* A session's copy in Redis holds the role. */
	if (ctl_drop_copies(c, &err) != CT_OK)
		fputs("catetubectl: Redis is away; sessions show the old role "
		      "for 5 minutes at the most\n",
		    stderr);
	printf(
	    "%s %s is now %s\n", ct_uuid_format(&id, text), argv[2], argv[3]);
	return 0;
}

/* For who lost the phone and all recovery codes, once it is sure who asks. */
static int
totp_off(struct ctl *c, char **argv)
{
	struct ct_account u;
	struct ct_err err;
	struct ct_uuid id;
	char text[CT_UUID_TEXT];

	ct_err_clear(&err);
	if (ct_pg_begin(c->pg, c->arena, false, &err) != CT_OK ||
	    ct_totp_off_by_email(
		c->pg, c->arena, ct_str_of(argv[2]), &id, &err) != CT_OK ||
	    ct_account_get(c->pg, c->arena, &id, &u, &err) != CT_OK ||
	    ct_mail_tell(c->pg, c->arena, &u, "totp_off", &err) != CT_OK ||
	    ct_pg_commit(c->pg, &err) != CT_OK)
		return ctl_fail(&err);
	printf("%s %s logs in without one-time codes now\n",
	    ct_uuid_format(&id, text), argv[2]);
	return 0;
}

int
ctl_user(struct ctl *c, int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "role") == 0 &&
	    (strcmp(argv[3], "admin") == 0 || strcmp(argv[3], "user") == 0))
		return set_role(c, argv);
	if (argc == 3 && strcmp(argv[1], "totp-off") == 0)
		return totp_off(c, argv);
	return ctl_usage("user takes: role EMAIL admin|user, totp-off EMAIL");
}
