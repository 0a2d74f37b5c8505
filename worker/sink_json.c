/* JSON: {report_type, generated_at, data[]}, or one array per section. */
#include "worker/sink.h"

static void
json_open(struct ct_sink *s, const struct ct_report *r,
    CT_UNUSED const struct ct_report_head *head)
{
	ct_jw_obj(&s->jw);
	ct_jw_key(&s->jw, "report_type");
	ct_jw_str(&s->jw, r->kind);
	/* The time it was asked for: a second run gives the same file. */
	ct_jw_key(&s->jw, "generated_at");
	ct_jw_time(&s->jw, r->created_at);
}

static void
json_begin(struct ct_sink *s, const struct ct_report_section *sec,
    CT_UNUSED int index, int sections)
{
	s->columns = sec->columns;
	ct_jw_key(&s->jw, sections > 1 ? sec->json_key : "data");
	ct_jw_arr(&s->jw);
}

static void
json_row(struct ct_sink *s, const void *obj)
{
	ct_jw_obj(&s->jw);
	ct_fields_write(s->columns, obj, &s->jw);
	ct_jw_end(&s->jw);
	ct_sink_flush(s, false);
}

static void
json_end(struct ct_sink *s)
{
	ct_jw_end(&s->jw);
}

const struct ct_sink_format ct_sink_json = {
    "json", false, 0, json_open, json_begin, json_row, json_end, json_end};
