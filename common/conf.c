/*
 * Configuration: one row per option out of options.def, filled from the
 * defaults, then from the file, then from the environment, then judged.
 */
#include "common/conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_internal.h"
#include "common/netaddr.h"
#include "common/str.h"

#define FILE_MAX_BYTES	 (256 * 1024)
#define SECRET_MAX	 (64 * 1024)
#define SCRATCH_MAX	 (8 * 1024 * 1024)
#define SECRET_KEY_LEAST 32

#define CT_OPT(name, member, type, def, min, max, unit, help)                  \
	{#name, OPT_##type, offsetof(struct ct_conf, member), def, min, max,   \
	    unit, help},
const struct option ct_options[] = {
#include "common/options.def"
};
#undef CT_OPT
const size_t ct_options_n = ct_countof(ct_options);
#define OPTIONS ct_countof(ct_options)

/* Names of the scripts and tests; a star stands for any ending. */
static const char *const not_ours[] = {
    "CATETUBE_PORT",
    "CATETUBE_VAR",
    "CATETUBE_CONFIG",
    "CATETUBE_FCGI",
    "CATETUBE_TEST_URL",
    "CATETUBE_BENCH_*",
};

/* Where a value came from, for the sentence that refuses it. */
struct value {
	struct ct_str text;
	const char *place; /* "" or " (/etc/catetube/catetube.env, line 3)" */
};

/* The options as one source gives them; text.p NULL: not given. */
struct source {
	struct ct_arena *a;
	struct value v[OPTIONS];
};

static enum ct_rc
bad(struct ct_err *err, const char *name, const char *place, const char *what)
{
	return ct_fail(err, CT_INVALID, "config", "%s%s %s", name, place, what);
}

/* All of a file on the arena, at most max bytes of text. */
static enum ct_rc
read_file(struct ct_arena *a, const char *path, size_t max, struct ct_str *out,
    struct ct_err *err)
{
	FILE *f = fopen(path, "re");
	char *p;
	size_t n;
	bool failed;

	if (!f)
		return ct_fail(err, CT_INVALID, "config", "cannot read %s: %s",
		    path, strerror(errno));
	p = ct_arena_raw(a, max + 1);
	n = fread(p, 1, max + 1, f);
	failed = ferror(f) != 0;
	fclose(f);
	if (failed)
		return ct_fail(err, CT_INVALID, "config",
		    "cannot read %s: is it a file?", path);
	if (n > max)
		return ct_fail(err, CT_INVALID, "config",
		    "%s is larger than %zu bytes", path, max);
	if (memchr(p, '\0', n))
		return ct_fail(err, CT_INVALID, "config",
		    "%s holds a NUL byte: it must be text", path);
	*out = (struct ct_str){p, n};
	return CT_OK;
}

/* The secret in the file that NAME_FILE names, without its line's end. */
static enum ct_rc
read_secret(
    struct ct_arena *a, const char *name, struct value *v, struct ct_err *err)
{
	struct ct_str s;
	enum ct_rc rc =
	    read_file(a, ct_str_cstr(a, v->text), SECRET_MAX, &s, err);

	if (rc != CT_OK)
		return ct_fail(err, CT_INVALID, "config", "%s_FILE%s: %s", name,
		    v->place, ct_arena_printf(a, "%s", err->msg));
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	if (s.n == 0 || memchr(s.p, '\n', s.n))
		return ct_fail(err, CT_INVALID, "config",
		    "%s_FILE%s must name a file of one line, the secret", name,
		    v->place);
	v->text = s;
	return CT_OK;
}

