/* Handlers that every entry noun shares; a noun passes its kind. */
#ifndef CT_FCGI_H_ENTRY_H
#define CT_FCGI_H_ENTRY_H

#include "db/entry.h"
#include "fcgi/req.h"

/* Room for a struct of any kind. */
#define CT_ENTRY_MAX 512

/* bare: without ?page, the last 100 as an array, as the original had it. */
enum ct_rc ct_entry_list_h(struct ct_req *r, const struct ct_entry_kind *k,
    bool bare, struct ct_err *err);
enum ct_rc ct_entry_get_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err);
enum ct_rc ct_entry_patch_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err);
enum ct_rc ct_entry_delete_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err);
enum ct_rc ct_entry_restore_h(
    struct ct_req *r, const struct ct_entry_kind *k, struct ct_err *err);

/*
 * For creates: id and cat where the body gave none, the time where it is
 * absent or judged (not in the future). CT_INVALID; CT_NOTFOUND: no cat.
 */
enum ct_rc ct_entry_prepare(
    struct ct_req *r, struct ct_entry *e, struct ct_err *err) CT_MUSTCHECK;
/* CT_NOTFOUND where the API token is for another cat. */
enum ct_rc ct_req_may_see(const struct ct_req *r, const struct ct_uuid *cat,
    struct ct_err *err) CT_MUSTCHECK;
/*
 * The cat of the request: given, or the default one. CT_NOTFOUND: there is
 * none, or the API token is for another one.
 */
enum ct_rc ct_req_cat(const struct ct_req *r, struct ct_uuid *cat,
    struct ct_err *err) CT_MUSTCHECK;

#define CT_PER_PAGE_MAX 100
#define CT_PAGE_MAX	1000000
/* v, but not below min nor above max. */
int64_t ct_clamp(int64_t v, int64_t min, int64_t max);
/* "pagination": {page, pages, per_page, total, has_next, has_prev} */
struct ct_pagination {
	int64_t page, per_page, total;
};
void ct_pagination_write(const struct ct_pagination *p, struct ct_jw *w);

#endif
