/*
 * A store in a bucket. A file goes up in parts, and is there when the last call
 * has put them together; one that fits into one part is a single call. It comes
 * down in ranges, each a short request of its own, so that nobody holds a
 * connection open while the reader is busy.
 */
#include <stdio.h>
#include <string.h>

#include "common/s3.h"
#include "common/store_internal.h"
#include "common/xml.h"

#define RANGE	  ((size_t)8 << 20)
#define PARTS_MAX 10000 /* S3's own bound */
#define KEY_MAX	  400
#define ID_MAX	  1024
#define MIB	  ((size_t)1 << 20)

struct s3 {
	struct ct_s3 *net;
	struct ct_str bucket;
	const char *prefix; /* "" or "path/" */
	size_t part_size;
	char key[KEY_MAX]; /* of the object that is put or got */
	/* put */
	char *part;
	size_t part_n;
	int64_t bytes;	    /* of the parts that are up */
	int parts;	    /* 0: none is up */
	char id[ID_MAX];    /* of the upload, encoded for a query; "": none */
	struct ct_buf done; /* the XML that names the parts */
	/* get */
	char *range;
	int64_t at, total;
	char etag[CT_S3_ETAG];
	bool ahead; /* range holds the bytes before `at`, not handed out yet */
	size_t range_n;
};

/* Percent-encoded as a query wants it; false where it does not fit. */
static bool
encode(struct ct_str s, char *out, size_t size)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (n + 4 > size)
			return false;
		if (memchr(plain, s.p[i], sizeof(plain) - 1)) {
			out[n++] = s.p[i];
			continue;
		}
		snprintf(out + n, 4, "%%%02X", (unsigned char)s.p[i]);
		n += 3;
	}
	out[n] = '\0';
	return true;
}

static enum ct_rc
call(struct s3 *o, const char *method, const char *key, const char *query,
    struct ct_str body, struct ct_s3_answer *out, struct ct_err *err)
{
	struct ct_s3_ask ask = {
	    .method = method, .key = key, .query = query, .body = body};

	return ct_s3_call(o->net, &ask, out, err);
}

static struct s3 *
enter(struct ct_store *s, const char *name)
{
	struct s3 *o = s->own;

	ct_s3_go_on(o->net, s->go_on, s->arg);
	if (name)
		snprintf(o->key, sizeof(o->key), "%s%s", o->prefix, name);
	return o;
}

/* ---- the list */

struct page {
	struct s3 *o;
	struct ct_arena *a;
	struct ct_store_list *out;
	struct ct_err *err;
	char key[KEY_MAX];
	int64_t size;
	bool more;
	char next[ID_MAX]; /* encoded */
};

/* A key of ours is the prefix and a name; others are none of our business. */
static bool
end_of_object(struct page *p)
{
	size_t n = strlen(p->o->prefix);
	struct ct_str key = ct_str_of(p->key);
	struct ct_str name;

	if (key.n < n || memcmp(key.p, p->o->prefix, n) != 0)
		return true;
	name = (struct ct_str){key.p + n, key.n - n};
	return !ct_store_name_ok(name) ||
	       ct_store_add(p->out, p->a, name, p->size, p->err) == CT_OK;
}

static bool
read_page(void *arg, const char *path, struct ct_str text)
{
	struct page *p = arg;

	if (strcmp(path, "ListBucketResult/Contents/Key") == 0)
		snprintf(p->key, sizeof(p->key), "%.*s", CT_STR_FMT(text));
	else if (strcmp(path, "ListBucketResult/Contents/Size") == 0)
		return ct_str_i64(text, 0, INT64_MAX, &p->size);
	else if (strcmp(path, "ListBucketResult/Contents") == 0)
		return end_of_object(p);
	else if (strcmp(path, "ListBucketResult/IsTruncated") == 0)
		p->more = ct_str_is(text, "true");
	else if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0)
		return encode(text, p->next, sizeof(p->next));
	return true;
}

static enum ct_rc
s3_list(struct ct_store *s, struct ct_arena *a, struct ct_store_list *out,
    struct ct_err *err)
{
	struct s3 *o = enter(s, NULL);
	struct page p = {.o = o, .a = a, .out = out, .err = err, .more = true};
	char prefix[3 * KEY_MAX], query[3 * KEY_MAX + ID_MAX + 100];
	struct ct_s3_answer answer;
	struct ct_err bad;

