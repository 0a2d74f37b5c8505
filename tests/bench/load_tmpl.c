/*
 * What the load generator sends: the request file and the sessions file, and
 * one request made from them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load.h"

#define COOKIE_MAX 512

uint64_t
rng_next(uint64_t rng[2])
{
	uint64_t a = rng[0], b = rng[1]; /* xorshift128+ */

	rng[0] = b;
	a ^= a << 23;
	rng[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return rng[1] + b;
}

static void
stop(const char *file, unsigned line, const char *why)
{
	fprintf(stderr, "bench-load: %s:%u: %s\n", file, line, why);
	exit(2);
}

/* Copy text to out, its {uuid} and {n} as blanks of their final width. */
static size_t
compile(struct tmpl *t, const char *text, char *out, size_t cap)
{
	size_t n = 0;

	while (*text != '\0') {
		bool uuid = strncmp(text, "{uuid}", 6) == 0;
		size_t width = uuid ? 36 : 5;

		if (n + 37 > cap)
			return SIZE_MAX;
		if (!uuid && strncmp(text, "{n}", 3) != 0) {
			out[n++] = *text++;
			continue;
		}
		if (t->patches == PATCH_MAX)
			return SIZE_MAX;
		t->patch[t->patches++] = (struct patch){n, uuid};
		memset(out + n, ' ', width);
		n += width;
		text += uuid ? 6 : 3;
	}
	return n;
}

static bool
add(struct tmpl *t, const char *method, const char *path, const char *body,
    const char *host, const char *headers)
{
	char text[900];
	char entity[80] = "";
	unsigned head_patches;
	int n;

	snprintf(t->name, sizeof(t->name), "%s %.40s", method, path);
	t->get = strcmp(method, "GET") == 0;
	n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: %s\r\n%s",
	    method, path, host, headers);
	if (n < 0 || (size_t)n >= sizeof(text))
		return false;
	t->head_n = compile(t, text, t->head, sizeof(t->head) - 100);
	head_patches = t->patches;
	t->body_n = compile(t, body, t->body, sizeof(t->body));
	if (t->head_n == SIZE_MAX || t->body_n == SIZE_MAX)
		return false;
	t->head_patches = head_patches;
	if (!t->get)
		snprintf(entity, sizeof(entity),
		    "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\n",
		    t->body_n);
	memcpy(t->head + t->head_n, entity, strlen(entity));
	t->head_n += strlen(entity);
	return true;
}

void
plan_requests(
    struct plan *p, const char *file, const char *host, const char *headers)
{
	FILE *f = fopen(file, "r");
	char line[2048];
	unsigned no = 0;

	if (f == NULL)
		stop(file, 0, "cannot be read");
	while (fgets(line, sizeof(line), f) != NULL) {
		char method[8], path[512];
		unsigned weight;
		int end = 0;

		no++;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (sscanf(line, "%u %7s %511s %n", &weight, method, path,
			&end) != 3 ||
		    weight == 0)
			stop(file, no, "not: weight METHOD path [body]");
		if (p->n == TMPL_MAX)
			stop(file, no, "too many requests");
		if (!add(&p->tmpl[p->n], method, path, line + end, host,
			headers))
			stop(file, no, "too long");
		p->tmpl[p->n++].weight = weight;
		p->weights += weight;
	}
	fclose(f);
	if (p->n == 0)
		stop(file, no, "no request in it");
}

void
plan_sessions(struct plan *p, const char *file)
{
	FILE *f = file != NULL ? fopen(file, "r") : NULL;
	char line[COOKIE_MAX];
	unsigned cap = 0;

	if (file != NULL && f == NULL)
		stop(file, 0, "cannot be read");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (p->sessions == cap) {
			cap = cap == 0 ? 1024 : 2 * cap;
			p->cookie = realloc(p->cookie, cap * sizeof(char *));
			if (p->cookie == NULL)
				abort();
		}
		p->cookie[p->sessions++] = strdup(line);
	}
	if (f != NULL)
		fclose(f);
	if (p->sessions > 0)
		return;
	if (file != NULL)
		stop(file, 0, "no session in it");
	p->cookie = calloc(1, sizeof(char *));
	if (p->cookie == NULL)
		abort();
	p->cookie[0] = strdup("");
	p->sessions = 1;
}

/* A version 7 UUID: the time, then random bits. */
static void
put_uuid(char *out, uint64_t rng[2])
{
	static const char hex[] = "0123456789abcdef";
	static const uint8_t dash[] = {8, 13, 18, 23};
	uint64_t hi = rng_next(rng), lo = rng_next(rng);

	hi = (hi & 0xfffff0000fffull) | (0x7000ull);
	hi |= (rng_next(rng) & 0xffffull) << 48;
	lo = (lo & 0x3fffffffffffffffull) | 0x8000000000000000ull;
	for (unsigned i = 0, d = 0, nibble = 0; i < 36; i++) {
		uint64_t v = nibble < 16 ? hi : lo;

		if (d < 4 && i == dash[d]) {
			out[i] = '-';
			d++;
			continue;
		}
		out[i] = hex[v >> (60 - 4 * (nibble % 16)) & 15];
		nibble++;
	}
}

static void
fill(char *at, const struct patch *patch, unsigned n, unsigned session,
    uint64_t rng[2])
{
	for (unsigned i = 0; i < n; i++) {
		unsigned v = session + 1;

		if (patch[i].uuid) {
			put_uuid(at + patch[i].at, rng);
			continue;
		}
		for (int d = 4; d >= 0; d--, v /= 10)
			at[patch[i].at + (size_t)d] = (char)('0' + v % 10);
	}
}

static char *
put(char *at, const char *s, size_t n)
{
	memcpy(at, s, n);
	return at + n;
}

size_t
plan_render(const struct plan *p, unsigned tmpl, unsigned session,
    const char *etag, uint64_t rng[2], char out[REQ_MAX])
{
	const struct tmpl *t = &p->tmpl[tmpl];
	const char *cookie = p->cookie[session];
	char *at = put(out, t->head, t->head_n);

	fill(out, t->patch, t->head_patches, session, rng);
	if (cookie[0] != '\0') {
		at = put(at, "Cookie: ", 8);
		at = put(at, cookie, strlen(cookie));
		at = put(at, "\r\n", 2);
	}
	if (etag != NULL && etag[0] != '\0') {
		at = put(at, "If-None-Match: ", 15);
		at = put(at, etag, strlen(etag));
		at = put(at, "\r\n", 2);
	}
	at = put(at, "\r\n", 2);
	fill(put(at, t->body, t->body_n) - t->body_n,
	    t->patch + t->head_patches, t->patches - t->head_patches, session,
	    rng);
	return (size_t)(at - out) + t->body_n;
}
