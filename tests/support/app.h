/*
 * The service under test, as its clients see it. A struct ct_who is one client
 * with its own connection: nobody yet, or signed in to an account of its own,
 * so that the tests run against any stack, in any order.
 *
 * CATETUBE_TEST_URL names the stack, CATETUBE_ORIGIN its origin (default: the
 * same). Bodies in calls are formats in which a single quote stands for a
 * double one: "{'amount_ml':%d}".
 *
 * Functions that end in a check fail the running cmocka test and so belong in
 * its thread; ct_ask is safe in any thread that owns the client.
 */
#ifndef CT_TESTS_SUPPORT_APP_H
#define CT_TESTS_SUPPORT_APP_H

#include "common/id.h"
#include "common/json.h"
#include "tests/support/http.h"

#define CT_T_PASSWORD "seven warm syringes"
/* The stable words of 401 and 429. */
#define CT_T_UNAUTH  "unauthorized"
#define CT_T_LIMITED "rate_limited"

struct ct_who {
	struct ct_arena *a; /* answers live as long as it */
	struct ct_http *http;
	char cookie[256]; /* "catetube=…", "" for nobody */
	char email[96];
	char id[CT_UUID_TEXT];
};

struct ct_ask {
	const char *method;
	const char *path;
	struct ct_str body;  /* absent: none */
	const char *type;    /* NULL: application/json where there is a body;
				"": none */
	const char *origin;  /* NULL: ours for unsafe methods; "": none */
	const char *more[6]; /* further header lines */
};

struct ct_answer {
	const char *what; /* "POST /api/feeding/" */
	int status;	  /* 0: no answer came */
	struct ct_http_res res;
	struct ct_str body;
	const struct ct_json *json; /* NULL where the body is none */
};

/* Options of the run, from the environment. */
const char *ct_t_base(void);
const char *ct_t_origin(void);
const char *ct_t_env(const char *name, const char *otherwise);

/* A client that is nobody; at base, or NULL for the stack under test. */
struct ct_who *ct_who_nobody(struct ct_arena *a, const char *base);
/* Register a fresh account; more: further members such as ",'cat_age':3". */
struct ct_who *ct_who_register(
    struct ct_arena *a, const char *base, const char *more);
/* A second session of the same account. */
struct ct_who *ct_who_login(
    struct ct_arena *a, const struct ct_who *who, const char *base);
/* The same session over another connection and arena, for a thread. */
struct ct_who *ct_who_twin(
    struct ct_arena *a, const struct ct_who *who, const char *base);

/*
 * Register an account that becomes a member of the default cat of owner, in
 * that role, by accepting an invitation.
 */
struct ct_who *ct_who_invited(
    struct ct_arena *a, struct ct_who *owner, const char *role);
/* The account's default cat. */
const char *ct_who_cat(struct ct_who *who);

const struct ct_answer *ct_ask(struct ct_who *who, const struct ct_ask *ask);
/* The same, waiting out 429: for strangers, whose limit is the address's. */
const struct ct_answer *ct_ask_patiently(
    struct ct_who *who, const struct ct_ask *ask);
const struct ct_answer *ct_get(struct ct_who *who, const char *path);
/* body may be NULL: none. */
const struct ct_answer *ct_call(struct ct_who *who, const char *method,
    const char *path, const char *body, ...) CT_PRINTF(4, 5);
/* Path from a format, for ids: valid until the client's arena resets. */
const char *ct_path(struct ct_who *who, const char *fmt, ...) CT_PRINTF(2, 3);
/* The cookie that the answer set becomes the client's. False: it set none. */
bool ct_take_cookie(struct ct_who *who, const struct ct_answer *r);
/* Text with ' for ". */
char *ct_quoted(struct ct_arena *a, const char *text);

/* Checks; each prints the request and the answer where it fails. */
const struct ct_answer *ct_want_at(
    const struct ct_answer *r, int status, const char *file, int line);
#define ct_want(r, status) ct_want_at((r), (status), __FILE__, __LINE__)
/*
 * An error in the contract's form: status, code (NULL: any), `error` a
 * sentence, request_id; field (NULL: any) is a key of `fields` and starts
 * `error` where it is the only one.
 */
const struct ct_answer *ct_want_error_at(const struct ct_answer *r, int status,
    const char *code, const char *field, const char *file, int line);
#define ct_want_error(r, status, code, field)                                  \
	ct_want_error_at((r), (status), (code), (field), __FILE__, __LINE__)

/* Members by dotted path ("logs.0.amount_ml"); NULL where absent. */
const struct ct_json *ct_find(const struct ct_answer *r, const char *path);
/* As above and of that type, else the test fails. Path "" is the root. */
#define CT_GETTER(type, name)                                                  \
	type name##_at(const struct ct_answer *r, const char *path,            \
	    const char *file, int line)
CT_GETTER(const struct ct_json *, ct_at);
CT_GETTER(int64_t, ct_milli);
CT_GETTER(int64_t, ct_i64);
CT_GETTER(bool, ct_flag);
CT_GETTER(const char *, ct_text);
CT_GETTER(bool, ct_is_null);
CT_GETTER(size_t, ct_count);
#define ct_at(r, path)	    ct_at_at((r), (path), __FILE__, __LINE__)
#define ct_milli(r, path)   ct_milli_at((r), (path), __FILE__, __LINE__)
#define ct_i64(r, path)	    ct_i64_at((r), (path), __FILE__, __LINE__)
#define ct_flag(r, path)    ct_flag_at((r), (path), __FILE__, __LINE__)
#define ct_text(r, path)    ct_text_at((r), (path), __FILE__, __LINE__)
#define ct_is_null(r, path) ct_is_null_at((r), (path), __FILE__, __LINE__)
#define ct_count(r, path)   ct_count_at((r), (path), __FILE__, __LINE__)
/* The body holds the text, to the byte. */
bool ct_says(const struct ct_answer *r, const char *text);
const char *ct_head(const struct ct_answer *r, const char *name); /* NULL */

/* cmocka fixtures: *state is a freshly registered struct ct_who. */
int ct_api_group(void **state);
int ct_api_begin(void **state);
int ct_api_end(void **state);
#define ct_api_test(f)                                                         \
	cmocka_unit_test_setup_teardown(f, ct_api_begin, ct_api_end)

/* Entries of feeding that the account sees, by the list's total. */
int64_t ct_meals(struct ct_who *who);
/* RFC 3339 of now plus so many seconds. */
const char *ct_when(struct ct_who *who, int64_t seconds);
/* Call fn with each of n twins of who in n threads at once and join them. */
void ct_at_once(const struct ct_who *who, unsigned n,
    void (*fn)(struct ct_who *twin, unsigned i, void *arg), void *arg);

#endif
