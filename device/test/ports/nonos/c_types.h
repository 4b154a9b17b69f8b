/* The NONOS SDK's types, as far as the port names them. */
#ifndef C_TYPES_H
#define C_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef int8_t sint8;

#endif