	if (!encode(ct_str_of(o->prefix), prefix, sizeof(prefix)))
		ct_bug("a prefix of %zu bytes", strlen(o->prefix));
	while (p.more) {
		snprintf(query, sizeof(query), "%s%s%slist-type=2&prefix=%s",
		    p.next[0] ? "continuation-token=" : "", p.next,
		    p.next[0] ? "&" : "", prefix);
		p.more = false;
		p.next[0] = '\0';
		if (call(o, "GET", "", query, CT_STR(""), &answer, err) !=
		    CT_OK)
			return err->rc;
		ct_err_clear(&bad);
		if (ct_xml_each(answer.body, read_page, &p, &bad) != CT_OK) {
			/* Too many of them is no fault of the XML. */
			if (err->rc == CT_OK)
				*err = bad;
			return err->rc;
		}
		if (p.more && !p.next[0])
			return ct_fail(err, CT_INVALID, NULL,
			    "the S3 server's list does not say how it goes on");
	}
	return CT_OK;
}

static enum ct_rc
s3_remove(struct ct_store *s, const char *name, struct ct_err *err)
{
	struct s3 *o = enter(s, name);
	struct ct_s3_answer answer;
	enum ct_rc rc = call(o, "DELETE", o->key, "", CT_STR(""), &answer, err);

	if (rc != CT_NOTFOUND || strcmp(err->code, "NoSuchBucket") == 0)
		return rc;
	ct_err_clear(err);
	return CT_OK;
}

/* ---- putting */

static enum ct_rc
s3_put_begin(struct ct_store *s, const char *name, CT_UNUSED struct ct_err *err)
{
	struct s3 *o = enter(s, name);

	if (!o->part)
		o->part = ct_arena_raw(s->a, o->part_size);
	o->part_n = 0;
	o->bytes = 0;
	o->parts = 0;
	o->id[0] = '\0';
	ct_buf_init(&o->done, s->a, 4096);
	ct_buf_adds(&o->done, "<CompleteMultipartUpload>");
	return CT_OK;
}

struct one {
	const char *path;
	struct ct_str text; /* found */
	char room[ID_MAX];
};

static bool
find_one(void *arg, const char *path, struct ct_str text)
{
	struct one *one = arg;

	if (strcmp(path, one->path) != 0)
		return true;
	if (text.n == 0 || text.n >= sizeof(one->room))
		return false;
	memcpy(one->room, text.p, text.n);
	one->text = (struct ct_str){one->room, text.n};
	return true;
}

static enum ct_rc
begin_upload(struct s3 *o, struct ct_err *err)
{
	struct one id = {.path = "InitiateMultipartUploadResult/UploadId"};
	struct ct_s3_answer answer;

	if (call(o, "POST", o->key, "uploads=", CT_STR(""), &answer, err) !=
		CT_OK ||
	    ct_xml_each(answer.body, find_one, &id, err) != CT_OK)
		return err->rc;
	if (id.text.n == 0 || !encode(id.text, o->id, sizeof(o->id))) {
		o->id[0] = '\0';
		return ct_fail(err, CT_INVALID, NULL,
		    "the S3 server began no upload in parts");
	}
	return CT_OK;
}

/* It goes into XML as it is. */
static bool
is_plain_etag(const char *etag)
{
	return etag[0] && etag[strspn(etag, "abcdefghijklmnopqrstuvwxyz"
					    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789-_.+/=\"")] == '\0';
}

static enum ct_rc
put_part(struct s3 *o, struct ct_err *err)
{
	struct ct_s3_answer answer;
	char query[ID_MAX + 64];

	if (!o->id[0] && begin_upload(o, err) != CT_OK)
		return err->rc;
	if (o->parts == PARTS_MAX)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "the backup has more than %d parts: raise "
		    "CATETUBE_S3_PART_MIB",
		    PARTS_MAX);
	snprintf(query, sizeof(query), "partNumber=%d&uploadId=%s",
	    o->parts + 1, o->id);
	if (call(o, "PUT", o->key, query, (struct ct_str){o->part, o->part_n},
		&answer, err) != CT_OK)
		return err->rc;
	if (!is_plain_etag(answer.etag))
		return ct_fail(err, CT_INVALID, NULL,
		    "the S3 server took a part and named no ETag");
	o->parts++;
	ct_buf_addf(&o->done,
	    "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", o->parts,
	    answer.etag);
	o->bytes += (int64_t)o->part_n;
	o->part_n = 0;
	return CT_OK;
}

