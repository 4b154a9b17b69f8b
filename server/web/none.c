/* The page of a build without one. */
#include "web/web.h"

const struct web_file web_files[] = {{0}};
