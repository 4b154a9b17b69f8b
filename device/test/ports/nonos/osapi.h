#ifndef OSAPI_H
#define OSAPI_H

#include <c_types.h>

#define os_strlen ets_strlen
#define os_strcmp ets_strcmp
int ets_strlen(const char *s);
int ets_strcmp(const char *s1, const char *s2);
unsigned long os_random(void);

#endif
