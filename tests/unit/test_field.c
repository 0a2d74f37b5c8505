/*
 * Field tables: what a body may hold, the sentence for what it may not, and
 * the way out again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/field.h"
#include "tests/unit/capture.h"

#define NOON_US INT64_C(1795348800000000) /* 2026-11-22T12:00:00Z */

struct thing {
	int before;
	struct ct_uuid id;
	int64_t amount_ul;
	int64_t weight_mkg;
	int64_t count;
	int64_t free_int;
	int64_t free_milli;
	int64_t given_us;
	int64_t late_us;
	int32_t day;
	int32_t late_day;
	bool flag;
	struct ct_str name;
	struct ct_str note;
	struct ct_str password;
	struct ct_str route;
	struct ct_str initial;
	struct ct_str extra;
	int64_t version;
	int64_t minutes;
	struct ct_uuid cat_id;
	int64_t held;
	int64_t seen_it;
	int after;
};

static const char *const routes[] = {"tube", "oral", NULL};
static const char *const many[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "d", NULL};

#define AT(m) offsetof(struct thing, m)
static const struct ct_field rows[] = {
    {"id", CT_T_UUID, AT(id), CT_F_CREATE, 0, 0, 0, 0, 0, 0},
    {"amount_ml", CT_T_VOLUME, AT(amount_ul), CT_F_REQUIRED, 1, 200000, 0, 0,
	"mL", 0},
    {"weight", CT_T_MILLI, AT(weight_mkg), CT_F_NULLABLE, 500, 20000, 0, 0,
	"kg", 0},
    {"count", CT_T_INT, AT(count), 0, 5, 9, 0, 0, 0, 0},
    {"free", CT_T_INT, AT(free_int), 0, 0, 0, 0, 0, 0, 0},
    {"free_milli", CT_T_MILLI, AT(free_milli), 0, 0, 0, 0, 0, 0, 0},
    {"given", CT_T_TIME, AT(given_us), CT_F_NULLABLE, 0, 0, 0, 0, 0, 0},
    {"late", CT_T_TIME, AT(late_us), 0, NOON_US, INT64_MAX, 0, 0, 0, 0},
    {"day", CT_T_DAY, AT(day), CT_F_NULLABLE, 0, 0, 0, 0, 0, 0},
    {"late_day", CT_T_DAY, AT(late_day), 0, 20779, 20780, 0, 0, 0, 0},
    {"flag", CT_T_BOOL, AT(flag), 0, 0, 0, 0, 0, 0, 0},
    {"name", CT_T_TEXT, AT(name), CT_F_REQUIRED, 1, 5, 0, 0, 0, 0},
    {"note", CT_T_TEXT, AT(note), CT_F_NULLABLE, 0, 100, 0, 0, 0, 0},
    {"password", CT_T_TEXT, AT(password), CT_F_NOTRIM | CT_F_HIDDEN, 8, 64, 0,
	0, 0, 0},
    {"route", CT_T_ENUM, AT(route), CT_F_NULLABLE, 0, 0, 0, routes, 0, 0},
    {"many", CT_T_ENUM, AT(route), CT_F_HIDDEN, 0, 0, 0, many, 0, 0},
    {"initial", CT_T_TEXT, AT(initial), 0, 0, 1, 0, 0, 0, 0},
    {"extra", CT_T_JSON, AT(extra), 0, 0, 0, 0, 0, 0, 0},
    {"version", CT_T_INT, AT(version), CT_F_READONLY, 0, 0, 0, 0, 0, 0},
    {"minutes", CT_T_INT, AT(minutes), CT_F_NULLABLE, 1, 60, 0, 0, "min", 0},
    {"cat_id", CT_T_UUID, AT(cat_id), CT_F_NULLABLE, 0, 0, 0, 0, 0, 0},
    {"held", CT_T_INT, AT(held), CT_F_CHANGE | CT_F_HIDDEN, 1, 9, 0, 0, 0, 0},
    {"seen_it", CT_T_BOOL, AT(seen_it), CT_F_NULLABLE, 0, 0, 0, 0, 0, 0},
};
static const struct ct_fields table = CT_FIELDS("thing", struct thing, rows);

