/*
 * Metrics on a page that all processes of the host map. A cell is claimed once
 * under a lock that the kernel drops when its holder dies; from then on it is
 * bumped with atomic adds and read without locks.
 */
#include "common/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/jw.h"
#include "common/log.h"

enum type { COUNTER, GAUGE, HISTOGRAM };

static const struct {
	enum type type;
	const char *name;
	const char *help;
} rows[] = {
#define CT_METRIC(id, type, name, help) {type, name, help},
#include "common/metrics.def"
#undef CT_METRIC
};

static const char *const type_names[] = {"counter", "gauge", "histogram"};

/* Upper bounds; an observation past the last one counts under +Inf. */
static const struct {
	int64_t us;
	const char *text;
} bounds[] = {
    {500, "0.0005"},
    {1000, "0.001"},
    {2500, "0.0025"},
    {5000, "0.005"},
    {10000, "0.01"},
    {25000, "0.025"},
    {50000, "0.05"},
    {100000, "0.1"},
    {250000, "0.25"},
    {500000, "0.5"},
    {1000000, "1"},
    {2500000, "2.5"},
    {5000000, "5"},
    {10000000, "10"},
    {INT64_MAX, "+Inf"},
};

enum { BUCKETS = ct_countof(bounds) };

/* Counters and gauges use the first bucket. Four cache lines each. */
struct ct_cell {
	uint32_t metric;
	char labels[CT_METRIC_LABELS];
	_Atomic uint64_t bucket[BUCKETS]; /* not cumulative */
	_Atomic uint64_t sum_us;
};

struct page {
	uint64_t magic;
	uint64_t layout;
	_Atomic uint32_t used;	/* cells claimed; they are never given back */
	_Atomic uint32_t spilt; /* claims that found no room or were invalid */
	struct ct_cell cells[CT_METRIC_CELLS];
};

static const uint64_t magic = 0x31636972746d7463; /* "ctmtric1" */

static struct page private_page;
static struct page *page = &private_page;
static int page_fd = -1;
static struct ct_cell overflow; /* bumped by whoever got no cell; not shown */
static pthread_mutex_t claim_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- the page ---------------------------------------------------------- */

static uint64_t
hash_text(uint64_t h, const char *s)
{
	do {
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	} while (*s++);
	return h;
}

/* Changes with the rows and with everything that moves a cell. */
static uint64_t
layout_hash(void)
{
	uint64_t h = 0xcbf29ce484222325 ^ sizeof(struct page);

	for (size_t i = 0; i < ct_countof(rows); i++) {
		h = hash_text(h, rows[i].name);
		h = hash_text(h, type_names[rows[i].type]);
	}
	for (size_t i = 0; i < BUCKETS; i++)
		h = hash_text(h, bounds[i].text);
	return h;
}

static int
lock_file(int fd, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET};
	int rc;

	do {
		rc = fcntl(fd, F_SETLKW, &l);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

/* True where path still names the open file. */
static bool
is_same(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * Map the file if it is ours or still empty. NULL: errno, or 0 where it has
 * another layout.
 */
static struct page *
map_file(int fd)
{
	struct stat st;
	struct page *p;

	if (fstat(fd, &st) < 0)
		return NULL;
	errno = 0;
	if (st.st_size != 0 && st.st_size != sizeof(*p))
		return NULL;
	if (st.st_size == 0 &&
	    (fchmod(fd, 0660) < 0 || ftruncate(fd, sizeof(*p)) < 0))
		return NULL;
	p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (st.st_size == 0) {
		p->layout = layout_hash();
		p->magic = magic;
	}
	if (p->magic == magic && p->layout == layout_hash())
		return p;
	munmap(p, sizeof(*p));
	errno = 0;
	return NULL;
}

/*
 * One try. A file of another layout is unlinked, not cut: processes of the
 * other version go on counting on theirs. *again: the file changed under us.
 */
static struct page *
try_open(const char *path, int *out_fd, bool *again)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0660);
	struct page *p = NULL;
	int why;

	*again = false;
	if (fd < 0)
		return NULL;
	if (lock_file(fd, F_WRLCK) == 0) {
		*again = !is_same(fd, path);
		if (!*again)
			p = map_file(fd);
		if (!p && !*again && errno == 0)
			*again = unlink(path) == 0;
	}
	why = errno;
	if (p)
		lock_file(fd, F_UNLCK);
	else
		close(fd);
	errno = why;
	*out_fd = fd;
	return p;
}

