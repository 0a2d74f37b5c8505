/*
 * The door to libcurl, for common/s3.c, worker/smtp.c and worker/post.c: a
 * handle on which nothing of the environment decides where it goes.
 */
#ifndef CT_COMMON_CURL_INTERNAL_H
#define CT_COMMON_CURL_INTERNAL_H

#include <curl/curl.h>

#include "common/arena.h"

/*
 * A fresh handle; it lives on a. No proxy, no .netrc, no signals, no waiting
 * for a name server that hangs. error: CURL_ERROR_SIZE bytes that outlive it.
 */
CURL *ct_curl_new(struct ct_arena *a, char *error);
/* list with text behind it (NULL: a new one, which lives on a). */
struct curl_slist *ct_curl_list(
    struct ct_arena *a, struct curl_slist *list, const char *text);

#endif