static struct ct_arena *arena;
static struct ct_err err;
static struct thing thing;
static uint64_t seen;

static int
setup(void **state CT_UNUSED)
{
	arena = ct_arena_create(1024 * 1024);
	ct_err_clear(&err);
	memset(&thing, 0, sizeof(thing));
	ct_fields_clear(&table, &thing);
	return 0;
}

static int
teardown(void **state CT_UNUSED)
{
	ct_arena_destroy(arena);
	return 0;
}

static enum ct_rc
bind(enum ct_bind_mode mode, const char *text)
{
	const struct ct_json *v;

	ct_err_clear(&err);
	if (ct_json_parse(arena, ct_str_of(text), 8, &v, &err) != CT_OK)
		fail_msg("%s: %s", text, err.msg);
	return ct_fields_bind(&table, mode, v, arena, &thing, &seen, &err);
}

static bool
is_seen(const char *name)
{
	return seen >> (ct_fields_find(&table, name) - rows) & 1;
}

static const char time_like[] = "must be a time with an offset, such "
				"as 2026-11-22T02:10:00+01:00";
static const char day_like[] = "must be a day, such as 2026-11-22";
static const char whole[] = "must be a whole number";
static const char decimals[] = "must have at most 3 decimals";
static const char id[] = "must be an id (UUID)";
static const char controls[] = "must not contain control characters";
static const struct {
	const char *field;
	const char *value;
	const char *msg;
} sentences[] = {
    {"amount_ml", "0", "must be greater than 0"},
    {"amount_ml", "-3.5", "must be greater than 0"},
    {"amount_ml", "-1e300", "must be greater than 0"},
    {"amount_ml", "200.001", "must be at most 200 mL"},
    {"amount_ml", "1e300", "must be at most 200 mL"},
    {"amount_ml", "0.0001", decimals},
    {"amount_ml", "\"5\"", "must be a number"},
    {"amount_ml", "true", "must be a number"},
    {"amount_ml", "null", "must not be null"},
    {"weight", "0.499", "must be at least 0.5 kg"},
    {"weight", "21", "must be at most 20 kg"},
    {"count", "4", "must be at least 5"},
    {"count", "10", "must be at most 9"},
    {"count", "1e300", "must be at most 9"},
    {"count", "5.5", whole},
    {"count", "\"5\"", whole},
    {"free", "9007199254740993", "is out of range"},
    {"free_milli", "1e300", "is out of range"},
    {"minutes", "0", "must be greater than 0"},
    {"minutes", "61", "must be at most 60 min"},
    {"given", "5", time_like},
    {"given", "\"yesterday\"", time_like},
    {"given", "\"2026-11-22T02:10:00\"",
	"needs an offset from UTC, such as Z or +01:00"},
    {"given", "\"1969-11-22T02:10:00Z\"", "must lie in the years 1970 to 2199"},
    {"late", "\"2026-11-22T11:59:59Z\"",
	"must be at least 2026-11-22T12:00:00Z"},
    {"day", "\"2026-02-30\"", day_like},
    {"day", "20779", day_like},
    {"late_day", "\"2026-11-21\"", "must be at least 2026-11-22"},
    {"late_day", "\"2026-11-24\"", "must be at most 2026-11-23"},
    {"flag", "1", "must be true or false"},
    {"flag", "\"true\"", "must be true or false"},
    {"flag", "null", "must not be null"},
    {"name", "5", "must be a string"},
    {"name", "[]", "must be a string"},
    {"name", "\"\"", "must not be empty"},
    {"name", "\" \\t \"", "must not be empty"},
    {"name", "\"abcdef\"", "must be at most 5 characters"},
    {"name", "\"a\\rb\"", controls},
    {"name", "\"a\\u001bb\"", controls},
    {"name", "\"a\\u007f\"", controls},
    {"name", "\"a\\u0085\"", controls},
    {"initial", "\"ab\"", "must be at most 1 character"},
    {"password", "\"1234567\"", "must be at least 8 characters"},
    {"password", "\"\"", "must not be empty"},
    {"route", "\"Tube\"", "must be one of tube, oral"},
    {"route", "\"\"", "must be one of tube, oral"},
    {"route", "3", "must be one of tube, oral"},
    {"cat_id", "\"018f\"", id},
    {"cat_id", "7", id},
    {"cat_id", "\"00000000-0000-0000-0000-000000000000\"", id},
    {"version", "3", "cannot be set"},
    {"version", "null", "cannot be set"},
    {"extra", "{}", "cannot be set"},
    {"id", "\"018f0000-0000-7000-8000-000000000001\"", "cannot be changed"},
    {"Name", "\"a\"", "is not a known field"},
    {"account_id", "null", "is not a known field"},
};

