/*
 * The arithmetic helpers that the chip has in its mask ROM and the compiler's library therefore
 * lacks. 64-bit division is left out on purpose: code for the chip must do without it, and a
 * program that needs it does not link.
 */
#include <stdint.h>

uint32_t __udivsi3(uint32_t number, uint32_t divisor);
uint32_t __umodsi3(uint32_t number, uint32_t divisor);
int32_t __divsi3(int32_t number, int32_t divisor);
uint64_t __umulsidi3(uint32_t one, uint32_t other);
uint64_t __muldi3(uint64_t one, uint64_t other);

/* As one bit after the other on paper. Division by zero traps, as an illegal instruction. */
static uint32_t divide(uint32_t number, uint32_t divisor, uint32_t *rest)
{
    uint32_t quotient = 0;
    uint32_t left = 0;

    if (divisor == 0) {
        __asm__ volatile("ill");
    }
    for (uint32_t bit = 32; bit-- > 0;) {
        uint32_t carry = left >> 31;
        left = left << 1 | (number >> bit & 1);
        if (carry != 0 || left >= divisor) {
            left -= divisor;
            quotient |= (uint32_t)1 << bit;
        }
    }
    *rest = left;
    return quotient;
}

uint32_t __udivsi3(uint32_t number, uint32_t divisor)
{
    uint32_t rest;
    return divide(number, divisor, &rest);
}

uint32_t __umodsi3(uint32_t number, uint32_t divisor)
{
    uint32_t rest;
    divide(number, divisor, &rest);
    return rest;
}

/* Rounds towards zero, as C asks. */
int32_t __divsi3(int32_t number, int32_t divisor)
{
    uint32_t rest;
    uint32_t size = number < 0 ? 0 - (uint32_t)number : (uint32_t)number;
    uint32_t by = divisor < 0 ? 0 - (uint32_t)divisor : (uint32_t)divisor;
    uint32_t quotient = divide(size, by, &rest);
    return (int32_t)((number < 0) != (divisor < 0) ? 0 - quotient : quotient);
}

uint64_t __umulsidi3(uint32_t one, uint32_t other)
{
    uint32_t low = (one & 0xFFFF) * (other & 0xFFFF);
    uint32_t middle = (one >> 16) * (other & 0xFFFF) + (low >> 16);
    uint32_t second = (one & 0xFFFF) * (other >> 16) + (middle & 0xFFFF);
    uint32_t high = (one >> 16) * (other >> 16) + (middle >> 16) + (second >> 16);
    return (uint64_t)high << 32 | (second << 16 | (low & 0xFFFF));
}

uint64_t __muldi3(uint64_t one, uint64_t other)
{
    uint32_t high =
        (uint32_t)one * (uint32_t)(other >> 32) + (uint32_t)(one >> 32) * (uint32_t)other;
    return __umulsidi3((uint32_t)one, (uint32_t)other) + ((uint64_t)high << 32);
}