enum ct_rc
ct_metrics_open(const char *dir, struct ct_err *err)
{
	char path[PATH_MAX];
	struct page *p = NULL;
	bool again = true;
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/metrics", dir) >=
	    (int)sizeof(path))
		return ct_fail(err, CT_INTERNAL, NULL,
		    "The name of the run directory is too long.");
	for (int i = 0; i < 8 && !p && again; i++)
		p = try_open(path, &fd, &again);
	if (!p) {
		ct_fail(err, CT_INTERNAL, NULL, "Cannot map %.150s.", path);
		return ct_err_detail(err, "%s", strerror(errno));
	}
	page = p;
	page_fd = fd;
	return CT_OK;
}

/* --- cells ------------------------------------------------------------- */

/* The end of one name="value" at s, or NULL. In a value \\, \" and \n only. */
static const char *
skip_label(const char *s)
{
	static const char alpha[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t n = strspn(s, alpha);

	if (n == 0)
		return NULL;
	s += n;
	s += strspn(s, "0123456789abcdefghijklmnopqrstuvwxyz"
		       "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (s[0] != '=' || s[1] != '"')
		return NULL;
	for (s += 2; *s != '"'; s++) {
		if (*s == '\0' || *s == '\n')
			return NULL;
		if (*s == '\\' && !(*++s && strchr("\\\"n", *s)))
			return NULL;
	}
	return s + 1;
}

static bool
labels_ok(const char *labels)
{
	const char *s = labels;

	if (strlen(labels) >= CT_METRIC_LABELS ||
	    !ct_utf8_ok(ct_str_of(labels)))
		return false;
	while (s && *s) {
		s = skip_label(s);
		if (s && *s == ',')
			s = s[1] ? s + 1 : NULL;
		else if (s && *s)
			s = NULL;
	}
	return s != NULL;
}

static struct ct_cell *
find(enum ct_metric_id id, const char *labels)
{
	uint32_t n = atomic_load_explicit(&page->used, memory_order_acquire);

	for (uint32_t i = 0; i < n && i < CT_METRIC_CELLS; i++) {
		struct ct_cell *c = &page->cells[i];

		if (c->metric == (uint32_t)id && strcmp(c->labels, labels) == 0)
			return c;
	}
	return NULL;
}

/* Under both locks. */
static struct ct_cell *
claim(enum ct_metric_id id, const char *labels)
{
	uint32_t n = atomic_load_explicit(&page->used, memory_order_acquire);
	struct ct_cell *c = find(id, labels);

	if (c || n >= CT_METRIC_CELLS)
		return c;
	c = &page->cells[n];
	c->metric = (uint32_t)id;
	memcpy(c->labels, labels, strlen(labels) + 1);
	atomic_store_explicit(&page->used, n + 1, memory_order_release);
	return c;
}

static struct ct_cell *
spill(enum ct_metric_id id, const char *labels)
{
	if (atomic_fetch_add(&page->spilt, 1) == 0)
		ct_log(CT_WARN, "metrics", "no cell for %s{%s}", rows[id].name,
		    labels);
	return &overflow;
}

struct ct_cell *
ct_metric(enum ct_metric_id id, const char *labels)
{
	struct ct_cell *c;

	if (!labels_ok(labels))
		return spill(id, labels);
	c = find(id, labels);
	if (c)
		return c;
	pthread_mutex_lock(&claim_lock);
	if (page_fd >= 0)
		lock_file(page_fd, F_WRLCK);
	c = claim(id, labels);
	if (page_fd >= 0)
		lock_file(page_fd, F_UNLCK);
	pthread_mutex_unlock(&claim_lock);
	return c ? c : spill(id, labels);
}

void
ct_metric_add(struct ct_cell *c, uint64_t n)
{
	atomic_fetch_add_explicit(&c->bucket[0], n, memory_order_relaxed);
}

void
ct_metric_set(struct ct_cell *c, uint64_t v)
{
	atomic_store_explicit(&c->bucket[0], v, memory_order_relaxed);
}

void
ct_metric_observe_us(struct ct_cell *c, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (us > bounds[i].us)
		i++;
	atomic_fetch_add_explicit(&c->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &c->sum_us, (uint64_t)us, memory_order_relaxed);
}

/* --- rendering --------------------------------------------------------- */

static unsigned long long
value(_Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void
render_histogram(struct ct_buf *out, struct ct_cell *c)
{
	const char *name = rows[c->metric].name;
	const char *comma = c->labels[0] ? "," : "";
	const char *open = c->labels[0] ? "{" : "";
	const char *close_ = c->labels[0] ? "}" : "";
	unsigned long long sum = value(&c->sum_us);
	unsigned long long n = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		n += value(&c->bucket[i]);
		ct_buf_addf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name,
		    c->labels, comma, bounds[i].text, n);
	}
	ct_buf_addf(out, "%s_sum%s%s%s %llu.%06llu\n", name, open, c->labels,
	    close_, sum / 1000000, sum % 1000000);
	ct_buf_addf(
	    out, "%s_count%s%s%s %llu\n", name, open, c->labels, close_, n);
}

static void
render_cell(struct ct_buf *out, struct ct_cell *c)
{
	const char *name = rows[c->metric].name;

	if (rows[c->metric].type == HISTOGRAM)
		render_histogram(out, c);
	else if (c->labels[0])
		ct_buf_addf(out, "%s{%s} %llu\n", name, c->labels,
		    value(&c->bucket[0]));
	else
		ct_buf_addf(out, "%s %llu\n", name, value(&c->bucket[0]));
}

void
ct_metric_head(struct ct_buf *out, enum ct_metric_id id)
{
	ct_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[id].name,
	    rows[id].help, rows[id].name, type_names[rows[id].type]);
}

