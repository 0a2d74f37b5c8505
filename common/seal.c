/* Sealed files; see seal.h. */
#include "common/seal.h"

#include <string.h>

#define MAGIC	  "CTBACKUP"
#define MAGIC_N	  8
#define VERSION	  1
#define FRAME	  16 /* bytes before a chunk */
#define CHUNK	  65536
#define CHECK	  8 /* bytes of a digest */
#define AT_MADE	  16
#define AT_ID	  24
#define ID	  8
#define AT_STREAM 32
#define AT_CHECK  56

struct keys {
	uint8_t stream[CT_KEY];
	uint8_t frame[CT_KEY];
	uint8_t id[CT_KEY]; /* its first ID bytes are shown */
};

/* What a chunk is bound to: the file's head, its own number and size. */
struct about {
	uint8_t b[CT_SEAL_HEAD + 8];
};

struct ct_sealer {
	struct ct_out out;
	struct keys keys;
	struct ct_stream stream;
	struct about about;
	int64_t created_us;
	bool begun;
	uint32_t number; /* of the chunk to come */
	size_t n;	 /* bytes in plain */
	uint8_t plain[CHUNK];
	uint8_t sealed[FRAME + CHUNK + CT_STREAM_MORE];
};

enum place { AT_HEAD, AT_FRAME, AT_CHUNK, AT_END };

struct ct_unsealer {
	struct ct_out out;
	const char *name;
	struct keys keys;
	struct ct_stream stream;
	struct about about;
	int64_t created_us;
	enum place place;
	uint32_t number;
	uint32_t plain_n; /* of the chunk that is being read */
	uint64_t taken;	  /* bytes of the file */
	size_t have, want;
	uint8_t in[CHUNK + CT_STREAM_MORE];
	uint8_t plain[CHUNK];
};

