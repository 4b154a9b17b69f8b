/* What tests with cmocka include, in the order that it demands. */
#ifndef UPDRAFT_SERVER_TEST_CM_H
#define UPDRAFT_SERVER_TEST_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
