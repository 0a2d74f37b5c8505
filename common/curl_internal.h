/* The door to libcurl, for the files that tests/lint/doors.sh names. */
#ifndef CT_COMMON_CURL_INTERNAL_H
#define CT_COMMON_CURL_INTERNAL_H

#include <curl/curl.h>

#endif