static void
put_le(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t
get_le(const uint8_t *p, int bytes)
{
	uint64_t v = 0;

	for (int i = bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static struct ct_str
bytes_of(const uint8_t *p, size_t n)
{
	return (struct ct_str){(const char *)p, n};
}

static void
derive(struct keys *k, const uint8_t key[CT_KEY])
{
	struct ct_str secret = bytes_of(key, CT_KEY);

	ct_derive_key(secret, CT_STR("backup stream"), k->stream);
	ct_derive_key(secret, CT_STR("backup frame"), k->frame);
	ct_derive_key(secret, CT_STR("backup key id"), k->id);
}

static void
head_check(const uint8_t *head, uint8_t out[CHECK])
{
	uint8_t digest[CT_DIGEST];

	ct_digest(head, AT_CHECK, digest);
	memcpy(out, digest, CHECK);
}

/* The digest in front of a chunk: whoever lacks the key cannot make it. */
static void
frame_check(const struct keys *k, const struct about *about, uint8_t out[CHECK])
{
	uint8_t digest[CT_KEY];

	ct_derive_key(bytes_of(k->frame, CT_KEY),
	    bytes_of(about->b, sizeof(about->b)), digest);
	memcpy(out, digest, CHECK);
}

/* ---- keys */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
ct_seal_key_parse(struct ct_str text, uint8_t out[CT_KEY])
{
	if (text.n != 2 * CT_KEY)
		return false;
	for (size_t i = 0; i < CT_KEY; i++) {
		int high = hex_value(text.p[2 * i]);
		int low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void
ct_seal_key_new(char out[CT_SEAL_KEY_TEXT])
{
	uint8_t key[CT_KEY];

	ct_random(key, sizeof(key));
	ct_hex(key, sizeof(key), out);
	ct_wipe(key, sizeof(key));
}

void
ct_seal_key_id(const uint8_t key[CT_KEY], char out[CT_SEAL_ID_TEXT])
{
	struct keys k;

	derive(&k, key);
	ct_hex(k.id, ID, out);
	ct_wipe(&k, sizeof(k));
}

/* ---- sealing */

static void
wipe_sealer(void *arg)
{
	ct_wipe(arg, sizeof(struct ct_sealer));
}

struct ct_sealer *
ct_sealer_new(struct ct_arena *a, const uint8_t key[CT_KEY], int64_t created_us,
    struct ct_out out)
{
	struct ct_sealer *s = ct_arena_alloc(a, sizeof(*s));

	ct_arena_defer(a, wipe_sealer, s);
	s->out = out;
	s->created_us = created_us;
	derive(&s->keys, key);
	return s;
}

static enum ct_rc
begin(struct ct_sealer *s, struct ct_err *err)
{
	uint8_t *head = s->about.b;

	s->begun = true;
	memcpy(head, MAGIC, MAGIC_N);
	head[MAGIC_N] = VERSION;
	put_le(head + AT_MADE, (uint64_t)s->created_us, 8);
	memcpy(head + AT_ID, s->keys.id, ID);
	ct_stream_seal_begin(&s->stream, s->keys.stream, head + AT_STREAM);
	head_check(head, head + AT_CHECK);
	return ct_out_put(&s->out, head, CT_SEAL_HEAD, err);
}

static enum ct_rc
put_chunk(struct ct_sealer *s, bool last, struct ct_err *err)
{
	uint8_t *own = s->about.b + CT_SEAL_HEAD;
	size_t n = s->n;

	if (!s->begun && begin(s, err) != CT_OK)
		return err->rc;
	if (s->number == UINT32_MAX)
		return ct_fail(err, CT_TOOBIG, NULL,
		    "a sealed file holds 256 TiB at the most");
	put_le(own, s->number, 4);
	put_le(own + 4, n, 4);
	memcpy(s->sealed, own, 8);
	frame_check(&s->keys, &s->about, s->sealed + 8);
	ct_stream_seal(&s->stream, bytes_of(s->plain, n),
	    bytes_of(s->about.b, sizeof(s->about.b)), last, s->sealed + FRAME);
	s->number++;
	s->n = 0;
	return ct_out_put(&s->out, s->sealed, FRAME + n + CT_STREAM_MORE, err);
}

enum ct_rc
ct_sealer_put(
    struct ct_sealer *s, const void *data, size_t n, struct ct_err *err)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t room = sizeof(s->plain) - s->n;
		size_t take = n < room ? n : room;

		/* Full, and more comes: it is not the last one. */
		if (room == 0) {
			if (put_chunk(s, false, err) != CT_OK)
				return err->rc;
			continue;
		}
		memcpy(s->plain + s->n, p, take);
		s->n += take;
		p += take;
		n -= take;
	}
	return CT_OK;
}

enum ct_rc
ct_sealer_end(struct ct_sealer *s, struct ct_err *err)
{
	return put_chunk(s, true, err);
}

/* ---- opening */

static void
wipe_unsealer(void *arg)
{
	ct_wipe(arg, sizeof(struct ct_unsealer));
}

struct ct_unsealer *
ct_unsealer_new(struct ct_arena *a, const uint8_t key[CT_KEY], const char *name,
    struct ct_out out)
{
	struct ct_unsealer *u = ct_arena_alloc(a, sizeof(*u));

	ct_arena_defer(a, wipe_unsealer, u);
	u->out = out;
	u->name = name;
	u->want = CT_SEAL_HEAD;
	derive(&u->keys, key);
	return u;
}

int64_t
ct_unsealer_created_us(const struct ct_unsealer *u)
{
	return u->created_us;
}

static enum ct_rc
foreign(const struct ct_unsealer *u, struct ct_err *err)
{
	return ct_fail(err, CT_MALFORMED, "not_a_backup",
	    "%.80s is no backup of CatETube: it begins with something else",
	    u->name);
}

static enum ct_rc
altered(const struct ct_unsealer *u, const char *what, struct ct_err *err)
{
	return ct_fail(err, CT_MALFORMED, "altered",
	    "%.80s was altered: %s at byte %llu is not what was written",
	    u->name, what, (unsigned long long)(u->taken - u->have));
}

static enum ct_rc
open_head(struct ct_unsealer *u, struct ct_err *err)
{
	uint8_t check[CHECK];
	char theirs[CT_SEAL_ID_TEXT], ours[CT_SEAL_ID_TEXT];

	if (memcmp(u->in, MAGIC, MAGIC_N) != 0)
		return foreign(u, err);
	head_check(u->in, check);
	if (memcmp(check, u->in + AT_CHECK, CHECK) != 0)
		return altered(u, "its head", err);
	if (u->in[MAGIC_N] != VERSION)
		return ct_fail(err, CT_MALFORMED, "newer_backup",
		    "%.80s has format %u, which this program does not know: "
		    "use the newer one",
		    u->name, u->in[MAGIC_N]);
	if (memcmp(u->in + AT_ID, u->keys.id, ID) != 0) {
		ct_hex(u->in + AT_ID, ID, theirs);
		ct_hex(u->keys.id, ID, ours);
		return ct_fail(err, CT_MALFORMED, "wrong_key",
		    "%.80s is sealed with the key %s, the given one is %s",
		    u->name, theirs, ours);
	}
	u->created_us = (int64_t)get_le(u->in + AT_MADE, 8);
	memcpy(u->about.b, u->in, CT_SEAL_HEAD);
	ct_stream_open_begin(&u->stream, u->keys.stream, u->in + AT_STREAM);
	u->place = AT_FRAME;
	u->want = FRAME;
	return CT_OK;
}

static enum ct_rc
open_frame(struct ct_unsealer *u, struct ct_err *err)
{
	uint32_t number = (uint32_t)get_le(u->in, 4);
	uint8_t check[CHECK];

	u->plain_n = (uint32_t)get_le(u->in + 4, 4);
	memcpy(u->about.b + CT_SEAL_HEAD, u->in, 8);
	frame_check(&u->keys, &u->about, check);
	if (!ct_equal(check, u->in + 8, CHECK) || u->plain_n > CHUNK)
		return altered(u, "the head of a chunk", err);
	if (number != u->number)
		return ct_fail(err, CT_MALFORMED, "out_of_order",
		    "%.80s has its parts in another order: chunk %u stands "
		    "where chunk %u belongs",
		    u->name, number, u->number);
	u->place = AT_CHUNK;
	u->want = u->plain_n + CT_STREAM_MORE;
	return CT_OK;
}

static enum ct_rc
open_chunk(struct ct_unsealer *u, struct ct_err *err)
{
	bool last = false;

	if (!ct_stream_open(&u->stream, bytes_of(u->in, u->want),
		bytes_of(u->about.b, sizeof(u->about.b)), &last, u->plain))
		return altered(u, "a chunk", err);
	u->number++;
	u->place = last ? AT_END : AT_FRAME;
	u->want = last ? 0 : FRAME;
	return ct_out_put(&u->out, u->plain, u->plain_n, err);
}

static enum ct_rc
step(struct ct_unsealer *u, struct ct_err *err)
{
	switch (u->place) {
	case AT_HEAD:
		return open_head(u, err);
	case AT_FRAME:
		return open_frame(u, err);
	case AT_CHUNK:
		return open_chunk(u, err);
	case AT_END:
		break;
	}
	return altered(u, "what follows the end", err);
}

enum ct_rc
ct_unsealer_put(
    struct ct_unsealer *u, const void *data, size_t n, struct ct_err *err)
{
	const uint8_t *p = data;

	while (n > 0) {
		size_t left = u->want - u->have;
		size_t take = n < left ? n : left;

		memcpy(u->in + u->have, p, take);
		u->have += take;
		u->taken += take;
		p += take;
		n -= take;
		if (u->have < u->want)
			break;
		if (step(u, err) != CT_OK)
			return err->rc;
		u->have = 0;
	}
	return CT_OK;
}

enum ct_rc
ct_unsealer_end(struct ct_unsealer *u, struct ct_err *err)
{
	size_t begin_n = u->have < MAGIC_N ? u->have : MAGIC_N;

	if (u->place == AT_END)
		return CT_OK;
	if (u->place == AT_HEAD && u->taken > 0 &&
	    memcmp(u->in, MAGIC, begin_n) != 0)
		return foreign(u, err);
	if (u->taken == 0)
		return ct_fail(
		    err, CT_MALFORMED, "truncated", "%.80s is empty", u->name);
	return ct_fail(err, CT_MALFORMED, "truncated",
	    "%.80s is cut short: it ends after %llu bytes, before its end",
	    u->name, (unsigned long long)u->taken);
}
