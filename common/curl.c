/* The door to libcurl; see curl_internal.h. */
#include "common/curl_internal.h"

static void
close_handle(void *h)
{
	curl_easy_cleanup(h);
}

static void
free_list(void *l)
{
	curl_slist_free_all(l);
}

CURL *
ct_curl_new(struct ct_arena *a, char *error)
{
	static bool ready;
	CURL *h;

	if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ct_bug("libcurl cannot be initialised");
	ready = true;
	h = curl_easy_init();
	if (!h)
		ct_bug("libcurl gave no handle");
	ct_arena_defer(a, close_handle, h);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
	return h;
}

struct curl_slist *
ct_curl_list(struct ct_arena *a, struct curl_slist *list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(list, text);

	if (!longer)
		ct_bug("libcurl made no list");
	if (!list)
		ct_arena_defer(a, free_list, longer);
	return longer;
}
