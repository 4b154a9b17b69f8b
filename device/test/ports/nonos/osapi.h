#ifndef OSAPI_H
#define OSAPI_H

#include <c_types.h>

#define os_strlen ets_strlen
#define os_strcmp ets_strcmp
int ets_strlen(const char *s);
int ets_strcmp(const char *s1, const char *s2);
unsigned long os_random(void);

typedef void os_timer_func_t(void *timer_arg);
typedef struct _os_timer_t {
    struct _os_timer_t *timer_next;
    uint32 timer_expire;
    uint32 timer_period;
    os_timer_func_t *timer_func;
    void *timer_arg;
} os_timer_t;
void os_timer_setfn(os_timer_t *timer, os_timer_func_t *function, void *arg);
void os_timer_arm(os_timer_t *timer, uint32 milliseconds, bool repeat);

#endif