static void
test_sentences(void **state CT_UNUSED)
{
	char text[200];

	for (size_t i = 0; i < ct_countof(sentences); i++) {
		snprintf(text, sizeof(text), "{\"%s\":%s}", sentences[i].field,
		    sentences[i].value);
		if (bind(CT_BIND_PATCH, text) != CT_INVALID)
			fail_msg("taken: %s", text);
		assert_int_equal(err.nfields, 1);
		assert_string_equal(err.fields[0].name, sentences[i].field);
		assert_string_equal(err.fields[0].msg, sentences[i].msg);
	}
}

static void
test_create(void **state CT_UNUSED)
{
	assert_int_equal(
	    bind(CT_BIND_CREATE,
		"{\"id\":\"018f0000-0000-7000-8000-000000000001\","
		"\"amount_ml\":209.7e-1,\"weight\":4.125,"
		"\"count\":9,\"flag\":true,\"name\":\" Bj\xc3\xb6rn"
		"\\t\",\"note\":\"a\\n\\tb\",\"route\":\"oral\","
		"\"password\":\" 12345 7\","
		"\"given\":\"2026-11-22T13:00:00+01:00\","
		"\"day\":\"2026-11-22\",\"minutes\":1}"),
	    CT_OK);
	assert_int_equal(thing.id.b[15], 1);
	assert_int_equal(thing.amount_ul, 20970);
	assert_int_equal(thing.weight_mkg, 4125);
	assert_int_equal(thing.count, 9);
	assert_int_equal(thing.minutes, 1);
	assert_int_equal(thing.given_us, NOON_US);
	assert_int_equal(thing.day, 20779);
	assert_true(thing.flag);
	assert_true(ct_str_is(thing.name, "Bj\xc3\xb6rn"));
	assert_true(ct_str_is(thing.note, "a\n\tb"));
	assert_true(ct_str_is(thing.route, "oral"));
	assert_true(ct_str_is(thing.password, " 12345 7"));
	assert_int_equal(thing.before, 0);
	assert_int_equal(thing.after, 0);
	assert_true(is_seen("weight"));
	assert_false(is_seen("cat_id"));
	assert_false(is_seen("free"));
}

static void
test_create_requires(void **state CT_UNUSED)
{
	assert_int_equal(
	    bind(CT_BIND_CREATE, "{\"bogus\":1,\"flag\":2}"), CT_INVALID);
	assert_int_equal(err.nfields, 4);
	assert_string_equal(err.fields[0].name, "bogus");
	assert_string_equal(err.fields[1].name, "flag");
	assert_string_equal(err.fields[2].name, "amount_ml");
	assert_string_equal(err.fields[2].msg, "is required");
	assert_string_equal(err.fields[3].name, "name");
	assert_string_equal(err.code, "invalid");
}

/* What a patch lacks stays; a null empties; nothing is required. */
static void
test_patch(void **state CT_UNUSED)
{
	thing.count = 7;
	thing.weight_mkg = 4000;
	thing.given_us = 5;
	thing.day = 5;
	thing.minutes = 5;
	thing.cat_id.b[0] = 1;
	thing.note = thing.route = CT_STR("tube");
	assert_int_equal(bind(CT_BIND_PATCH, "{}"), CT_OK);
	assert_int_equal(seen, 0);
	assert_int_equal(thing.count, 7);
	assert_true(ct_str_is(thing.note, "tube"));
	assert_int_equal(
	    bind(CT_BIND_PATCH, "{\"weight\":null,\"given\":null,\"day\":null,"
				"\"note\":null,\"route\":null,\"cat_id\":null,"
				"\"minutes\":null}"),
	    CT_OK);
	assert_int_equal(thing.weight_mkg, CT_NULL_I64);
	assert_int_equal(thing.given_us, CT_NULL_I64);
	assert_int_equal(thing.minutes, CT_NULL_I64);
	assert_int_equal(thing.day, CT_NULL_DAY);
	assert_true(ct_uuid_nil(&thing.cat_id));
	assert_null(thing.note.p);
	assert_null(thing.route.p);
	assert_int_equal(thing.count, 7);
	assert_true(is_seen("weight"));
	assert_false(is_seen("count"));
	assert_int_equal(bind(CT_BIND_PATCH, "{\"note\":\"\"}"), CT_OK);
	assert_non_null(thing.note.p);
	assert_int_equal(thing.note.n, 0);
}