static enum ct_rc
s3_put(struct ct_store *s, const void *data, size_t n, struct ct_err *err)
{
	struct s3 *o = s->own;
	const char *p = data;

	while (n > 0) {
		size_t room = o->part_size - o->part_n;
		size_t take = n < room ? n : room;

		/* Full, and more comes. */
		if (room == 0) {
			if (put_part(o, err) != CT_OK)
				return err->rc;
			continue;
		}
		memcpy(o->part + o->part_n, p, take);
		o->part_n += take;
		p += take;
		n -= take;
	}
	return CT_OK;
}

/* Whether the object is there with all its bytes. */
static bool
is_there(struct s3 *o)
{
	char byte;
	struct ct_s3_ask ask = {.method = "GET",
	    .key = o->key,
	    .query = "",
	    .into = &byte,
	    .room = 1};
	struct ct_s3_answer answer;
	struct ct_err ignored;

	ct_err_clear(&ignored);
	return ct_s3_call(o->net, &ask, &answer, &ignored) == CT_OK &&
	       answer.total == o->bytes;
}

/* The answer may be 200 and tell of an error all the same. */
static enum ct_rc
complete(struct s3 *o, struct ct_err *err)
{
	struct one tag = {.path = "CompleteMultipartUploadResult/ETag"};
	struct one code = {.path = "Error/Code"};
	struct ct_s3_answer answer;
	char query[ID_MAX + 16];
	enum ct_rc rc;

	ct_buf_adds(&o->done, "</CompleteMultipartUpload>");
	snprintf(query, sizeof(query), "uploadId=%s", o->id);
	rc = call(o, "POST", o->key, query, ct_buf_str(&o->done), &answer, err);
	/* A try before may have worked, and its answer been lost; libcurl, too,
	 * tries again by itself. */
	if (rc == CT_NOTFOUND && is_there(o)) {
		ct_err_clear(err);
		return CT_OK;
	}
	if (rc != CT_OK)
		return rc;
	if (ct_xml_each(answer.body, find_one, &tag, err) != CT_OK)
		return err->rc;
	if (tag.text.n > 0)
		return CT_OK;
	if (ct_xml_each(answer.body, find_one, &code, err) != CT_OK)
		return err->rc;
	return ct_fail(err, CT_RETRY, "s3_complete",
	    "the S3 server did not put the parts together: %.*s",
	    CT_STR_FMT(code.text));
}

static enum ct_rc
s3_put_end(struct ct_store *s, struct ct_err *err)
{
	struct s3 *o = s->own;
	struct ct_s3_answer answer;

	if (!o->id[0])
		return call(o, "PUT", o->key, "",
		    (struct ct_str){o->part, o->part_n}, &answer, err);
	if (o->part_n > 0 && put_part(o, err) != CT_OK)
		return err->rc;
	if (complete(o, err) != CT_OK)
		return err->rc;
	o->id[0] = '\0';
	return CT_OK;
}

static void
s3_put_abort(struct ct_store *s)
{
	struct s3 *o = s->own;
	struct ct_s3_answer answer;
	struct ct_err ignored;
	char query[ID_MAX + 16];

	if (!o->id[0])
		return;
	/* Also where a stop was asked for: else the parts stay, and cost. */
	ct_s3_go_on(o->net, NULL, NULL);
	ct_err_clear(&ignored);
	snprintf(query, sizeof(query), "uploadId=%s", o->id);
	if (call(o, "DELETE", o->key, query, CT_STR(""), &answer, &ignored) !=
	    CT_OK)
		ct_err_clear(&ignored);
	o->id[0] = '\0';
}

/* ---- getting */

