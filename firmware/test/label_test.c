#include "check.h"
#include "label.h"
#include "text.h"

static void test_versions(void)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"1.0.1", true},
        {"1.0.3-crash", true},
        {"2026.11+abc", true},
        {"123456789012345", true},
        {"1234567890123456", false},
        {"", false},
        {"1.0 1", false},
        {"../secret", false},
        {"1.0.1\n", false},
        {"1/2", false},
        {"v\xC3\xA9", false},
        {"1%2e", false},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_THAT(rows[i].text,
                   label_is_version(rows[i].text, text_length(rows[i].text)) == rows[i].valid);
    }
}

/* Method: any other byte at any position of a label makes it none, or changes the version. */
static void test_only_a_label_has_a_version(void)
{
    const struct label good = {
        .magic = {'u', 'p', 'd', 'c', 'l', 'o', 'c', 'k'}, .version = "1.0.1", .slot = 2};
    char version[CLOCK_VERSION_SIZE];

    CHECK(label_version(&good, version) && text_same(version, "1.0.1"));
    for (uint32_t i = 0; i < sizeof good.magic; i++) {
        struct label bad = good;
        bad.magic[i] ^= 1;
        CHECK(!label_version(&bad, version) && text_same(version, ""));
    }
    struct label bad = good;
    for (uint32_t i = 0; i < sizeof bad.version; i++) {
        bad.version[i] = '\0';
    }
    CHECK(!label_version(&bad, version));
    for (uint32_t length = 1; length <= sizeof bad.version; length++) {
        bad.version[length - 1] = 'x';
        CHECK(label_version(&bad, version) == (length < sizeof bad.version));
        CHECK(text_length(version) == (length < sizeof bad.version ? length : 0));
    }
}

int main(void)
{
    CHECK_RUN(test_versions);
    CHECK_RUN(test_only_a_label_has_a_version);
    check_end();
}