/* What only a change may name is refused at create, whatever its value. */
static void
test_change_only(void **state CT_UNUSED)
{
	static const char *const values[] = {"3", "null", "\"x\""};
	char text[64];

	for (size_t i = 0; i < ct_countof(values); i++) {
		snprintf(text, sizeof(text),
		    "{\"amount_ml\":1,\"name\":\"a\",\"held\":%s}", values[i]);
		assert_int_equal(bind(CT_BIND_CREATE, text), CT_INVALID);
		assert_int_equal(err.nfields, 1);
		assert_string_equal(err.fields[0].name, "held");
		assert_string_equal(err.fields[0].msg, "cannot be set");
		assert_int_equal(thing.held, 0);
	}
}

static void
test_change_takes_it(void **state CT_UNUSED)
{
	assert_int_equal(bind(CT_BIND_PATCH, "{\"held\":3}"), CT_OK);
	assert_int_equal(thing.held, 3);
	assert_true(is_seen("held"));
	assert_int_equal(bind(CT_BIND_PATCH, "{\"held\":10}"), CT_INVALID);
	assert_int_equal(thing.held, 3);
}

static void
test_bounds_are_inclusive(void **state CT_UNUSED)
{
	assert_int_equal(
	    bind(CT_BIND_PATCH,
		"{\"amount_ml\":0.001,\"weight\":20,\"count\":5,"
		"\"name\":\"\xf0\x9f\x90\xb1\xf0\x9f\x90\xb1\xf0\x9f\x90\xb1"
		"\xf0\x9f\x90\xb1\xf0\x9f\x90\xb1\",\"minutes\":60,"
		"\"late_day\":\"2026-11-22\",\"free\":-9007199254740991}"),
	    CT_OK);
	assert_int_equal(thing.amount_ul, 1);
	assert_int_equal(thing.free_int, -9007199254740991);
	assert_int_equal(
	    bind(CT_BIND_PATCH, "{\"amount_ml\":200,\"weight\":0.5,"
				"\"count\":9,\"late_day\":\"2026-11-23\"}"),
	    CT_OK);
}

static void
test_long_list_is_cut(void **state CT_UNUSED)
{
	assert_int_equal(bind(CT_BIND_PATCH, "{\"many\":\"x\"}"), CT_INVALID);
	assert_int_equal(
	    strncmp(err.fields[0].msg, "must be one of aaaa", 19), 0);
	assert_int_equal(bind(CT_BIND_PATCH, "{\"many\":\"d\"}"), CT_OK);
}

static void
test_no_object(void **state CT_UNUSED)
{
	assert_int_equal(bind(CT_BIND_CREATE, "[]"), CT_MALFORMED);
	assert_string_equal(err.msg, "the body must be a JSON object");
	assert_int_equal(bind(CT_BIND_PATCH, "null"), CT_MALFORMED);
	assert_int_equal(ct_fields_bind(&table, CT_BIND_PATCH, NULL, arena,
			     &thing, &seen, &err),
	    CT_MALFORMED);
}