static enum ct_rc
get_range(struct s3 *o, struct ct_err *err)
{
	struct ct_s3_ask ask = {.method = "GET",
	    .key = o->key,
	    .query = "",
	    .into = o->range,
	    .room = RANGE,
	    .from = o->at,
	    .if_match = o->etag[0] ? o->etag : NULL};
	struct ct_s3_answer answer;
	enum ct_rc rc = ct_s3_call(o->net, &ask, &answer, err);

	if (rc == CT_CONFLICT)
		return ct_fail(err, CT_CONFLICT, "changed",
		    "%s was replaced while it was read", o->key);
	if (rc == CT_INVALID && answer.status == 416 && o->at == 0) {
		ct_err_clear(err);
		o->total = 0;
		o->range_n = 0;
		return CT_OK;
	}
	if (rc != CT_OK)
		return rc;
	/* A server that knows no ranges sends all of it. */
	if (answer.status == 200 && o->at == 0)
		answer.total = (int64_t)answer.body.n;
	if (answer.total < 0 || (answer.status != 206 && o->at > 0) ||
	    answer.body.n == 0)
		return ct_fail(err, CT_INVALID, NULL,
		    "the S3 server sent another part of %s than asked for",
		    o->key);
	memcpy(o->etag, answer.etag, sizeof(o->etag));
	o->total = answer.total;
	o->range_n = answer.body.n;
	o->at += (int64_t)o->range_n;
	return CT_OK;
}

static enum ct_rc
s3_get_begin(
    struct ct_store *s, const char *name, int64_t *bytes, struct ct_err *err)
{
	struct s3 *o = enter(s, name);

	if (!o->range)
		o->range = ct_arena_raw(s->a, RANGE);
	o->at = 0;
	o->etag[0] = '\0';
	if (get_range(o, err) != CT_OK) {
		if (err->rc == CT_NOTFOUND &&
		    strcmp(err->code, "NoSuchBucket") != 0)
			return ct_fail(err, CT_NOTFOUND, NULL,
			    "there is no backup %s in the bucket %.*s", o->key,
			    CT_STR_FMT(o->bucket));
		return err->rc;
	}
	o->ahead = true;
	*bytes = o->total;
	return CT_OK;
}

static enum ct_rc
s3_get(struct ct_store *s, struct ct_str *out, struct ct_err *err)
{
	struct s3 *o = s->own;

	if (!o->ahead) {
		o->range_n = 0;
		if (o->at < o->total && get_range(o, err) != CT_OK)
			return err->rc;
	}
	o->ahead = false;
	*out = (struct ct_str){o->range, o->range_n};
	return CT_OK;
}

static void
s3_get_end(CT_UNUSED struct ct_store *s)
{
}

static const struct ct_store_kind s3_kind = {s3_list, s3_remove, s3_put_begin,
    s3_put, s3_put_end, s3_put_abort, s3_get_begin, s3_get, s3_get_end};

/* "a/b": parts of plain characters, none of them "." or "..". */
static bool
is_prefix(struct ct_str s)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	struct ct_str rest = s;

	if (s.n > 200)
		return false;
	while (rest.p) {
		struct ct_str part = ct_str_split(&rest, '/');

		if (part.n == 0 || ct_str_is(part, ".") ||
		    ct_str_is(part, ".."))
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!memchr(chars, part.p[i], sizeof(chars) - 1))
				return false;
	}
	return true;
}

enum ct_rc
ct_store_s3(struct ct_store *s, const struct ct_conf *conf, const char *where,
    struct ct_err *err)
{
	struct s3 *o = ct_arena_alloc(s->a, sizeof(*o));
	struct ct_str prefix = ct_str_of(where);

	o->bucket = ct_str_split(&prefix, '/');
	if (prefix.p && prefix.n > 0 && !is_prefix(prefix))
		return ct_fail(err, CT_INVALID, "config",
		    "CATETUBE_BACKUP_TO: what follows the bucket is parts of "
		    "letters, digits, '-', '_', '.' with '/' between them");
	if (ct_s3_open(s->a, conf, o->bucket, &o->net, err) != CT_OK)
		return err->rc;
	o->prefix = prefix.p && prefix.n > 0
			? ct_arena_printf(s->a, "%.*s/", CT_STR_FMT(prefix))
			: "";
	o->part_size = (size_t)conf->s3_part_mib * MIB;
	s->kind = &s3_kind;
	s->own = o;
	return CT_OK;
}
