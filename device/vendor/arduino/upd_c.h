/* updraft's C headers that the Arduino classes stand on, for C++. */
#ifndef UPDRAFT_ARDUINO_C_H
#define UPDRAFT_ARDUINO_C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* C has structs and functions of one name; to C++ that is a constructor that is hidden. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#define _Static_assert static_assert
extern "C" {
#include <updraft/eboot.h>
#include <updraft/flash.h>
#include <updraft/md5.h>
#include <updraft/sha256.h>

#include <upd_exchange.h>
}
#undef _Static_assert
#pragma GCC diagnostic pop

#endif
