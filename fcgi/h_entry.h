/* What the handlers of entries share. */
#ifndef CT_FCGI_H_ENTRY_H
#define CT_FCGI_H_ENTRY_H

#include "db/entry.h"
#include "fcgi/req.h"

/*
 * The body of a create into obj, over what the kind says a new one is: id and
 * cat where it gave none, its time judged (not in the future). The cat is
 * noted to be bumped. CT_INVALID; CT_NOTFOUND: no cat.
 */
enum ct_rc ct_entry_read(struct ct_req *r, const struct ct_entry_kind *k,
    void *obj, struct ct_err *err) CT_MUSTCHECK;
/* 409 with the reasons, a JSON array; nothing was logged. */
enum ct_rc ct_entry_stopped(struct ct_req *r, const struct ct_entry_kind *k,
    struct ct_str warnings, struct ct_err *err);
/*
 * The entry of {id}, perhaps a deleted one. CT_NOTFOUND: there is none, or it
 * is of a cat that the API token may not see.
 */
enum ct_rc ct_entry_load(
    struct ct_req *r, bool deleted, void *obj, struct ct_err *err) CT_MUSTCHECK;

/* CT_NOTFOUND where the API token is for another cat. */
enum ct_rc ct_req_may_see(const struct ct_req *r, const struct ct_uuid *cat,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * The cat of the request: given, or the default one. CT_NOTFOUND: there is
 * none, or the API token is for another one.
 */
enum ct_rc ct_req_cat(const struct ct_req *r, struct ct_uuid *cat,
    struct ct_err *err) CT_MUSTCHECK;

/*
 * If-Match: "3" names the version that the client saw; without it, or with *,
 * *version stays. CT_INVALID.
 */
enum ct_rc ct_req_version(
    const struct ct_req *r, int64_t *version, struct ct_err *err) CT_MUSTCHECK;

#define CT_PER_PAGE_MAX 100
#define CT_PAGE_MAX	1000000
/* v, but not below min nor above max. */
int64_t ct_clamp(int64_t v, int64_t min, int64_t max);
/*
 * "pagination": {page, pages, per_page, total, has_next, has_prev,
 * next_cursor}. page 0: the list goes on from a cursor, and page, pages and
 * total are null. next absent: there is no next page.
 */
struct ct_pagination {
	int64_t page, per_page, total;
	struct ct_str next;
};
void ct_pagination_write(const struct ct_pagination *p, struct ct_jw *w);

#endif
