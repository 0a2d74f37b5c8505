/*
 * What answers hold, for the API document: a shape that more than one place
 * names, or that hand-written code writes. Routes name them in their `out`.
 * tests/api/test_openapi.py holds them against real answers.
 */
#include "common/jobs.h"
#include "db/account.h"
#include "db/admin.h"
#include "db/api_token.h"
#include "db/cat.h"
#include "db/invite.h"
#include "db/member.h"
#include "db/preference.h"
#include "db/report_schedule.h"
#include "db/session.h"
#include "db/target.h"
#include "db/webhook.h"
#include "fcgi/openapi.h"

#define PAGE                                                                   \
	"page:int? pages:int? per_page:int total:int? has_next:bool "          \
	"has_prev:bool next_cursor:string?"
#define DAY                                                                    \
	"id:uuid target_date:day care_day:day day_start:string=00:00 "         \
	"day_hours:decimal daily_target_ml:decimal total_fed_ml:decimal "      \
	"remaining_ml:decimal over_ml:decimal progress_percentage:decimal "    \
	"feeding_count:int is_completed:bool is_overdue:bool "                 \
	"last_feeding:LastFeeding? next_due:any last_updated:time "            \
	"created_at:time"

const struct ct_shape ct_shapes[] = {
    {"Error", NULL,
	"error:string code:string=not_found fields?:map current?:any "
	"warnings?:any cats?:any "
	"request_id:string",
	"error: a sentence for a person; code: a stable word; fields: what is "
	"wrong with each field; current: the entry as it is now"},
    {"Message", NULL, "message:string", NULL},
    {"By", NULL, "id:uuid? name:string=Ann", "who logged it"},
    {"Pagination", NULL, PAGE,
	"per_page is at most 100; after a cursor page, pages and total are "
	"null"},
    {"FeedingAdded", NULL,
	"message:string previous_remaining?:decimal data:Feeding "
	"tracker:Tracker warnings:[Warning]",
	"the entry, the day with it, and what to know about it"},
    {"Warning", NULL,
	"code:string=double_feed message:string by?:string=Ann "
	"minutes_ago?:int amount_ml?:decimal time_given?:time "
	"medication_name?:string dosage?:string change_percent?:decimal "
	"reference_weight_g?:int reference_weight_kg?:decimal "
	"level?:string=vet minutes_after?:int count?:int items?:[string]",
	"never blocks; what follows the message goes with the code"},
    {"Event", NULL,
	"at:time by:By action:string=change noun:string=feeding noun_id:uuid? "
	"before:any",
	"a change of an entry, with its values before"},
    {"Events", NULL, "events:[Event] pagination:Pagination", "newest first"},
    {"LastFeeding", NULL, "time_given:time amount_ml:decimal by:string?=Ann",
	NULL},
    {"Tracker", NULL, DAY, "a care day of a cat"},
    {"TrackerDone", NULL,
	"message:string deleted_feedings?:int tracker:Tracker", NULL},
    {"LastDose", NULL,
	"time_given:time medication_name:string dosage:string by:string=Ann",
	NULL},
    {"LastWeight", NULL, "time_given:time weight_kg:decimal", NULL},
    {"State", NULL,
	"cat_id:uuid name:string=Miso members:int today:Tracker "
	"last_meal:LastFeeding? last_medication:LastDose? "
	"last_weight:LastWeight? next_due:any alerts:any",
	"a cat at a glance"},
    {"TimelineItem", NULL, "kind:string=feeding entry:any",
	"entry: as its own list has it"},
    {"Timeline", NULL, "timeline:[TimelineItem] pagination:Pagination",
	"entries of all kinds, newest first"},
    {"Handover", NULL,
	"since:time counts:any fed_ml:decimal today:Tracker "
	"last_medication:LastDose? timeline:[TimelineItem]",
	"counts: entries of each kind since; timeline: the newest 100"},
    {"History", NULL, "trackers:[Tracker] total_count:int", "newest first"},
    {"Stats", NULL,
	"days:int total_days:int completed_days:int completion_rate:decimal "
	"average_daily_intake:decimal average_feedings_per_day:decimal",
	"total_days: those on which something was logged"},
    {"CleanupOld", NULL, "message:string deleted_count:int", NULL},
    {"Cat", &ct_cat_fields, NULL, "a cat, with the asker's role"},
    {"Cats", NULL, "cats:[Cat]", "the default one first"},
    {"CatDone", NULL, "message:string data:Cat", NULL},
    {"Target", &ct_target_fields, NULL, NULL},
    {"Targets", NULL, "targets:[Target]", "newest first, at most 366"},
    {"TargetDone", NULL, "message:string data:Target", NULL},
    {"Member", &ct_member_fields, NULL, "somebody who takes care of a cat"},
    {"Members", NULL, "members:[Member]", "owners first"},
    {"Invite", &ct_invite_fields, NULL, "an invitation without its token"},
    {"Invites", NULL, "invites:[Invite]", "newest first"},
    {"InviteMade", NULL,
	"message:string id:uuid token:string link:string expires_at:time",
	"token, link: shown this once"},
    {"Report", NULL,
	"report_id:uuid type:string=feeding format:string=csv "
	"status:string=completed progress:int "
	"rows_done:int ready_for_download:bool error?:string created_at:time "
	"expires_at:time?",
	"status: processing, completed or error"},
    {"ReportStarted", NULL,
	"report_id:uuid status:string=processing message:string", NULL},
    {"Reports", NULL, "active_reports:[Report]", NULL},
    {"Schedule", &ct_report_schedule_fields, NULL,
	"a report that comes by mail each week"},
    {"Schedules", NULL, "schedules:[Schedule]", "oldest first"},
    {"ScheduleDone", NULL, "message:string data:Schedule", NULL},
    {"ImportStarted", NULL,
	"import_id:uuid mode:string=preview status:string=processing "
	"message:string",
	NULL},
    {"ImportCounts", NULL, "new:int same:int conflicting:int refused:int",
	"conflicting: there already with other contents, and left alone"},
    {"ImportCat", NULL,
	"directory:string=cat-01 cat_id:uuid? name:string=Miso is_new:bool "
	"is_written:bool counts:any",
	"a directory of the archive; cat_id: the cat that it becomes, null: it "
	"was refused; counts: of each file"},
    {"ImportProblem", NULL,
	"what:string=refused file:string=cat-01/feeding.json line:int? "
	"field:string?=amount_ml reason:string",
	"what: refused or conflicting"},
    {"ImportSummary", NULL,
	"cats:[ImportCat] preferences:ImportCounts total:ImportCounts "
	"problems:[ImportProblem] problem_count:int",
	"the first 100 problems"},
    {"Import", NULL,
	"import_id:uuid mode:string=preview status:string=completed "
	"progress:int byte_count:int rows_done:int summary:ImportSummary? "
	"error:string? created_at:time finished_at:time? expires_at:time",
	"mode: preview or run; status: processing, completed or error"},
    {"Imports", NULL, "imports:[Import]", "newest first"},
    {"User", &ct_account_fields, NULL, "the account and its default cat"},
    {"Me", NULL, "user:User", NULL},
    {"UserDone", NULL, "message:string user:User", NULL},
    {"Token", &ct_api_token_fields, NULL, "an API token without its text"},
    {"Tokens", NULL, "tokens:[Token]", "newest first"},
    {"TokenMade", NULL, "message:string token:string data:Token",
	"token: its text, shown this once"},
    {"Webhook", &ct_webhook_fields, NULL, "a webhook without its secret"},
    {"Webhooks", NULL, "webhooks:[Webhook]", "newest first"},
    {"WebhookMade", NULL, "message:string secret:string data:Webhook",
	"secret: shown this once; see docs/WEBHOOKS.md"},
    {"WebhookDone", NULL, "message:string data:Webhook", NULL},
    {"Delivery", &ct_delivery_fields, "type:string=entry.added", NULL},
    {"Deliveries", NULL, "deliveries:[Delivery]", "newest first"},
    {"DeliveryMade", NULL, "message:string delivery_id:uuid", NULL},
    {"CleanupResult", NULL, "warned:int deactivated:int deleted:int", NULL},
    {"CleanupDone", NULL, "message:string result:CleanupResult", NULL},
    {"Session", &ct_session_fields, NULL, NULL},
    {"Sessions", NULL, "sessions:[Session]", "last used first"},
    {"SessionsEnded", NULL, "message:string ended:int", NULL},
    {"Totp", NULL, "enabled:bool recovery_codes_left:int", NULL},
    {"TotpBegun", NULL,
	"message:string secret:string otpauth_uri:string qr_svg:string",
	"qr_svg: the URI as a picture"},
    {"TotpDone", NULL, "message:string recovery_codes:[string]",
	"ten codes, shown this once"},
    {"Preferences", &ct_preference_fields, NULL, NULL},
    {"AdminAccount", &ct_admin_account_fields, NULL,
	"an account, without anything about cats"},
    {"AdminAccounts", NULL, "accounts:[AdminAccount] pagination:Pagination",
	NULL},
    {"AdminDone", NULL, "message:string data:AdminAccount", NULL},
    {"AdminEvent", &ct_admin_event_fields, NULL, "who did what to an account"},
    {"AdminEvents", NULL, "events:[AdminEvent] pagination:Pagination", NULL},
    {"Job", &ct_job_info_fields, NULL,
	"a job; of its arguments only names and ids"},
    {"Jobs", NULL, "jobs:[Job] next:string?",
	"next: cursor of the next page, which may hold more even where this "
	"one "
	"is short"},
    {"JobDone", NULL, "message:string data:Job", NULL},
    {"DeadDone", NULL, "message:string count:int more:bool",
	"more: ask again for the rest"},
    {"Queue", &ct_queue_info_fields, NULL, NULL},
    {"Queues", NULL, "queues:[Queue] scheduled:int dead:int",
	"scheduled: jobs that wait for their time"},
    {"QueueDone", NULL, "message:string queue:string=reports changed:bool",
	NULL},
    {"NodeJob", NULL, "id:string task:string began_at:time?", NULL},
    {"Node", &ct_node_info_fields, "running:[NodeJob]", "a worker node"},
    {"Nodes", NULL, "nodes:[Node]", NULL},
    {"NodeDone", NULL, "message:string node:string", NULL},
    {"JobCheck", NULL, "check:string=queues result:string=ok detail:string",
	"result: ok, WARN or FAIL"},
    {"JobChecks", NULL, "checks:[JobCheck]", NULL},
    {"Root", NULL, "message:string version:string=v1 status:string=running",
	NULL},
    {"Alive", NULL, "status:string=alive", NULL},
    {"Checks", NULL,
	"database:string=ok cache:string=ok queue:string=ok storage:string=ok "
	"external:string=none",
	"ok, down or none"},
    {"Health", NULL, "status:string=healthy timestamp:time checks:Checks",
	"status: healthy, degraded or unhealthy"},
};
const size_t ct_shapes_n = ct_countof(ct_shapes);
