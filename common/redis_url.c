/*
 * The address of a Redis, taken apart.
 */
#include "common/redis_url.h"

#include <string.h>

enum { PORT_DEFAULT = 6379, DB_MAX = 1 << 20 };

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The byte that "%XX" at s stands for, or -1. */
static int
escaped(const char *s, size_t n)
{
	int hi = n >= 3 && s[0] == '%' ? hex_digit(s[1]) : -1;
	int lo = hi >= 0 ? hex_digit(s[2]) : -1;

	return lo >= 0 ? hi * 16 + lo : -1;
}

static struct ct_str
unescape(struct ct_arena *a, struct ct_str s)
{
	char *p = ct_arena_dup(a, s.p, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int byte = escaped(s.p + i, s.n - i);

		p[n++] = byte >= 0 ? (char)byte : s.p[i];
		i += byte >= 0 ? 2 : 0;
	}
	p[n] = '\0';
	return (struct ct_str){p, n};
}

/* "[user][:password]@" cut off the front of *rest. */
static void
parse_userinfo(struct ct_arena *a, struct ct_str *rest, struct ct_redis_url *u)
{
	struct ct_str word, user;
	const char *at = NULL;

	for (size_t i = 0; i < rest->n && rest->p[i] != '/'; i++) {
		if (rest->p[i] == '@')
			at = rest->p + i;
	}
	if (!at)
		return;
	word = (struct ct_str){rest->p, (size_t)(at - rest->p)};
	rest->n -= word.n + 1;
	rest->p = at + 1;
	user = ct_str_split(&word, ':');
	if (word.p)
		u->password = unescape(a, word);
	if (user.n)
		u->user = unescape(a, user);
}

static bool
parse_db(struct ct_str s, struct ct_redis_url *u)
{
	return s.n == 0 || ct_str_i64(s, 0, DB_MAX, &u->db);
}

/* "host:port", "[::1]:port" taken apart; port is absent where not given. */
static bool
parse_place(struct ct_str place, struct ct_str *host, struct ct_str *port)
{
	if (!place.n || place.p[0] != '[') {
		*host = ct_str_split(&place, ':');
		*port = place;
		return host->n > 0;
	}
	place.p++;
	place.n--;
	*host = ct_str_split(&place, ']');
	if (!place.p || (place.n && place.p[0] != ':'))
		return false;
	*port = place.n ? (struct ct_str){place.p + 1, place.n - 1} : place;
	return host->n > 0;
}

/* host[:port][/db] */
static bool
parse_tcp(struct ct_arena *a, struct ct_str rest, struct ct_redis_url *u)
{
	struct ct_str place = ct_str_split(&rest, '/');
	int64_t port_n = PORT_DEFAULT;
	struct ct_str host, port;

	if (!parse_place(place, &host, &port))
		return false;
	if (port.n && !ct_str_i64(port, 1, 65535, &port_n))
		return false;
	u->host = ct_str_cstr(a, host);
	u->port = (int)port_n;
	return parse_db(rest, u);
}

/* /path[?db=N] */
static bool
parse_unix(struct ct_arena *a, struct ct_str rest, struct ct_redis_url *u)
{
	struct ct_str path = ct_str_split(&rest, '?');
	struct ct_str key = CT_STR("db=");

	if (!path.n || path.p[0] != '/')
		return false;
	u->path = ct_str_cstr(a, path);
	if (!rest.n)
		return true;
	if (!ct_str_starts(rest, key))
		return false;
	rest.p += key.n;
	rest.n -= key.n;
	return parse_db(rest, u);
}

bool
ct_redis_url_parse(
    struct ct_arena *a, struct ct_str url, struct ct_redis_url *out)
{
	static const struct {
		const char *scheme;
		bool (*parse)(
		    struct ct_arena *, struct ct_str, struct ct_redis_url *);
	} schemes[] = {
	    {"redis://", parse_tcp},
	    {"unix://", parse_unix},
	};

	*out = (struct ct_redis_url){0};
	for (size_t i = 0; i < ct_countof(schemes); i++) {
		struct ct_str scheme = ct_str_of(schemes[i].scheme);
		struct ct_str rest;

		if (!ct_str_starts(url, scheme))
			continue;
		rest = (struct ct_str){url.p + scheme.n, url.n - scheme.n};
		parse_userinfo(a, &rest, out);
		return schemes[i].parse(a, rest, out);
	}
	return false;
}
