/* Goal: every code has its own text, and an unknown value gets one too. */
#include <updraft/bytes.h>
#include <updraft/err.h>

#include "check.h"

static bool same_text(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

static const enum upd_err codes[] = {
#define X(name, value, text) UPD_##name,
    UPD_ERRORS(X)
#undef X
};

static void test_every_code_has_its_own_text(void)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        CHECK(!same_text(upd_err_text(codes[i]), upd_err_text((enum upd_err)99)));
        for (size_t k = 0; k < i; k++) {
            CHECK(!same_text(upd_err_text(codes[i]), upd_err_text(codes[k])));
        }
    }
}

static void test_a_reader_never_passes_its_end(void)
{
    const uint8_t data[4] = {1, 2, 3, 4};
    struct upd_reader in = {data, sizeof data};
    const uint8_t *bytes = NULL;

    CHECK(!upd_take(&in, 5, &bytes) && bytes == NULL && in.left == 4);
    CHECK(!upd_take(&in, UINT32_MAX, &bytes) && in.at == data);
    CHECK(upd_take(&in, 4, &bytes) && bytes == data && in.left == 0);
    CHECK(upd_take(&in, 0, &bytes) && bytes == data + 4);
    CHECK(!upd_take(&in, 1, &bytes));
}

static void test_integers_are_little_endian_on_every_cpu(void)
{
    const uint8_t data[4] = {0x81, 0x92, 0xA3, 0xF4};
    uint8_t copy[4] = {0};

    CHECK(upd_get_le16(data) == 0x9281);
    CHECK(upd_get_le24(data) == 0xA39281);
    CHECK(upd_get_le32(data) == 0xF4A39281);
    CHECK(upd_get_be32(data) == 0x8192A3F4);
    upd_put_le32(copy, 0xF4A39281);
    CHECK(memcmp(copy, data, 4) == 0);
    upd_put_be32(copy, 0x8192A3F4);
    CHECK(memcmp(copy, data, 4) == 0);
}

int main(void)
{
    CHECK_RUN(test_every_code_has_its_own_text);
    CHECK_RUN(test_a_reader_never_passes_its_end);
    CHECK_RUN(test_integers_are_little_endian_on_every_cpu);
    check_end();
}