/* The option of that name; *by_file where it is a secret's NAME_FILE. */
static const struct option *
find(struct ct_str name, bool *by_file)
{
	static const struct ct_str suffix = {"_FILE", 5};
	struct ct_str stem;

	*by_file = false;
	for (size_t i = 0; i < OPTIONS; i++) {
		if (ct_str_is(name, ct_options[i].name))
			return &ct_options[i];
	}
	if (name.n <= suffix.n ||
	    memcmp(name.p + name.n - suffix.n, suffix.p, suffix.n) != 0)
		return NULL;
	stem = (struct ct_str){name.p, name.n - suffix.n};
	for (size_t i = 0; i < OPTIONS; i++) {
		*by_file = ct_options[i].type == OPT_SECRET &&
			   ct_str_is(stem, ct_options[i].name);
		if (*by_file)
			return &ct_options[i];
	}
	return NULL;
}

static bool
is_not_ours(struct ct_str name)
{
	for (size_t i = 0; i < ct_countof(not_ours); i++) {
		struct ct_str pat = ct_str_of(not_ours[i]);

		if (pat.p[pat.n - 1] != '*') {
			if (ct_str_eq(name, pat))
				return true;
			continue;
		}
		pat.n--;
		if (ct_str_starts(name, pat))
			return true;
	}
	return false;
}

/* One NAME=VALUE of a source. */
static enum ct_rc
take(struct source *s, struct ct_str name, struct ct_str text,
    const char *place, struct ct_err *err)
{
	bool by_file;
	const struct option *o = find(name, &by_file);
	struct value *v;

	if (!o && is_not_ours(name))
		return CT_OK;
	if (!o)
		return bad(err, ct_str_cstr(s->a, name), place,
		    "is not an option; --help lists them");
	v = &s->v[o - ct_options];
	if (v->text.p)
		return bad(err, o->name, place, "is given twice");
	*v = (struct value){text, place};
	return by_file ? read_secret(s->a, o->name, v, err) : CT_OK;
}

/* Take double quotes off. False where they do not pair up. */
static bool
unquote(struct ct_str *s)
{
	bool open = s->n > 0 && s->p[0] == '"';
	bool close = s->n > 1 && s->p[s->n - 1] == '"';

	if (!open)
		return true;
	if (!close)
		return false;
	*s = (struct ct_str){s->p + 1, s->n - 2};
	return s->n == 0 || !memchr(s->p, '"', s->n);
}

static struct ct_str
strip(struct ct_str line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return ct_str_trim(line);
}

static enum ct_rc
take_line(struct source *s, struct ct_str text, const char *path, int line,
    struct ct_err *err)
{
	struct ct_str value = strip(text);
	struct ct_str name;
	const char *place;

	if (value.n == 0 || value.p[0] == '#')
		return CT_OK;
	place = ct_arena_printf(s->a, " (%s, line %d)", path, line);
	name = ct_str_trim(ct_str_split(&value, '='));
	if (!value.p || name.n == 0)
		return bad(err, "a line", place, "is not NAME=VALUE");
	value = ct_str_trim(value);
	if (!unquote(&value))
		return bad(err, ct_str_cstr(s->a, name), place,
		    "has unbalanced double quotes");
	return take(s, name, value, place, err);
}

static enum ct_rc
from_file(struct source *s, const char *path, struct ct_err *err)
{
	struct ct_str rest;
	enum ct_rc rc = read_file(s->a, path, FILE_MAX_BYTES, &rest, err);

	for (int line = 1; rc == CT_OK && rest.p; line++) {
		struct ct_str text = ct_str_split(&rest, '\n');

		rc = take_line(s, text, path, line, err);
	}
	return rc;
}

static enum ct_rc
from_environment(struct source *s, struct ct_err *err)
{
	for (char **e = environ; e && *e; e++) {
		struct ct_str value = ct_str_of(*e);
		struct ct_str name = ct_str_split(&value, '=');
		enum ct_rc rc;
		bool by_file;

		if (!value.p || (!ct_str_starts(name, CT_STR("CATETUBE_")) &&
				    !find(name, &by_file)))
			continue;
		rc = take(s, name, value, "", err);
		if (rc != CT_OK)
			return rc;
	}
	return CT_OK;
}

