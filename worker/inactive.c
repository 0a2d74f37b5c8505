/* maintenance.inactive: accounts that nobody uses (db/account_life.h). */
#include "db/account_life.h"
#include "worker/job.h"

enum ct_rc
ct_maintenance_inactive(struct ct_job *job, struct ct_err *err)
{
	struct ct_inactive done;

	if (ct_inactive_run(job->pg, job->a, &done, err) != CT_OK)
		return err->rc;
	job->result = ct_str_of(ct_arena_printf(job->a,
	    "{\"warned\":%lld,\"deactivated\":%lld,\"deleted\":%lld}",
	    (long long)done.warned, (long long)done.deactivated,
	    (long long)done.deleted));
	return CT_OK;
}
