/* The test harness, and the simulated flash, for tests in C++. */
#ifndef SIM_CHECK_CPP_H
#define SIM_CHECK_CPP_H

#include <upd_c.h>

#define _Noreturn [[noreturn]]
extern "C" {
#include <updraft/sim_flash.h>

#include "check.h"
}
#undef _Noreturn

#endif