static enum ct_rc
put_int(const struct option *o, const struct value *v, void *member,
    struct ct_err *err)
{
	if (ct_str_i64(v->text, o->min, o->max, member))
		return CT_OK;
	return ct_fail(err, CT_INVALID, "config",
	    "%s%s must be a whole number from %" PRId64 " to %" PRId64
	    "%s%s, not \"%.*s\"",
	    o->name, v->place, o->min, o->max, *o->unit ? " " : "", o->unit,
	    v->text.n > 40 ? 40 : (int)v->text.n, v->text.p);
}

static enum ct_rc
put_bool(const struct option *o, const struct value *v, bool *member,
    struct ct_err *err)
{
	*member = ct_str_is(v->text, "1");
	if (*member || ct_str_is(v->text, "0"))
		return CT_OK;
	return bad(err, o->name, v->place, "must be 0 or 1");
}

static enum ct_rc
put(struct ct_conf *c, const struct option *o, const struct value *v,
    struct ct_err *err)
{
	void *member = (char *)c + o->offset;
	char *copy;

	switch (o->type) {
	case OPT_INT:
		return put_int(o, v, member, err);
	case OPT_BOOL:
		return put_bool(o, v, member, err);
	case OPT_STR:
	case OPT_SECRET:
		copy = strndup(v->text.p, v->text.n);
		if (!copy)
			ct_bug("no memory for the configuration");
		*(char **)member = copy;
	}
	return CT_OK;
}

static bool
is_level(const char *s)
{
	return strcmp(s, "debug") == 0 || strcmp(s, "info") == 0 ||
	       strcmp(s, "warn") == 0 || strcmp(s, "error") == 0;
}

static bool
is_log_format(const char *s)
{
	return strcmp(s, "logfmt") == 0 || strcmp(s, "json") == 0;
}

static bool
is_key(const char *s)
{
	return *s == '\0' || ct_utf8_len(ct_str_of(s)) >= SECRET_KEY_LEAST;
}

/* As browsers send it: scheme://host[:port], lower case, nothing behind. */
static bool
is_origin(struct ct_str s)
{
	static const char host_chars[] =
	    "abcdefghijklmnopqrstuvwxyz0123456789.-";
	static const char v6_chars[] = "0123456789abcdef:.";
	struct ct_str rest;
	bool v6;
	size_t n;
	int64_t port;

	if (ct_str_starts(s, CT_STR("http://")))
		rest = (struct ct_str){s.p + 7, s.n - 7};
	else if (ct_str_starts(s, CT_STR("https://")))
		rest = (struct ct_str){s.p + 8, s.n - 8};
	else
		return false;
	v6 = rest.n > 0 && rest.p[0] == '[';
	for (n = v6; n < rest.n; n++) {
		if (!strchr(v6 ? v6_chars : host_chars, rest.p[n]))
			break;
	}
	if (n == v6 || (v6 && (n == rest.n || rest.p[n++] != ']')))
		return false;
	if (n == rest.n)
		return true;
	rest = (struct ct_str){rest.p + n + 1, rest.n - n - 1};
	return rest.p[-1] == ':' && rest.n > 0 && rest.p[0] != '0' &&
	       ct_str_i64(rest, 1, 65535, &port);
}

static bool
is_one_origin(const char *s)
{
	return is_origin(ct_str_of(s));
}

static bool
is_origin_list(const char *s)
{
	struct ct_str rest = ct_str_of(s);

	while (rest.n > 0) {
		if (!is_origin(ct_str_trim(ct_str_split(&rest, ','))))
			return false;
	}
	return !rest.p || *s == '\0';
}

