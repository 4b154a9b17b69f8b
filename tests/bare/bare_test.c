/*
 * Goal: what the bare runtime supplies behaves as on a chip or on a host, so that a core test which
 * fails here has found a fault of core.
 * Method: the arithmetic helpers against multiplication for operands around every power of two; the
 * memory functions at every small offset and size; check_load() and check_read() around the end of
 * a known file. Faults, hangs and exit statuses are tried by fault_test, from outside.
 */
#include "check.h"

void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memmove(void *target, const void *source, size_t size);
void *memset(void *target, int value, size_t size);
int memcmp(const void *one, const void *other, size_t size);

/* Volatile, so that the compiler can neither divide by itself nor leave the division out. */
static volatile uint32_t number, divisor, factor;

/* 0, 1, 2 and the neighbours of every power of two. */
static uint32_t operand(uint32_t i)
{
    return i < 2 ? i : ((uint32_t)1 << (i / 3 % 32)) + i % 3 - 1;
}
enum { OPERANDS = 96 };

static void test_quotient_and_rest_make_up_the_number(void)
{
    for (uint32_t i = 0; i < OPERANDS; i++) {
        for (uint32_t k = 0; k < OPERANDS; k++) {
            number = operand(i);
            divisor = operand(k);
            if (divisor == 0) {
                continue;
            }
            uint32_t quotient = number / divisor;
            uint32_t rest = number % divisor;
            CHECK(rest < divisor);
            CHECK(quotient * divisor + rest == number);
            CHECK((uint64_t)quotient * divisor <= number);
        }
    }
}

static void test_signed_division_rounds_towards_zero(void)
{
    static const struct {
        int32_t number, divisor, quotient, rest;
    } rows[] = {
        {7, 2, 3, 1},
        {-7, 2, -3, -1},
        {7, -2, -3, 1},
        {-7, -2, 3, -1},
        {INT32_MAX, -1, -INT32_MAX, 0},
        {INT32_MIN, 1, INT32_MIN, 0},
        {INT32_MIN, INT32_MIN, 1, 0},
        {INT32_MIN, 3, -715827882, -2},
        {1, INT32_MIN, 0, 1},
        {0, -5, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        number = (uint32_t)rows[i].number;
        divisor = (uint32_t)rows[i].divisor;
        CHECK((int32_t)number / (int32_t)divisor == rows[i].quotient);
        CHECK((int32_t)number % (int32_t)divisor == rows[i].rest);
    }
}

/* The long product by shifting and adding only. */
static uint64_t product(uint64_t one, uint64_t other)
{
    uint64_t sum = 0;
    for (uint32_t bit = 0; bit < 64; bit++) {
        if ((other >> bit & 1) != 0) {
            sum += one << bit;
        }
    }
    return sum;
}

static void test_wide_products_are_complete(void)
{
    for (uint32_t i = 0; i < OPERANDS; i++) {
        for (uint32_t k = 0; k < OPERANDS; k++) {
            number = operand(i);
            factor = operand(k);
            uint64_t wide = (uint64_t)number << 32 | factor;
            CHECK((uint64_t)number * factor == product(number, factor));
            CHECK(wide * factor == product(wide, factor));
        }
    }
}

static void test_memory_functions_touch_their_bytes_alone(void)
{
    for (uint32_t to = 0; to < 8; to++) {
        for (uint32_t from = 0; from < 8; from++) {
            for (uint32_t size = 0; size <= 8; size++) {
                uint8_t moved[16];
                uint8_t copied[16];
                uint8_t set[16];
                uint8_t source[16];
                for (uint32_t i = 0; i < 16; i++) {
                    moved[i] = source[i] = (uint8_t)(i + 1);
                    copied[i] = set[i] = 0xEE;
                }
                CHECK(memmove(moved + to, moved + from, size) == moved + to);
                CHECK(memcpy(copied + to, source + from, size) == copied + to);
                CHECK(memset(set + to, 0x1AA, size) == set + to);
                for (uint32_t i = 0; i < 16; i++) {
                    bool inside = i >= to && i < to + size;
                    uint8_t byte = (uint8_t)(from + i - to + 1);
                    CHECK(moved[i] == (inside ? byte : i + 1));
                    CHECK(copied[i] == (inside ? byte : 0xEE));
                    CHECK(set[i] == (inside ? 0xAA : 0xEE));
                }
            }
        }
    }
}

static void test_memory_compares_as_unsigned_bytes(void)
{
    CHECK(memcmp("\x7F", "\x80", 1) < 0);
    CHECK(memcmp("\x80", "\x7F", 1) > 0);
    CHECK(memcmp("ab", "ac", 1) == 0);
    CHECK(memcmp("ab", "ac", 2) < 0);
    CHECK(memcmp("", "x", 0) == 0);
}

/* The file holds the ten bytes "0123456789". */
static void test_load_tells_missing_and_too_long(void)
{
    uint8_t data[12];

    memset(data, 0xEE, sizeof data);
    CHECK(check_load(UPD_VECTORS "/absent", data, sizeof data) == -1);
    CHECK(check_load(UPD_VECTORS "/ten.txt", data, 9) == -1);
    CHECK(check_load(UPD_VECTORS "/ten.txt", data, 0) == -1);
    CHECK(check_load(UPD_VECTORS "/ten.txt", data, 10) == 10);
    CHECK(data[10] == 0xEE && memcmp(data, "0123456789", 10) == 0);
    CHECK(check_load(UPD_VECTORS "/ten.txt", data, 11) == 10);
}

static void test_parts_of_a_file_are_read(void)
{
    uint8_t data[12];

    memset(data, 0xEE, sizeof data);
    CHECK(check_read(UPD_VECTORS "/absent", 0, data, 1) == -1);
    CHECK(check_read(UPD_VECTORS "/ten.txt", 0, data, 0) == 0 && data[0] == 0xEE);
    CHECK(check_read(UPD_VECTORS "/ten.txt", 3, data, 4) == 4);
    CHECK(data[4] == 0xEE && memcmp(data, "3456", 4) == 0);
    CHECK(check_read(UPD_VECTORS "/ten.txt", 8, data, 12) == 2);
    CHECK(data[2] == '5' && memcmp(data, "89", 2) == 0);
    CHECK(check_read(UPD_VECTORS "/ten.txt", 10, data, 12) == 0);
    CHECK(check_read(UPD_VECTORS "/ten.txt", 99, data, 12) == 0);
}

int main(void)
{
    CHECK_RUN(test_quotient_and_rest_make_up_the_number);
    CHECK_RUN(test_signed_division_rounds_towards_zero);
    CHECK_RUN(test_wide_products_are_complete);
    CHECK_RUN(test_memory_functions_touch_their_bytes_alone);
    CHECK_RUN(test_memory_compares_as_unsigned_bytes);
    CHECK_RUN(test_load_tells_missing_and_too_long);
    CHECK_RUN(test_parts_of_a_file_are_read);
    check_end();
}