static void
test_text_values(void **state CT_UNUSED)
{
	static const struct {
		const char *field;
		const char *value;
		const char *msg; /* NULL: taken */
	} t[] = {
	    {"amount_ml", "12.5", NULL},
	    {"amount_ml", "0", "must be greater than 0"},
	    {"amount_ml", "", "must be a number"},
	    {"amount_ml", "12,5", "must be a number"},
	    {"amount_ml", "[", "must be a number"},
	    {"amount_ml", "\"5\"", "must be a number"},
	    {"count", "7", NULL},
	    {"count", "07", "must be a whole number"},
	    {"flag", "true", NULL},
	    {"flag", "1", "must be true or false"},
	    {"flag", "", "must be true or false"},
	    {"name", "Mia", NULL},
	    {"name", "", "must not be empty"},
	    {"name", "\xff", "must be UTF-8 text"},
	    {"route", "tube", NULL},
	    {"route", "x", "must be one of tube, oral"},
	    {"day", "2026-11-22", NULL},
	    {"given", "2026-11-22T12:00:00Z", NULL},
	    {"cat_id", "x", "must be an id (UUID)"},
	    {"extra", "{}", "cannot be set"},
	};

	for (size_t i = 0; i < ct_countof(t); i++) {
		const struct ct_field *f = ct_fields_find(&table, t[i].field);

		ct_err_clear(&err);
		assert_int_equal(ct_field_bind_text(f, ct_str_of(t[i].value),
				     arena, &thing, &err),
		    t[i].msg ? CT_INVALID : CT_OK);
		if (t[i].msg)
			assert_string_equal(err.fields[0].msg, t[i].msg);
	}
	assert_int_equal(thing.amount_ul, 12500);
	assert_int_equal(thing.count, 7);
	assert_true(thing.flag);
	assert_int_equal(thing.given_us, NOON_US);
	assert_int_equal(ct_field_bind_text(&rows[1], (struct ct_str){NULL, 0},
			     arena, &thing, &err),
	    CT_INVALID);
}

static void
test_write(void **state CT_UNUSED)
{
	struct ct_buf b;
	struct ct_jw w;

	thing.amount_ul = 20500;
	thing.name = CT_STR("Mia");
	thing.password = CT_STR("secret");
	thing.extra = CT_STR("[1]");
	thing.late_us = NOON_US;
	thing.late_day = 20779;
	thing.flag = true;
	thing.initial = CT_STR("");
	ct_buf_init(&b, arena, 16);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_fields_write(&table, &thing, &w);
	ct_jw_end(&w);
	ct_buf_addc(&b, '\0');
	assert_string_equal(b.p,
	    "{\"id\":null,\"amount_ml\":20.5,\"weight\":null,\"count\":0,"
	    "\"free\":0,\"free_milli\":0,\"given\":null,"
	    "\"late\":\"2026-11-22T12:00:00Z\",\"day\":null,"
	    "\"late_day\":\"2026-11-22\",\"flag\":true,\"name\":\"Mia\","
	    "\"note\":null,\"route\":null,\"initial\":\"\",\"extra\":[1],"
	    "\"version\":0,\"minutes\":null,\"cat_id\":null,"
	    "\"seen_it\":null}");
}

/* A boolean that may be null is three things. */
static void
test_null_bool(void **state CT_UNUSED)
{
	static const struct {
		const char *body;
		int64_t value;
	} t[] = {{"{\"seen_it\":true}", 1}, {"{\"seen_it\":false}", 0},
	    {"{\"seen_it\":null}", CT_NULL_I64}};

	for (size_t i = 0; i < ct_countof(t); i++) {
		struct ct_buf b;
		struct ct_jw w;

		thing.seen_it = 7;
		assert_int_equal(bind(CT_BIND_PATCH, t[i].body), CT_OK);
		assert_int_equal(thing.seen_it, t[i].value);
		ct_buf_init(&b, arena, 16);
		ct_jw_init(&w, &b);
		ct_jw_obj(&w);
		ct_field_write(ct_fields_find(&table, "seen_it"), &thing, &w);
		ct_jw_end(&w);
		ct_buf_addc(&b, '\0');
		assert_string_equal(b.p, t[i].body);
	}
	assert_int_equal(bind(CT_BIND_PATCH, "{\"seen_it\":1}"), CT_INVALID);
	ct_fields_clear(&table, &thing);
	assert_int_equal(thing.seen_it, CT_NULL_I64);
}

