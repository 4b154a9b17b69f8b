/* The description of the API in OpenAPI 3.1, made from the rows that the server runs. */
#ifndef UPDRAFT_SERVER_API_OPENAPI_H
#define UPDRAFT_SERVER_API_OPENAPI_H

#include <jansson.h>

#include "http/http.h"

/** @param origin  where the server is reached. @return a new object */
json_t *api_openapi(const char *origin);

/** "an operator of the product" */
const char *api_access_word(enum http_access access);

/** Add what answers look like to the schemas: shapes.c. */
void api_shapes(json_t *schemas);

#endif