/* libcurl takes far more, files and parameters of a log-in among it. */
static bool
is_smtp_url(const char *s)
{
	struct ct_str url = ct_str_of(s);

	return url.n == 0 ||
	       ((ct_str_starts(url, CT_STR("smtp://")) ||
		    ct_str_starts(url, CT_STR("smtps://"))) &&
		   !strpbrk(s, "@?# \t\r\n") && s[strlen(s) - 1] != '/');
}

/* No name beside it, nothing that could end a header line. */
static bool
is_sender(const char *s)
{
	const char *at = strchr(s, '@');

	if (*s == '\0')
		return true;
	for (const char *p = s; *p; p++) {
		if (*p <= ' ' || *p > '~' || strchr("<>()[],;:\\\"", *p))
			return false;
	}
	return at && at > s && at[1] && !strchr(at + 1, '@') && strlen(s) < 255;
}

static bool
is_networks(const char *s)
{
	struct ct_nets nets;

	return ct_nets_parse(s, &nets);
}

/* What a type and bounds cannot say. */
static const struct {
	size_t offset;
	bool (*ok)(const char *s);
	const char *what;
} judged[] = {
    {offsetof(struct ct_conf, log_level), is_level,
	"must be debug, info, warn or error"},
    {offsetof(struct ct_conf, log_format), is_log_format,
	"must be logfmt or json"},
    {offsetof(struct ct_conf, origin), is_one_origin,
	"must be scheme://host[:port] in lower case, without a path"},
    {offsetof(struct ct_conf, cors_origins), is_origin_list,
	"must be origins (scheme://host[:port]) with commas between them"},
    {offsetof(struct ct_conf, secret_key), is_key,
	"must have at least 32 characters, or be empty"},
    {offsetof(struct ct_conf, smtp_url), is_smtp_url,
	"must be smtp://host[:port] or smtps://host[:port]"},
    {offsetof(struct ct_conf, mail_from), is_sender,
	"must be one address, without a name"},
    {offsetof(struct ct_conf, webhook_private), is_networks,
	"must be networks (192.168.1.0/24, fd00::/8) with commas between, "
	"32 at most, without bits behind their length"},
};

static enum ct_rc
judge(const struct ct_conf *c, const struct option *o, const char *place,
    struct ct_err *err)
{
	for (size_t i = 0; i < ct_countof(judged); i++) {
		const char *const *s =
		    (const void *)((const char *)c + judged[i].offset);

		if (judged[i].offset == o->offset && !judged[i].ok(*s))
			return bad(err, o->name, place, judged[i].what);
	}
	return CT_OK;
}

static enum ct_rc
fill(struct ct_conf *c, const struct source *file, const struct source *env,
    struct ct_err *err)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *o = &ct_options[i];
		struct value v = {ct_str_of(o->def), ""};
		enum ct_rc rc;

		if (env->v[i].text.p)
			v = env->v[i];
		else if (file->v[i].text.p)
			v = file->v[i];
		rc = put(c, o, &v, err);
		if (rc == CT_OK)
			rc = judge(c, o, v.place, err);
		if (rc != CT_OK)
			return rc;
	}
	return CT_OK;
}

static void
release(struct ct_conf *c)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		const struct option *o = &ct_options[i];

		if (o->type == OPT_STR || o->type == OPT_SECRET)
			free(*(char **)(void *)((char *)c + o->offset));
	}
	memset(c, 0, sizeof(*c));
}

enum ct_rc
ct_conf_load(struct ct_conf *c, const char *path, struct ct_err *err)
{
	struct ct_arena *a = ct_arena_create(SCRATCH_MAX);
	struct source file = {.a = a};
	struct source env = {.a = a};
	enum ct_rc rc = CT_OK;

	memset(c, 0, sizeof(*c));
	if (path)
		rc = from_file(&file, path, err);
	if (rc == CT_OK)
		rc = from_environment(&env, err);
	if (rc == CT_OK)
		rc = fill(c, &file, &env, err);
	if (rc != CT_OK)
		release(c);
	ct_arena_destroy(a);
	return rc;
}
