/* catetubectl user: the rights that no request can give. */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "db/account.h"

/*
 * The role of a signed-in account is cached with its session for minutes at
 * the most; log-out and log-in show it at once.
 */
int
ctl_user(struct ctl *c, int argc, char **argv)
{
	struct ct_err err;
	struct ct_uuid id;
	char text[CT_UUID_TEXT];

	if (argc != 4 || strcmp(argv[1], "role") != 0 ||
	    (strcmp(argv[3], "admin") != 0 && strcmp(argv[3], "user") != 0))
		return ctl_usage("user takes: role EMAIL admin|user");
	ct_err_clear(&err);
	if (ct_account_set_role(c->pg, c->arena, ct_str_of(argv[2]),
		ct_str_of(argv[3]), &id, &err) != CT_OK)
		return ctl_fail(&err);
	printf(
	    "%s %s is now %s\n", ct_uuid_format(&id, text), argv[2], argv[3]);
	return 0;
}
