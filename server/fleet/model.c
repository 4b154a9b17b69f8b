#include "model.h"

#include <string.h>

/* The words of one enum, and the two functions over them. */
#define WORD(name, word) word,
#define WORDS(type, list, prefix)                                                                  \
    static const char *const prefix##_words[] = {list(WORD)};                                      \
    const char *prefix##_word(type value)                                                          \
    {                                                                                              \
        size_t count = sizeof prefix##_words / sizeof prefix##_words[0];                           \
        return (size_t)value < count ? prefix##_words[value] : "unknown";                          \
    }
#define FIND(type, prefix)                                                                         \
    bool prefix##_find(const char *word, type *value)                                              \
    {                                                                                              \
        for (size_t i = 0; i < sizeof prefix##_words / sizeof prefix##_words[0]; i++) {            \
            if (strcmp(prefix##_words[i], word) == 0) {                                            \
                *value = (type)i;                                                                  \
                return true;                                                                       \
            }                                                                                      \
        }                                                                                          \
        return false;                                                                              \
    }

WORDS(enum product_kind, PRODUCT_KINDS, product_kind)
FIND(enum product_kind, product_kind)
WORDS(enum consent, CONSENTS, consent)
FIND(enum consent, consent)
WORDS(enum strangers, STRANGERS, strangers)
FIND(enum strangers, strangers)
WORDS(enum standing, STANDINGS, standing)
FIND(enum standing, standing)
WORDS(enum part, PARTS, part)
FIND(enum part, part)
WORDS(enum protocol, PROTOCOLS, protocol)
FIND(enum protocol, protocol)
WORDS(enum role, ROLES, role)
FIND(enum role, role)
WORDS(enum token_kind, TOKEN_KINDS, token_kind)
