#include "label.h"

#include "text.h"

static bool may_be_in_version(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '+' || c == '-' || c == '(' || c == ')';
}

bool label_is_version(const char *text, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (!may_be_in_version(text[i])) {
            return false;
        }
    }
    return length > 0 && length < CLOCK_VERSION_SIZE;
}

bool label_version(const struct label *label, char version[CLOCK_VERSION_SIZE])
{
    static const char magic[] = LABEL_MAGIC;
    uint32_t length = 0;

    version[0] = '\0';
    for (uint32_t i = 0; i < sizeof label->magic; i++) {
        if (label->magic[i] != magic[i]) {
            return false;
        }
    }
    while (length < sizeof label->version && label->version[length] != '\0') {
        length++;
    }
    if (!label_is_version(label->version, length)) {
        return false;
    }
    text_copy(version, CLOCK_VERSION_SIZE, label->version);
    return true;
}
