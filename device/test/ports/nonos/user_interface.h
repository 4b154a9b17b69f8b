#ifndef USER_INTERFACE_H
#define USER_INTERFACE_H

#include <c_types.h>

uint32 system_get_time(void);
uint32 system_get_userbin_addr(void);
void system_restart(void);
void system_soft_wdt_feed(void);

#endif
