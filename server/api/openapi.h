/* The description of the API in OpenAPI 3.1, made from the rows that the server runs. */
#ifndef UPDRAFT_SERVER_API_OPENAPI_H
#define UPDRAFT_SERVER_API_OPENAPI_H

#include <jansson.h>

/** @param origin  where the server is reached. @return a new object */
json_t *api_openapi(const char *origin);

#endif