void
ct_metric_line(struct ct_buf *out, enum ct_metric_id id, const char *labels,
    int64_t value_milli)
{
	char text[24];
	size_t n = ct_milli_text(value_milli, text);

	if (!labels_ok(labels))
		return;
	ct_buf_adds(out, rows[id].name);
	if (labels[0])
		ct_buf_addf(out, "{%s}", labels);
	ct_buf_addf(out, " %.*s\n", (int)n, text);
}

const char *
ct_metric_label(struct ct_arena *a, struct ct_str text)
{
	char *p;

	if (text.n > 64)
		text.n = 64;
	p = ct_str_cstr(a, text);
	for (size_t i = 0; i < text.n; i++)
		if (p[i] < ' ' || p[i] > '~' || p[i] == '"' || p[i] == '\\')
			p[i] = '_';
	return p;
}

void
ct_metrics_render(struct ct_buf *out)
{
	uint32_t n = atomic_load_explicit(&page->used, memory_order_acquire);

	for (uint32_t id = 0; id < CT_M_COUNT; id++) {
		bool told = false;

		for (uint32_t i = 0; i < n && i < CT_METRIC_CELLS; i++) {
			struct ct_cell *c = &page->cells[i];

			if (c->metric != id)
				continue;
			if (!told)
				ct_metric_head(out, id);
			told = true;
			render_cell(out, c);
		}
	}
}
