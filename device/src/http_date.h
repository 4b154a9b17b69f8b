/* updraft: the Date of HTTP. */
#ifndef UPDRAFT_HTTP_DATE_H
#define UPDRAFT_HTTP_DATE_H

#include <stdint.h>

/** Seconds since 1970 of "Sat, 21 Nov 2026 02:57:35 GMT"; 0 for any other form and before 2020. */
uint32_t upd_http_date(const char *text);

#endif
