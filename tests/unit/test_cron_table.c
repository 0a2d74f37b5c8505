/*
 * The schedule as it is written in the configuration: what each row means, and
 * that a bad one is refused with its option's name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/cron_table.h"
#include "common/json.h"

static struct ct_err err;
static struct ct_cron_plan plan[CT_CRON_ROWS_MAX];

static const struct ct_cron_plan *
planned(const char *name)
{
	for (size_t i = 0; i < ct_cron_rows_n; i++)
		if (strcmp(plan[i].row->name, name) == 0)
			return &plan[i];
	fail_msg("no row %s", name);
	return NULL;
}

static struct ct_conf conf; /* its texts live as long as the process */

static int
load(void **state)
{
	(void)state;
	ct_err_clear(&err);
	return ct_conf_load(&conf, NULL, &err) == CT_OK ? 0 : -1;
}

/* The purge with that value. */
static enum ct_rc
purge(const char *value)
{
	struct ct_conf c = conf;

	c.cron_purge = value;
	ct_err_clear(&err);
	return ct_cron_plan(&c, plan, &err);
}

static void
rows(void **state)
{
	struct ct_arena *a = ct_arena_create(1 << 20);
	const struct ct_json *kwargs;

	(void)state;
	assert_int_equal(purge("@daily"), CT_OK);
	for (size_t i = 0; i < ct_cron_rows_n; i++) {
		const struct ct_cron_row *row = &ct_cron_rows[i];

		assert_ptr_equal(ct_cron_row(ct_str_of(row->name)), row);
		assert_true(row->task[0] && row->queue[0]);
		assert_in_range(row->most, 1, CT_CRON_ALL);
		if (ct_json_parse(
			a, ct_str_of(row->kwargs), 8, &kwargs, &err) != CT_OK)
			fail_msg("%s: %s", row->name, err.msg);
		assert_int_equal(ct_json_type(kwargs), CT_JSON_OBJECT);
	}
	assert_null(ct_cron_row(CT_STR("nothing")));
	assert_true(planned("reports")->on);
	ct_arena_destroy(a);
}

/* Nothing to do without a place for backups, or a database to try them in. */
static void
needs(void **state)
{
	struct ct_conf c = conf;

	(void)state;
	c.backup_to = c.backup_verify_url = "";
	assert_int_equal(ct_cron_plan(&c, plan, &err), CT_OK);
	assert_false(planned("backup")->on);
	assert_false(planned("verify")->on);
	c.backup_to = "/backups";
	assert_int_equal(ct_cron_plan(&c, plan, &err), CT_OK);
	assert_true(planned("backup")->on);
	assert_false(planned("verify")->on);
	c.backup_verify_url = "postgresql://localhost/";
	assert_int_equal(ct_cron_plan(&c, plan, &err), CT_OK);
	assert_true(planned("verify")->on);
	c.cron_backup = "off";
	assert_int_equal(ct_cron_plan(&c, plan, &err), CT_OK);
	assert_false(planned("backup")->on);
}

static void
values(void **state)
{
	const struct ct_cron_plan *p;

	(void)state;
	assert_int_equal(purge("off"), CT_OK);
	assert_false(planned("purge")->on);

	assert_int_equal(purge("30 3 * * *"), CT_OK);
	p = planned("purge");
	assert_true(p->on);
	assert_string_equal(p->when.zone, "UTC");
	assert_int_equal(p->misfire, CT_MISFIRE_LATEST);
	assert_false(p->overlap);
	assert_int_equal(ct_cron_next(&p->when, 0), 3 * 3600 + 30 * 60);

	assert_int_equal(purge("  15 2 * * mon  Europe/Berlin  misfire=all:7 "
			       "overlap=allow "),
	    CT_OK);
	p = planned("purge");
	assert_string_equal(p->when.zone, "Europe/Berlin");
	assert_int_equal(p->misfire, CT_MISFIRE_ALL);
	assert_int_equal(p->most, 7);
	assert_true(p->overlap);

	assert_int_equal(
	    purge("@daily Asia/Tokyo overlap=skip misfire=skip"), CT_OK);
	p = planned("purge");
	assert_string_equal(p->when.zone, "Asia/Tokyo");
	assert_int_equal(p->misfire, CT_MISFIRE_SKIP);
	assert_false(p->overlap);

	assert_int_equal(purge("@every 90s"), CT_OK);
	assert_int_equal(planned("purge")->when.every_s, 90);
}

static void
zone_of_all(void **state)
{
	const char *utc = conf.cron_zone;

	(void)state;
	conf.cron_zone = "America/New_York";
	assert_int_equal(purge("0 0 * * *"), CT_OK);
	assert_string_equal(planned("purge")->when.zone, "America/New_York");
	assert_string_equal(planned("reports")->when.zone, "America/New_York");
	conf.cron_zone = "Middle/Earth";
	assert_int_equal(purge("off"), CT_INVALID);
	assert_non_null(strstr(err.msg, "CATETUBE_CRON_ZONE"));
	conf.cron_zone = utc;
}

static void
refused(void **state)
{
	static const char *const bad[] = {"", "on", "OFF", "off misfire=skip",
	    "misfire=skip", "61 * * * *", "* * * * * Middle/Earth",
	    "* * * * * UTC UTC", "Europe/Berlin * * * * *",
	    "* * * * * misfire=", "* * * * * misfire=all",
	    "* * * * * misfire=all:0", "* * * * * misfire=all:101",
	    "* * * * * misfire=all:x", "* * * * * misfire=never",
	    "* * * * * overlap=yes", "* * * * * =skip", "* * * * * foo=bar",
	    "* * * * * overlap=skip UTC", "0 0 30 2 *", "@daily UTC UTC",
	    "@every UTC", "@every 5m5 UTC", "@hourly,"};

	(void)state;
	for (size_t i = 0; i < ct_countof(bad); i++) {
		if (purge(bad[i]) != CT_INVALID)
			fail_msg("taken: \"%s\"", bad[i]);
		if (strncmp(err.msg, "CATETUBE_CRON_PURGE: ", 21) != 0)
			fail_msg("\"%s\": %s", bad[i], err.msg);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows),
	    cmocka_unit_test(needs),
	    cmocka_unit_test(values),
	    cmocka_unit_test(zone_of_all),
	    cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