static void
test_clear_and_find(void **state CT_UNUSED)
{
	memset(&thing, 0xa5, sizeof(thing));
	ct_fields_clear(&table, &thing);
	assert_int_equal(thing.amount_ul, 0);
	assert_int_equal(thing.weight_mkg, CT_NULL_I64);
	assert_int_equal(thing.day, CT_NULL_DAY);
	assert_int_equal(thing.late_day, 0);
	assert_false(thing.flag);
	assert_null(thing.name.p);
	assert_null(thing.extra.p);
	assert_true(ct_uuid_nil(&thing.id));
	assert_int_equal(thing.before, (int)0xa5a5a5a5);
	assert_int_equal(thing.after, (int)0xa5a5a5a5);
	assert_ptr_equal(ct_fields_find(&table, "count"), &rows[3]);
	assert_null(ct_fields_find(&table, "counts"));
	assert_null(ct_fields_find(&table, "Count"));
}

static void
bind_wide(void *arg CT_UNUSED)
{
	struct ct_fields wide = table;

	wide.n = 65;
	(void)!ct_fields_bind(
	    &wide, CT_BIND_PATCH, NULL, arena, &thing, &seen, &err);
}

static void
test_wide_table(void **state CT_UNUSED)
{
	assert_true(aborts(bind_wide, NULL, "thing has more than 64 fields"));
}

/* A list of words, as bits. */
static void
test_set(void **state CT_UNUSED)
{
	static const char *const words[] = {"red", "green", "blue", NULL};
	static const struct ct_field set_rows[] = {
	    {"some", CT_T_SET, 0, 0, 1, 0, 0, words, 0, 0},
	    {"any", CT_T_SET, 8, CT_F_NULLABLE, 0, 0, 0, words, 0, 0},
	};
	static const struct ct_fields t =
	    CT_FIELDS("sets", int64_t[2], set_rows);
	static const struct {
		const char *body;
		int64_t some, any; /* some 0: refused */
	} cases[] = {
	    {"{'some':['red']}", 1, CT_NULL_I64},
	    {"{'some':['blue','red','blue'],'any':[]}", 5, 0},
	    {"{'some':['red','green','blue'],'any':null}", 7, CT_NULL_I64},
	    {"{'some':[]}", 0, 0},
	    {"{'some':'red'}", 0, 0},
	    {"{'some':['Red']}", 0, 0},
	    {"{'some':['red',1]}", 0, 0},
	    {"{'some':[['red']]}", 0, 0},
	    {"{'some':{'red':1}}", 0, 0},
	    {"{'some':null}", 0, 0},
	    {"{'some':5}", 0, 0},
	};
	const struct ct_json *v;
	struct ct_buf b;
	struct ct_jw w;
	int64_t obj[2];

	for (size_t i = 0; i < ct_countof(cases); i++) {
		char *text =
		    ct_arena_dup(arena, cases[i].body, strlen(cases[i].body));

		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		ct_err_clear(&err);
		ct_fields_clear(&t, obj);
		assert_int_equal(
		    ct_json_parse(arena, ct_str_of(text), 8, &v, &err), CT_OK);
		assert_int_equal(ct_fields_bind(&t, CT_BIND_PATCH, v, arena,
				     obj, &seen, &err),
		    cases[i].some ? CT_OK : CT_INVALID);
		if (cases[i].some) {
			assert_int_equal(obj[0], cases[i].some);
			assert_int_equal(obj[1], cases[i].any);
		}
	}
	assert_string_equal(
	    err.fields[0].msg, "must be a list of red, green, blue");
	obj[0] = 5;
	obj[1] = CT_NULL_I64;
	ct_buf_init(&b, arena, 64);
	ct_jw_init(&w, &b);
	ct_jw_obj(&w);
	ct_fields_write(&t, obj, &w);
	ct_jw_end(&w);
	assert_true(ct_str_is(
	    ct_buf_str(&b), "{\"some\":[\"red\",\"blue\"],\"any\":null}"));
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    T(test_sentences),
	    T(test_create),
	    T(test_create_requires),
	    T(test_patch),
	    T(test_change_only),
	    T(test_change_takes_it),
	    T(test_bounds_are_inclusive),
	    T(test_long_list_is_cut),
	    T(test_no_object),
	    T(test_text_values),
	    T(test_write),
	    T(test_null_bool),
	    T(test_clear_and_find),
	    T(test_wide_table),
	    T(test_set),
	};

	return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
