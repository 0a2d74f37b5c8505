/* Readers of replies, which take anything; see redis.h. */
#include "common/redis_internal.h"

static bool
has_text(const struct redisReply *p)
{
	return p && (p->type == REDIS_REPLY_STRING ||
			p->type == REDIS_REPLY_STATUS ||
			p->type == REDIS_REPLY_ERROR);
}

bool
ct_reply_nil(const struct redisReply *p)
{
	return !p || p->type == REDIS_REPLY_NIL;
}

bool
ct_reply_error(const struct redisReply *p)
{
	return p && p->type == REDIS_REPLY_ERROR;
}

struct ct_str
ct_reply_str(const struct redisReply *p)
{
	if (!has_text(p))
		return (struct ct_str){NULL, 0};
	return (struct ct_str){p->str, p->len};
}

int64_t
ct_reply_i64(const struct redisReply *p)
{
	int64_t v = 0;

	if (p && p->type == REDIS_REPLY_INTEGER)
		return p->integer;
	if (!has_text(p) ||
	    !ct_str_i64(ct_reply_str(p), INT64_MIN, INT64_MAX, &v))
		return 0;
	return v;
}

size_t
ct_reply_n(const struct redisReply *p)
{
	return p && p->type == REDIS_REPLY_ARRAY ? p->elements : 0;
}

const struct redisReply *
ct_reply_at(const struct redisReply *p, size_t i)
{
	return i < ct_reply_n(p) ? p->element[i] : NULL;
}
