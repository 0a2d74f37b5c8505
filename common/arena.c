/*
 * Bump arena over a list of blocks, newest first. The oldest block survives a
 * reset, so that ordinary work allocates nothing from the system.
 */
#include <sanitizer/asan_interface.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

#define ALIGN	    ((size_t)16)
#define FIRST_BLOCK ((size_t)16 * 1024)
#define MAX_STEP    ((size_t)1024 * 1024) /* blocks double up to here */

struct block {
	struct block *older;
	size_t size; /* bytes in mem */
	size_t used;
	alignas(16) char mem[];
};

struct ct_defer {
	void (*fn)(void *data); /* NULL: disarmed */
	void *data;
	struct ct_defer *older;
};

struct ct_arena {
	struct block *top;
	struct ct_defer *defers;
	char *newest; /* start of the newest allocation, NULL: none */
	size_t held;  /* bytes of all blocks, their headers included */
	size_t cap;
};

static void
push_block(struct ct_arena *a, size_t size)
{
	struct block *b;

	b = malloc(sizeof(*b) + size);
	if (!b)
		ct_bug("out of memory: arena block of %zu bytes", size);
	b->older = a->top;
	b->size = size;
	b->used = 0;
	ASAN_POISON_MEMORY_REGION(b->mem, size);
	a->held += sizeof(*b) + size;
	a->top = b;
}

static void
pop_block(struct ct_arena *a)
{
	struct block *b = a->top;

	a->top = b->older;
	a->held -= sizeof(*b) + b->size;
	ASAN_UNPOISON_MEMORY_REGION(b->mem, b->size);
	free(b);
}

/* A block with room for need bytes, larger where the cap allows it. */
static void
add_block(struct ct_arena *a, size_t need)
{
	size_t left, size;

	left = a->cap - a->held;
	if (left < sizeof(struct block) || need > left - sizeof(struct block))
		ct_bug("arena over its cap of %zu bytes", a->cap);
	left -= sizeof(struct block);
	size = a->top->size < MAX_STEP / 2 ? a->top->size * 2 : MAX_STEP;
	if (size < need)
		size = need;
	if (size > left)
		size = left;
	push_block(a, size);
}

/*
 * Bytes that an allocation of n takes: at least one more than n, so that an
 * empty one has an address of its own and ASan finds a poisoned byte behind
 * each.
 */
static size_t
taken(const struct ct_arena *a, size_t n)
{
	if (n > a->cap)
		ct_bug("arena: %zu bytes wanted, cap %zu", n, a->cap);
	return (n + ALIGN) & ~(ALIGN - 1);
}

struct ct_arena *
ct_arena_create(size_t cap)
{
	struct ct_arena *a;
	size_t first;

	if (cap < sizeof(struct block) + ALIGN || cap > SIZE_MAX / 2)
		ct_bug("arena cap of %zu bytes", cap);
	a = calloc(1, sizeof(*a));
	if (!a)
		ct_bug("out of memory: arena");
	a->cap = cap;
	first = cap - sizeof(struct block);
	push_block(a, first < FIRST_BLOCK ? first : FIRST_BLOCK);
	return a;
}

static void
run_defers(struct ct_arena *a, const struct ct_defer *stop)
{
	struct ct_defer *d;

	while (a->defers != stop) {
		d = a->defers;
		a->defers = d->older;
		if (d->fn)
			d->fn(d->data);
	}
}

static void
give_back(struct ct_arena *a, const struct block *to, size_t used)
{
	while (a->top != to)
		pop_block(a);
	a->top->used = used;
	ASAN_POISON_MEMORY_REGION(a->top->mem + used, a->top->size - used);
}

void
ct_arena_reset(struct ct_arena *a)
{
	const struct block *first;

	run_defers(a, NULL);
	for (first = a->top; first->older; first = first->older)
		;
	give_back(a, first, 0);
}

void
ct_arena_destroy(struct ct_arena *a)
{
	if (!a)
		return;
	run_defers(a, NULL);
	while (a->top)
		pop_block(a);
	free(a);
}

void *
ct_arena_raw(struct ct_arena *a, size_t n)
{
	size_t want = taken(a, n);
	char *p;

	if (want > a->top->size - a->top->used)
		add_block(a, want);
	p = a->top->mem + a->top->used;
	a->top->used += want;
	a->newest = p;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	return p;
}

void *
ct_arena_alloc(struct ct_arena *a, size_t n)
{
	return memset(ct_arena_raw(a, n), 0, n);
}

void *
ct_arena_grow(struct ct_arena *a, void *p, size_t old_n, size_t new_n)
{
	size_t start, want;
	void *q;

	if (p && new_n <= old_n)
		return p;
	if (p && p == a->newest) {
		start = (size_t)(a->newest - a->top->mem);
		want = taken(a, new_n);
		if (want <= a->top->size - start) {
			a->top->used = start + want;
			ASAN_UNPOISON_MEMORY_REGION(p, new_n);
			return p;
		}
	}
	q = ct_arena_raw(a, new_n);
	if (p)
		memcpy(q, p, old_n);
	return q;
}

char *
ct_arena_dup(struct ct_arena *a, const void *p, size_t n)
{
	char *q;

	if (n > a->cap)
		ct_bug("arena: %zu bytes wanted, cap %zu", n, a->cap);
	q = ct_arena_raw(a, n + 1);
	if (n > 0)
		memcpy(q, p, n);
	q[n] = '\0';
	return q;
}

char *
ct_arena_printf(struct ct_arena *a, const char *fmt, ...)
{
	char small[256], *p;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = ct_size(vsnprintf(small, sizeof(small), fmt, ap));
	va_end(ap);
	if (n < sizeof(small))
		return ct_arena_dup(a, small, n);
	p = ct_arena_raw(a, n + 1);
	va_start(ap, fmt);
	vsnprintf(p, n + 1, fmt, ap);
	va_end(ap);
	return p;
}

struct ct_defer *
ct_arena_defer(struct ct_arena *a, void (*fn)(void *data), void *data)
{
	struct ct_defer *d = ct_arena_raw(a, sizeof(*d));

	*d = (struct ct_defer){fn, data, a->defers};
	a->defers = d;
	return d;
}

void
ct_arena_disarm(struct ct_defer *d)
{
	if (d)
		d->fn = NULL;
}

struct ct_mark
ct_arena_mark(const struct ct_arena *a)
{
	return (struct ct_mark){a->top, a->top->used, a->defers};
}

void
ct_arena_rewind(struct ct_arena *a, struct ct_mark m)
{
	run_defers(a, m.defers);
	give_back(a, m.block, m.used);
}

size_t
ct_arena_footprint(const struct ct_arena *a)
{
	return a->held;
}
